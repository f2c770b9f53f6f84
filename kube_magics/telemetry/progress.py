"""How far a job is, from what it says of itself: `kube_magics.report` first, else the bars in its output. Pure.

Both are the job's own words: anything may stand there, and no amount of it may cost memory or time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry.bars import Sighting, sighting
from kube_magics.telemetry.curves import Curve, History, Pace
from kube_magics.telemetry.nesting import Nesting
from kube_magics.telemetry.streams import Streams

MOST_METRICS = 32
MOST_CHARACTERS = 80
"""Of a label or a name."""
MOST_SAID = 4
"""Metrics in a sentence."""


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

    @property
    def sentence(self) -> str:
        """In words: `42 % (420 of 1,000), 4.2 a second, 2 min 18 s left; training; loss 0.53`."""
        amount = "" if self.step is None else digits(self.step)
        if amount and self.total is not None:
            amount = f"{amount} of {digits(self.total)}"
        percent = "" if self.fraction is None else f"{math.floor(100 * self.fraction)} %"
        parts = [f"{percent} ({amount})" if percent and amount else percent or (amount and f"step {amount}")]
        parts.append("" if self.rate is None else f"{digits(float(f'{self.rate:.2g}'))} a second")
        parts.append(f"{human_seconds(self.eta_s)} left" if self.eta_s else "")
        newest = [f"{name} {digits(curve.last)}" for name, curve in self.metrics.items()]
        return "; ".join(filter(None, (", ".join(filter(None, parts)), self.label, ", ".join(newest[:MOST_SAID]))))


class Meter:
    """Fed by the loop with all that one attempt of a job says; read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = Clock()
        self._began: float | None = None
        self._said = -math.inf
        self._step: float | None = None
        self._total: float | None = None
        self._text = ""
        self._pace = Pace()
        self._metrics: dict[str, History] = {}
        self._reported: set[str] = set()
        """The metrics that report() has named: of these the output's are not asked for."""
        self._streams = Streams()
        self._came: dict[int, float] = {}
        """When the newest of each stream came, by the job's time."""
        self._nesting = Nesting()

    def event(self, event: Mapping[str, Any], now: float) -> None:
        """Take an event of the runner's; `now` is the reader's own clock, in seconds. Others than those on progress are
        ignored."""
        kind = event.get("e")
        with self._lock:
            if kind == "sample":
                self._clock.sample(event, now)
            elif kind in ("progress", "metric"):
                at = self._clock.at(now)
                self._heard(at)
                if kind == "progress":
                    self._progress(event, at)
                else:
                    self._values(event, at)

    def output(self, stream: int, data: bytes, now: float) -> None:
        """Take what came of the user's `stream`: whole lines, or a piece of one."""
        with self._lock:
            self._came[stream] = at = self._clock.at(now)
            for line, redrawn in self._streams.add(stream, data, now):
                self._look(sighting(line, redrawn=redrawn), at)

    def reading(self, now: float) -> Progress | None:
        """All that is known now; None: the job has said nothing of it."""
        with self._lock:
            for stream, came in self._came.items():
                for line, redrawn in self._streams.waiting(stream):
                    self._look(sighting(line, redrawn=redrawn), came)
                line, redrawn = self._streams.unfinished(stream)
                self._look(sighting(line, redrawn=redrawn, whole=False), came)
            if self._began is None:
                return None
            at = self._clock.at(now)
            metrics = {name: history.curve() for name, history in self._metrics.items()}
            age_s = max(0.0, at - self._said)
            return replace(self._reported_at(at) or self._drawn_at(at), metrics=metrics, age_s=age_s)

    def _reported_at(self, at: float) -> Progress | None:
        """What report() has said, if that is how far it is, or nothing else says so."""
        step, total = self._step, self._total
        if (step is None or total is None) and self._nesting.view(at) is not None:
            return None
        eta_s = self._pace.remaining_s(total, at) if step is not None and total is not None else None
        return Progress(_fraction(step, total), step, total, self._pace.speed(at), eta_s, self._text)

    def _drawn_at(self, at: float) -> Progress:
        view = self._nesting.view(at)
        assert view is not None
        label = self._text or printable(view.label)
        return Progress(view.fraction, view.step, view.total, view.rate, view.eta_s, label)

    def _look(self, seen: Sighting | None, at: float) -> None:
        if seen is None:
            return
        self._heard(at)
        self._nesting.see(seen, at)
        for name, value in seen.metrics.items():
            if name not in self._reported:
                self._measured(name, value, at - (self._began or 0.0))

    def _heard(self, at: float) -> None:
        self._began = at if self._began is None else self._began
        self._said = max(at, self._said)

    def _progress(self, event: Mapping[str, Any], at: float) -> None:
        self._stepped(finite(event.get("step")), at)
        total = finite(event.get("total"))
        if total is not None:
            self._total = total if total > 0 else None
        if isinstance(event.get("text"), str):
            self._text = printable(event["text"])

    def _values(self, event: Mapping[str, Any], at: float) -> None:
        step, began = finite(event.get("step")), self._began or 0.0
        self._stepped(step, at)
        values = event.get("values")
        for name, value in values.items() if isinstance(values, Mapping) else ():
            self._reported.add(self._measured(str(name), number(value), at - began if step is None else step))

    def _stepped(self, step: float | None, at: float) -> None:
        if step is not None:
            self._step = step
            self._pace.add(at, step)

    def _measured(self, name: str, value: float | None, x: float) -> str:
        """The name under which it stands; empty: it does not."""
        name = printable(name)
        if value is None or not name or (name not in self._metrics and len(self._metrics) >= MOST_METRICS):
            return ""
        self._metrics.setdefault(name, History()).add(x, value)
        return name


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
        if not math.isfinite(made):
            return
        at = self.at(now)
        if self._origin is None:
            self._origin = made - at
        if made - self._origin >= at:
            self._base, self._read_at = made - self._origin, now

    def at(self, now: float) -> float:
        """The job's time, which is the reader's until the first sample has come."""
        return self._base + (now - self._read_at)


def digits(value: float) -> str:
    """Of a count all digits, of a measured number the first three or four."""
    return f"{value:,.0f}" if abs(value) < 1e15 and value % 1 == 0 else f"{value:.4g}"


def _fraction(step: float | None, total: float | None) -> float | None:
    return None if step is None or not total else min(1.0, max(0.0, step / total))


def number(value: object) -> float | None:
    """A number of an event, which says `"NaN"`, `"Infinity"` or `"-Infinity"` where JSON has none; None: it is none."""
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
