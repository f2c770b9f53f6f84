"""A job's card in words: what is unknown is called so, and figures have their units. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kube_magics.spec.quantities import amount, as_quantity, human_bytes, human_seconds
from kube_magics.telemetry.bottleneck import hint
from kube_magics.telemetry.curves import Curve
from kube_magics.telemetry.earlier import hung
from kube_magics.telemetry.progress import digits
from kube_magics.telemetry.sparkline import sampled, sparkline
from kube_magics.telemetry.stages import Stage
from kube_magics.telemetry.usage import Device, Series

if TYPE_CHECKING:
    from kube_magics.telemetry.card import Card

UNKNOWN = "unknown"
LOST = "lost"
LATELY = "lately"
SO_FAR = "so far"
MOST_METRICS = 8
HEAD = ("", "now", LATELY, "peak", "of")
"""Above rows."""
LATELY_POINTS = 24
"""Two minutes of a job's first ten, then six."""
LONGEST = 400
"""Characters of what a cluster says."""
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Step:
    """One entry of the strip of stages."""

    state: str
    sign: str
    """Repeats it for the eye."""
    said: str
    """All of it, for who sees neither signs nor colours."""


@dataclass(frozen=True)
class Row:
    """What a job uses of one thing. Empty: nothing is to be said."""

    name: str
    now: str
    lately: str
    """A small curve."""
    peak: str
    of: str
    """How much of it there is, or was asked for."""


def title(card: Card) -> str:
    """How it stands: `running`, `failed after 42 s`."""
    took = card.over and card.duration_s is not None
    return f"{card.status} after {human_seconds(card.duration_s or 0.0)}" if took else card.status


def place(card: Card) -> str:
    """Where it is; and when, of what may stand in a notebook for good and was left before its end."""
    where = f"{card.namespace}, on {card.node}" if card.node else card.namespace
    return where if card.over else f"{where}; at {datetime.fromtimestamp(card.at, UTC):%H:%M} UTC"


def strip(card: Card) -> list[Step]:
    """The stages; those ahead are one entry, which says so: `then running, done`."""
    begun = [Step(each.state, each.sign, _of_stage(each)) for each in card.stages if each.state != "ahead"]
    ahead = [each for each in card.stages if each.state == "ahead"]
    rest = [Step("ahead", ahead[0].sign, f"then {', '.join(each.name for each in ahead)}")] if ahead else []
    return begun + rest


def _of_stage(stage: Stage) -> str:
    """`pulling image 12 s (3.1 GB)`."""
    return f"{stage.name} {stage.took}".rstrip() + (f" ({stage.note})" if stage.note else "")


def rows(card: Card) -> list[Row]:
    """What it uses; none before anything is known of that."""
    used = card.usage
    found = [row for at, device in enumerate(used.devices) for row in _of_device(at, device)]
    missing = (card.gpus or 0) - len(used.devices)
    if missing > 0 and card.held_s is not None:
        found.append(Row("GPU", UNKNOWN, "", UNKNOWN, f"{missing} {'more ' if used.devices else ''}asked for"))
    if used.cpu_cores.points:
        found.append(_cpu(card))
    if used.memory_bytes.points or card.peak_memory_bytes is not None:
        found.append(_memory(card))
    return [replace(row, now="") for row in found] if card.over else found


def table(card: Card) -> list[Sequence[str]]:
    """A heading and `rows`, without columns in which nothing is said; empty: there are no rows."""
    every = [HEAD, *map(astuple, rows(card))]
    said = [any(row[at] for row in every[1:]) for at in range(len(HEAD))]
    return [[cell for cell, shown in zip(row, said, strict=True) if shown] for row in every] if any(said) else []


def facts(card: Card) -> dict[str, str]:
    """What else is to be said, by what it is called."""
    found = {name: said[:LONGEST] for name, said in _why(card)}
    if not card.over and not found and (said := hung(card.stages, card.earlier)):
        found["hung?"] = said
    if lost := [at for at, device in enumerate(card.usage.devices) if device.lost]:
        found["lost"] = _lost(lost)
    if not card.over and (said := hint(card.usage)):
        found["hint"] = said
    if card.over:
        found |= _hours(card)
        if back := _back(card):
            found["back"] = back
    return found | ({"log": card.brought.log} if card.brought.log else {})


def progress(card: Card) -> str:
    """How far it is, by its own words; empty: it has not said, or has come to its end."""
    told = card.progress
    return replace(told, metrics={}).sentence if told is not None and card.phase != "succeeded" else ""


def metrics(card: Card) -> list[Sequence[str]]:
    """A heading, and a metric a row; empty: it reports none."""
    drawn = [(name, digits(curve.last), _blocks(curve), *_range(curve)) for name, curve in reported(card).items()]
    return [("", "last" if card.over else "now", SO_FAR, "least", "most"), *drawn] if drawn else []


def reported(card: Card) -> Mapping[str, Curve]:
    """The metrics that a card has room for."""
    return dict([*card.progress.metrics.items()][:MOST_METRICS]) if card.progress is not None else {}


def lines(card: Card) -> list[str]:
    """All of it as text, a line each."""
    found = [f"job {card.name}  {title(card)}  ({place(card)})"]
    found.append("  " + "  ".join(f"{each.sign} {each.said}" for each in strip(card)))
    found += [f"  {said}"] if (said := progress(card)) else []
    found += _aligned(metrics(card))
    found += _aligned(table(card))
    found += _aligned([*facts(card).items()])
    return [plain(line) for line in found]


def plain(text: str) -> str:
    """One line that does nothing to a terminal and turns no text round, whoever wrote it."""
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table)
    return ["  " + "  ".join(row).rstrip() for row in padded]


def _blocks(curve: Curve) -> str:
    return sampled([value for _, value in curve.points], LATELY_POINTS)


def _range(curve: Curve) -> tuple[str, str]:
    """As far as it is kept; what is no number has no place in it."""
    finite = [value for _, value in curve.points if math.isfinite(value)]
    return (digits(min(finite)), digits(max(finite))) if finite else (UNKNOWN, UNKNOWN)


def _of_device(at: int, device: Device) -> Iterator[Row]:
    busy, used, total = device.utilization_percent, device.memory_bytes, device.memory_total_bytes
    name = f"GPU {at}" + (f" {device.name[:_LONGEST_NAME]}" if device.name else "")
    now = (LOST, LOST) if device.lost else (_percent(busy.now), _bytes(used.now))
    yield Row(name, now[0], _curve(busy, 100.0), _percent(busy.peak), "")
    top = total or used.peak or 0.0
    yield Row(f"GPU {at} memory", now[1], _curve(used, top), _bytes(used.peak), _bytes(total))


def _cpu(card: Card) -> Row:
    used = card.usage.cpu_cores
    top = max(_number(card.cpus), used.peak or 0.0, 1.0)
    return Row("CPU", _cores(used.now), _curve(used, top), _cores(used.peak), _asked(card.cpus))


def _memory(card: Card) -> Row:
    used, peak = card.usage.memory_bytes, card.peak_memory_bytes
    top = max(_number(card.memory), peak or 0.0)
    return Row("memory", _quantity(used.now), _curve(used, top), _quantity(peak), _asked(card.memory))


def _lost(places: Sequence[int]) -> str:
    """Said as NVML says it of a device that cannot be reached any more."""
    which = f"GPU{'' if len(places) == 1 else 's'} {', '.join(map(str, places))}"
    return (
        f"{which}: fallen off the bus, or must be reset; what ran there is lost, and only an administrator of the node "
        "can bring it back"
    )


def _why(card: Card) -> Iterator[tuple[str, str]]:
    """What is in its way, or has ended it."""
    if card.phase == "succeeded":
        return
    cause = card.cause
    told = _reason(card.end) if card.end and card.over else ""
    if told and (cause is None or cause.is_the_programs):
        yield "reason", told
    elif cause is not None:
        yield "reason" if card.over else "waits", cause.sentence
        if cause.said:
            yield "said", cause.said
        if fix := cause.fix_of(card.name):
            yield "next", fix


def _hours(card: Card) -> Mapping[str, str]:
    """GPU-hours: devices, times the hours for which the job held them; idle as far as their use was known."""
    if not card.gpus or card.held_s is None:
        return {}
    idle_s, seen_s = card.usage.idle_gpu_s, card.usage.seen_gpu_s
    known = idle_s is not None and seen_s is not None
    idle = f"{_in_hours(idle_s or 0.0)} of {_in_hours(seen_s or 0.0)} that were measured" if known else UNKNOWN
    return {"GPU-hours": _in_hours(card.gpus * card.held_s), "idle GPU-hours": idle}


def _in_hours(seconds: float) -> str:
    """Two digits or more, and never `1e-05` or `1e+02`."""
    hours = seconds / 3600
    if hours >= 10:
        return f"{hours:.0f}"
    if 0 < hours < 0.0001:
        return "under 0.0001"
    return f"{float(f'{hours:.2g}'):.5f}".rstrip("0").rstrip(".")


def _back(card: Card) -> str:
    files = card.brought.files or {}
    some = f"{len(files)} file{'' if len(files) == 1 else 's'} ({human_bytes(sum(files.values()))})" if files else ""
    return ", ".join([*card.brought.names, *filter(None, [some])])


def _reason(end: Mapping[str, Any]) -> str:
    """In a few words; the exception that is raised says it as a whole."""
    if said := _REASONS.get(str(end.get("reason"))):
        return said
    signal, code = end.get("signal"), end.get("code")
    if isinstance(signal, int) and 0 < signal < 128:
        return f"ended by signal {signal}"
    return f"exit code {code}" if isinstance(code, int) and -256 < code < 256 else ""


_REASONS = {
    "timeout": "it ran longer than its --timeout",
    "stopped": "it was stopped",
    "oom": "it was killed at its memory limit",
    "import": "a module that the notebook has is missing there",
    "bytecode": "the notebook's Python and the job's are of different versions",
    "install": "its packages could not be installed",
    "fetch": "its data could not be fetched from the store",
    "collect": "its results could not be kept in the store",
    "bundle": "its files could not be unpacked",
    "start": "its program could not be started",
    "runner": "its runner failed",
}


def _curve(series: Series, top: float) -> str:
    return sparkline(series.points[-LATELY_POINTS:], top)


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f} %"


def _cores(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f} cores"


def _bytes(value: float | None) -> str:
    return UNKNOWN if value is None else human_bytes(value)


def _quantity(value: float | None) -> str:
    """As it was asked for, and would be again."""
    return UNKNOWN if value is None else as_quantity(value)


def _asked(quantity: str | None) -> str:
    return f"{quantity} asked for" if quantity else ""


def _number(quantity: str | None) -> float:
    """0: nothing was asked for, or in a form that Kubernetes has not."""
    try:
        return float(amount(quantity)) if quantity else 0.0
    except ValueError:
        return 0.0
