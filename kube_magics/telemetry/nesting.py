"""The progress bars of a job, and which of them says how far it is: bars within bars, a bar an epoch. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kube_magics.telemetry.bars import Sighting
from kube_magics.telemetry.curves import Pace

MOST_BARS = 16
OWN_ETA_S = 5.0
"""A bar that is later than it said by more than this does not know when it ends."""
_NUMBERS = re.compile(r"[0-9]+")

Key = tuple[str, str, float | None]


@dataclass
class Bar:
    """One bar, drawn again and again."""

    seen: Sighting
    at: float
    position: int
    changed: int
    """When, by the number of changes so far."""


@dataclass
class Epochs:
    """Which epoch it is, as the program counts them."""

    number: float
    of: float
    zero_based: bool
    bar: Key | None = None
    """The first that was drawn in it is its own; others (validation) come between two epochs."""
    over: bool = False

    def fraction(self, own: Bar | None) -> float:
        within = 1.0 if self.over else (own.seen.fraction or 0.0) if own is not None else 0.0
        done = self.number + within - (0.0 if self.zero_based else 1.0)
        of = self.of + (1.0 if self.zero_based and self.number >= self.of else 0.0)
        return min(1.0, max(0.0, done / of))


@dataclass(frozen=True)
class View:
    """What they show together. Unknown is None."""

    fraction: float | None
    step: float | None
    total: float | None
    rate: float | None
    eta_s: float | None
    label: str


@dataclass
class Nesting:
    """All that was seen of bars, one around the other or one after it."""

    bars: dict[Key, Bar] = field(default_factory=dict)
    """The one that was drawn last is last."""
    epochs: Epochs | None = None
    pace: Pace = field(default_factory=Pace)
    """Of the whole."""
    changes: int = 0

    def see(self, seen: Sighting, at: float) -> None:
        """Take the next sighting, at the job's time `at`."""
        key = (seen.kind, _NUMBERS.sub("#", seen.label), seen.total)
        if seen.epoch is not None and seen.epochs:
            self._epoch(seen, seen.epoch, seen.epochs, key)
        elif seen.kind and self.epochs is not None and self.epochs.bar is None and not self.epochs.over:
            self.epochs.bar = key
        if seen.kind:
            self._draw(key, seen, at)
        fraction, _ = self._whole()
        if fraction is not None:
            self.pace.add(at, fraction)

    def view(self, at: float) -> View | None:
        """What it shows at the job's time `at`; None: nothing was seen."""
        newest = self._newest()
        fraction, alone = self._whole()
        if newest is None and fraction is None:
            return None
        epochs = self.epochs
        counted = f"Epoch {epochs.number:g}/{epochs.of:g}" if epochs is not None else ""
        if newest is None or (epochs is not None and epochs.bar is None and not epochs.over):
            return View(fraction, None, None, None, self.pace.remaining_s(1.0, at), counted)
        seen = newest.seen
        label = seen.label if alone or seen.epochs or not counted else " ".join(filter(None, (counted, seen.label)))
        eta_s = self._own_eta_s(newest, at) if alone else None
        if eta_s is None and fraction is not None:
            eta_s = self.pace.remaining_s(1.0, at)
        return View(fraction, seen.step, seen.total, seen.rate, eta_s, label)

    def _newest(self) -> Bar | None:
        return next(reversed(self.bars.values()), None)

    def _epoch(self, seen: Sighting, number: float, of: float, key: Key) -> None:
        before = self.epochs
        if before is None or (before.number, before.of) != (number, of):
            zero_based = number == 0 or (before is not None and before.zero_based and before.of == of)
            self.epochs = before = Epochs(number, of, zero_based)
        if seen.kind and before.bar is None:
            before.bar = key
        before.over = before.over or (not seen.kind and seen.fraction == 1.0)

    def _draw(self, key: Key, seen: Sighting, at: float) -> None:
        before = self.bars.pop(key, None)
        position = max(seen.position, before.position if before else 0)
        if before is None or before.seen.step != seen.step or before.seen.fraction != seen.fraction:
            self.changes += 1
            self.bars[key] = Bar(seen, at, position, self.changes)
        else:
            self.bars[key] = Bar(seen, at, position, before.changed)
        while len(self.bars) > MOST_BARS:
            self.bars.pop(next(iter(self.bars)))

    def _whole(self) -> tuple[float | None, bool]:
        """How much of the whole is done: of all epochs, of the outer bar with the inner one's share, or of the only
        bar; and whether it is that."""
        newest = self._newest()
        if self.epochs is not None:
            own = self.bars.get(self.epochs.bar) if self.epochs.bar else None
            whole = self.epochs.fraction(own)
            if newest is None or newest is own or whole < 1.0:
                return whole, False
        if newest is None:
            return None, True
        outer = self._outer(newest)
        if outer is None or outer.seen.step is None or not outer.seen.total:
            return newest.seen.fraction, True
        within = (newest.seen.fraction or 0.0) if newest.changed > outer.changed else 0.0
        return min(1.0, (outer.seen.step + within) / outer.seen.total), False

    def _outer(self, inner: Bar) -> Bar | None:
        above = [bar for bar in self.bars.values() if bar.position < inner.position]
        return min(reversed(above), key=lambda bar: bar.position) if above else None

    def _own_eta_s(self, bar: Bar, at: float) -> float | None:
        if bar.seen.eta_s is None or at - bar.at > bar.seen.eta_s + OWN_ETA_S:
            return None
        return max(0.0, bar.seen.eta_s - max(0.0, at - bar.at))
