"""How far a job is, from what it says of itself: `kube_magics.report` first, else the bars in its output. Pure.

Both are the job's own words: anything may stand there, and no amount of it may cost memory or time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kube_magics.telemetry.curves import Curve, History, Pace

MOST_METRICS = 32
MOST_CHARACTERS = 80
"""Of a label or a name."""


@dataclass(frozen=True)
class Progress:
    """What is known of how far a job is, at one moment. Unknown is None."""

    fraction: float | None = None
    """Of the whole, from 0 to 1; epochs included where the job counts them."""
    step: float | None = None
    total: float | None = None
    rate: float | None = None
    """Steps a second."""
    eta_s: float | None = None
    """Seconds until its end, if it goes on as it did."""
    label: str = ""
    """Its own words for what it is at; one line, printable characters only."""
    metrics: Mapping[str, Curve] = field(default_factory=dict)
    """By name, in the order in which they came."""
    age_s: float = 0.0
    """Seconds since the job last said how far it is."""


class Meter:
    """Fed by the loop with all that one attempt of a job says; read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = Clock()
        self._began: float | None = None
        self._said = 0.0
        self._step: float | None = None
        self._total: float | None = None
        self._text = ""
        self._pace = Pace()
        self._metrics: dict[str, History] = {}

    def event(self, event: Mapping[str, Any], now: float) -> None:
        """Take an event of the runner's; `now` is the reader's own clock, in seconds. Others than those on progress are
        ignored."""
        kind = event.get("e")
        with self._lock:
            if kind == "sample":
                self._clock.sample(event, now)
            elif kind in ("progress", "metric"):
                at = self._heard(now)
                if kind == "progress":
                    self._progress(event, at)
                else:
                    self._values(event, at)

    def reading(self, now: float) -> Progress | None:
        """All that is known now; None: the job has said nothing of it."""
        with self._lock:
            if self._began is None:
                return None
            at = self._clock.at(now)
            step, total = self._step, self._total
            known = step is not None and total is not None
            return Progress(
                fraction=_fraction(step, total),
                step=step,
                total=total,
                rate=self._pace.speed(at),
                eta_s=self._pace.remaining_s(total, at) if known and total else None,
                label=self._text,
                metrics={name: history.curve() for name, history in self._metrics.items()},
                age_s=max(0.0, at - self._said),
            )

    def _heard(self, now: float) -> float:
        at = self._clock.at(now)
        self._began = at if self._began is None else self._began
        self._said = at
        return at

    def _progress(self, event: Mapping[str, Any], at: float) -> None:
        self._stepped(finite(event.get("step")), at)
        total = finite(event.get("total"))
        if total is not None:
            self._total = total if total > 0 else None
        if isinstance(event.get("text"), str):
            self._text = printable(event["text"])

    def _values(self, event: Mapping[str, Any], at: float) -> None:
        step = finite(event.get("step"))
        self._stepped(step, at)
        values = event.get("values")
        for name, value in values.items() if isinstance(values, Mapping) else ():
            self._measured(str(name), number(value), at if step is None else step)

    def _stepped(self, step: float | None, at: float) -> None:
        if step is not None:
            self._step = step
            self._pace.add(at, step)

    def _measured(self, name: str, value: float | None, x: float) -> None:
        name = printable(name)
        if value is not None and name and (name in self._metrics or len(self._metrics) < MOST_METRICS):
            self._metrics.setdefault(name, History()).add(x, value)


class Clock:
    """The job's own time while its log is read, which may be faster than it was written.

    A log that is read from its beginning brings hours in a second. Of all events only samples say when they were made:
    between two of them the reader's clock goes on.
    """

    def __init__(self) -> None:
        self._origin: float | None = None
        self._base = 0.0
        self._read_at = 0.0

    def sample(self, event: Mapping[str, Any], now: float) -> None:
        began, every, seen = finite(event.get("t")), finite(event.get("dt")), event.get("cpu")
        if began is None or every is None or not isinstance(seen, list):
            return
        made = began + every * len(seen)
        at = self.at(now)
        if self._origin is None:
            self._origin = made - at
        if made - self._origin >= at:
            self._base, self._read_at = made - self._origin, now

    def at(self, now: float) -> float:
        """The job's time, which is the reader's until the first sample has come."""
        return self._base + (now - self._read_at)


def _fraction(step: float | None, total: float | None) -> float | None:
    return None if step is None or not total else min(1.0, max(0.0, step / total))


def number(value: object) -> float | None:
    """A number of an event, which says `"NaN"`, `"Infinity"` and `"-Infinity"` where JSON has none; None: it is none."""
    if isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity"):
        return None
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except OverflowError:
        return None


def finite(value: object) -> float | None:
    """As `number`; what is not finite counts as unknown."""
    found = number(value)
    return found if found is not None and math.isfinite(found) else None


def printable(text: str) -> str:
    """One line of at most MOST_CHARACTERS, without control characters and those that turn a line round."""
    shown = "".join(each if each.isprintable() else " " for each in text[: 4 * MOST_CHARACTERS])
    return " ".join(shown.split())[:MOST_CHARACTERS]
