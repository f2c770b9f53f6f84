"""What keeps a job's GPUs waiting, where the readings carry it; a hint that is wrong is worse than none. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry.usage import Series, Usage

LONG_S = 120.0
"""A job's first minutes are spent on imports and data; an epoch's end may take one."""
UNUSED_PERCENT = 10.0
ONE_CORE = (0.9, 1.2)
"""In use, by a program that computes in one process and waits for nothing."""
NOTHING_BYTES = 100e6
"""A CUDA context alone takes more."""


def hint(usage: Usage) -> str:
    """One sentence; empty: the readings of the last minutes say nothing, or not all of them are known."""
    batches, took_s = _last(usage)
    if not batches or not usage.devices:
        return ""
    busy = [value for each in usage.devices for value in _of(each.utilization_percent, batches)]
    held = [value for each in usage.devices for value in _of(each.memory_bytes, batches)]
    if not all(value is not None and value < UNUSED_PERCENT for value in busy):
        return ""
    what = f"{'the GPU is' if len(usage.devices) == 1 else 'all GPUs are'} under {UNUSED_PERCENT:.0f} %"
    since = f"{what} for {human_seconds(took_s)}"
    if all(value is not None and value < NOTHING_BYTES for value in held):
        return f'{since}, and nothing is in its memory: .to("cuda") moves a model and its data there'
    cores = _of(usage.cpu_cores, batches)
    one_is_full = all(value is not None and ONE_CORE[0] <= value <= ONE_CORE[1] for value in cores)
    if one_is_full and all(value is not None and value >= NOTHING_BYTES for value in held):
        return f"{since} while one core is full: its data comes too slowly (a DataLoader with num_workers=0 does that)"
    return ""


def _last(usage: Usage) -> tuple[int, float]:
    """How many batches make the last two minutes, and how long they took; (0, 0): there are not that many."""
    for count, took_s in enumerate(_sums(usage.batches_s), 1):
        if took_s >= LONG_S:
            return count, took_s
    return 0, 0.0


def _sums(batches_s: tuple[float, ...]) -> Iterator[float]:
    total = 0.0
    for each in reversed(batches_s):
        total += each
        yield total


def _of(series: Series, batches: int) -> tuple[float | None, ...]:
    missing = max(0, batches - len(series.points))
    return (*(None,) * missing, *series.points[-batches:])
