"""What a job uses, from the readings that its runner sends: now, lately, at most. Pure.

The readings come from a pod where anything may run: what is no number reads as unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from kube_magics.runner.protocol import IDLE_PERCENT

MOST_POINTS = 48
"""Batches of readings that are kept: four minutes of a job's first ten, then twelve."""
MOST_DEVICES = 64
MOST_READINGS = 64
"""Of one batch."""
LONGEST_INTERVAL_S = 5.0
"""No reading stands for a longer time: in between, everything stood still, or nobody was listening."""
UTILIZATION, MEMORY_USED, MEMORY_TOTAL = 0, 1, 2
"""Places in a device's reading."""
BYTES_AT_MOST = 2.0**60

Numbers = Sequence[float | None]


@dataclass(frozen=True)
class Series:
    """One quantity over time."""

    points: tuple[float | None, ...] = ()
    """The mean of each batch of readings, the oldest first; None: unknown."""
    peak: float | None = None
    """Of all readings, also those that are no longer kept."""
    now: float | None = None
    """The last reading: a mean would be late, by up to a whole batch."""

    def after(self, mean: float | None, peak: float | None, now: float | None) -> Series:
        """With one more batch."""
        return Series((*self.points, mean)[-MOST_POINTS:], _peak((self.peak, peak)), now)


@dataclass(frozen=True)
class Device:
    """One GPU of a job."""

    name: str | None = None
    memory_total_bytes: float | None = None
    utilization_percent: Series = Series()
    memory_bytes: Series = Series()
    seen_s: float = 0.0
    """How long its utilisation was known."""
    idle_s: float = 0.0
    """How long of that it was idle."""
    lost: bool = False
    """Its driver has lost it."""


@dataclass(frozen=True)
class Usage:
    """All that the runner has told."""

    cpu_cores: Series = Series()
    memory_bytes: Series = Series()
    devices: tuple[Device, ...] = ()
    batches_s: tuple[float, ...] = ()
    """How long each batch of readings took; the last ones are those of `points`."""

    @property
    def idle_gpu_s(self) -> float | None:
        """Seconds, all devices together; None: no utilisation was ever known."""
        return sum(each.idle_s for each in self.devices) if self._seen else None

    @property
    def seen_gpu_s(self) -> float | None:
        """Of how many seconds `idle_gpu_s` tells."""
        return sum(each.seen_s for each in self.devices) if self._seen else None

    @property
    def _seen(self) -> bool:
        return any(each.seen_s for each in self.devices)

    def after(self, event: Mapping[str, Any]) -> Usage:
        """With what a `start` or `sample` event tells; others change nothing."""
        if event.get("e") == "start":
            return self._introduced(_listed(event.get("devices"), MOST_DEVICES))
        if event.get("e") == "sample":
            return self._sampled(event)
        return self

    def _introduced(self, told: Sequence[Any]) -> Usage:
        pairs = zip_longest(told, self.devices)
        return replace(self, devices=tuple(_named(known or Device(), device) for device, known in pairs))

    def _sampled(self, event: Mapping[str, Any]) -> Usage:
        cpu = _numbers(event.get("cpu"), 65536.0)
        memory = _numbers(event.get("mem"), BYTES_AT_MOST)
        interval_s = min(number(event.get("dt"), BYTES_AT_MOST) or 0.0, LONGEST_INTERVAL_S)
        pairs = zip_longest(_batches(event), self.devices)
        return Usage(
            cpu_cores=self.cpu_cores.after(_mean(cpu), _peak(cpu), cpu[-1] if cpu else None),
            memory_bytes=self.memory_bytes.after(_mean(memory), _peak(memory), memory[-1] if memory else None),
            devices=tuple(_with_batch(known or Device(), batch or Batch(), interval_s) for batch, known in pairs),
            batches_s=(*self.batches_s, interval_s * max(len(cpu), len(memory)))[-MOST_POINTS:],
        )


NOTHING = Usage()
"""Nobody has told of anything."""


def _named(device: Device, told: object) -> Device:
    if not isinstance(told, Mapping):
        return device
    name, total = told.get("name"), number(told.get("memory_bytes"), BYTES_AT_MOST)
    return replace(
        device,
        name=name if isinstance(name, str) and name else device.name,
        memory_total_bytes=device.memory_total_bytes if total is None else total,
    )


@dataclass(frozen=True)
class Batch:
    """What one event tells of one device, by readings."""

    mean: Sequence[Sequence[Any]] = ()
    """The batch's mean is theirs."""
    every: Sequence[Sequence[Any]] = ()
    """The peak is one of theirs."""
    last: Sequence[Any] = ()
    lost: bool = False
    seen: float = 0.0
    """How many knew its utilisation."""
    idle: float = 0.0
    """In how many of those it was idle."""


def _batches(event: Mapping[str, Any]) -> Iterator[Batch]:
    seen, idle = (_numbers(event.get(key), MOST_READINGS) for key in ("seen", "idle"))
    for at, told in enumerate(_listed(event.get("gpu"), MOST_DEVICES)):
        every = [_listed(each, 8) for each in _listed(told, MOST_READINGS)]
        lost = bool(every) and told[-1] == []
        if event.get("thin") is not True:
            busy = _known(_at(each, UTILIZATION, 100.0) for each in every)
            waits = [percent for percent in busy if percent < IDLE_PERCENT]
            yield Batch(every, every, every[-1] if every else (), lost, len(busy), len(waits))
        else:
            known = _at(seen, at, MOST_READINGS) or 0.0
            waited = min(known, _at(idle, at, MOST_READINGS) or 0.0)
            yield Batch(every[:1], every, every[2] if len(every) > 2 else (), lost, known, waited)


def _with_batch(device: Device, batch: Batch, interval_s: float) -> Device:
    totals = _known(_at(each, MEMORY_TOTAL, BYTES_AT_MOST) or None for each in batch.every)
    return replace(
        device,
        memory_total_bytes=totals[-1] if totals else device.memory_total_bytes,
        utilization_percent=_after(device.utilization_percent, batch, UTILIZATION, 100.0),
        memory_bytes=_after(device.memory_bytes, batch, MEMORY_USED, BYTES_AT_MOST),
        seen_s=device.seen_s + interval_s * batch.seen,
        idle_s=device.idle_s + interval_s * batch.idle,
        lost=batch.lost,
    )


def _after(series: Series, batch: Batch, place: int, most: float) -> Series:
    mean, every = ([_at(each, place, most) for each in readings] for readings in (batch.mean, batch.every))
    return series.after(_mean(mean), _peak(every), _at(batch.last, place, most))


def _listed(found: object, most: int) -> Sequence[Any]:
    return found[:most] if isinstance(found, list) else ()


def number(found: object, most: float) -> float | None:
    """None for what is no number between 0 and `most`."""
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    return float(found) if 0 <= found <= most else None


def _numbers(found: object, most: float) -> Numbers:
    return [number(each, most) for each in _listed(found, MOST_READINGS)]


def _at(reading: Sequence[Any], place: int, most: float) -> float | None:
    return number(reading[place], most) if len(reading) > place else None


def _mean(numbers: Numbers) -> float | None:
    known = _known(numbers)
    return sum(known) / len(known) if known else None


def _peak(numbers: Numbers) -> float | None:
    return max(_known(numbers), default=None)


def _known(numbers: Iterable[float | None]) -> list[float]:
    return [each for each in numbers if each is not None]
