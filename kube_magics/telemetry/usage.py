"""What a job uses, from the readings that its runner sends: now, lately, at most. Pure.

The readings come from a pod where anything may run: what is no number reads as unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

MOST_POINTS = 48
"""Batches of readings that are kept: four minutes of a job's first ten, then twelve."""
MOST_DEVICES = 64
MOST_READINGS = 64
"""Of one batch."""
IDLE_PERCENT = 5.0
"""A GPU below this utilisation is idle."""
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

    @property
    def now(self) -> float | None:
        """The mean of the last batch: of a load that comes and goes a single reading says nothing."""
        return self.points[-1] if self.points else None

    def after(self, mean: float | None, peak: float | None) -> Series:
        """With one more batch."""
        peaks = [each for each in (self.peak, peak) if each is not None]
        return Series((*self.points, mean)[-MOST_POINTS:], max(peaks) if peaks else None)


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
        interval_s = number(event.get("dt"), 3600.0)
        count = max(len(cpu), len(memory))
        thin = event.get("thin") is True
        told = _listed(event.get("gpu"), MOST_DEVICES)
        pairs = list(zip_longest(told, self.devices)) if told else [(None, each) for each in self.devices]
        took_s = (interval_s or 0.0) * count
        return Usage(
            cpu_cores=self.cpu_cores.after(_mean(cpu), _peak(cpu)),
            memory_bytes=self.memory_bytes.after(_mean(memory), _peak(memory)),
            devices=tuple(_with_readings(known or Device(), told, took_s, thin=thin) for told, known in pairs),
            batches_s=(*self.batches_s, took_s)[-MOST_POINTS:],
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


def _with_readings(device: Device, told: object, took_s: float, *, thin: bool) -> Device:
    readings = [_listed(each, 8) for each in _listed(told, MOST_READINGS)]
    busy = [_at(each, UTILIZATION, 100.0) for each in readings]
    used = [_at(each, MEMORY_USED, BYTES_AT_MOST) for each in readings]
    totals = [total for each in readings if (total := _at(each, MEMORY_TOTAL, BYTES_AT_MOST))]
    # Of several devices a batch is its mean and its peak.
    means, memories = (busy[:1], used[:1]) if thin else (busy, used)
    each_s = took_s / len(means) if means else 0.0
    known = [value for value in means if value is not None]
    return replace(
        device,
        memory_total_bytes=totals[-1] if totals else device.memory_total_bytes,
        utilization_percent=device.utilization_percent.after(_mean(means), _peak(busy)),
        memory_bytes=device.memory_bytes.after(_mean(memories), _peak(used)),
        seen_s=device.seen_s + each_s * len(known),
        idle_s=device.idle_s + each_s * sum(value < IDLE_PERCENT for value in known),
    )


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
    known = [each for each in numbers if each is not None]
    return sum(known) / len(known) if known else None


def _peak(numbers: Numbers) -> float | None:
    return max((each for each in numbers if each is not None), default=None)
