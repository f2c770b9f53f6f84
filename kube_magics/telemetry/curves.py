"""A metric over time, in bounded memory: what a small curve needs, whatever a job reports. Pure."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

MOST_POINTS = 256
"""Of a curve; one that comes to more keeps every second of them, and of what follows as many."""
MOST_MARKS = 64
"""Of a pace."""
MARK_EVERY_S = 0.5
IDLE_GAPS = 3
"""A job that says nothing for as long as this many of its usual intervals has become slower."""
IDLE_S = 2.0


@dataclass(frozen=True)
class Curve:
    """The values of one metric, oldest first; NaN and infinities are values too."""

    points: tuple[tuple[float, float], ...]
    """(x, value): x is the job's step where it named one, else the seconds since its first word."""

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


def behind(count: float, last: float) -> bool:
    """Whether a count has begun again. One that is a little lower is that of another process of the job."""
    return count <= last / 2 and count < last


@dataclass
class History:
    """Collects a curve, evenly over its whole length. Of two values at the same x the newer counts."""

    points: list[tuple[float, float]] = field(default_factory=list)
    newest: tuple[float, float] | None = None
    before: float = 0.0
    """What the job's own count stood at when it began again, all times together."""
    stride: int = 1
    """Of so many values one is kept."""
    skipped: int = 0

    def add(self, x: float, value: float) -> None:
        if self.newest is not None and x + self.before < self.newest[0]:
            if behind(x, self.newest[0] - self.before):
                self.before = self.newest[0]  # the next epoch
            else:
                x = self.newest[0] - self.before
        x += self.before
        if self.newest is not None and x != self.newest[0]:
            self._keep(self.newest)
        self.newest = (x, value)

    def _keep(self, point: tuple[float, float]) -> None:
        self.skipped = (self.skipped + 1) % self.stride
        if self.skipped:
            return
        self.points.append(point)
        if len(self.points) > MOST_POINTS:  # an odd number: the last one stays
            self.points = self.points[::2]
            self.stride *= 2

    def curve(self) -> Curve:
        return Curve((*self.points, *([self.newest] if self.newest is not None else ())))


@dataclass
class Pace:
    """How fast a number grows, by what was seen of it."""

    marks: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MOST_MARKS))
    """(seconds, value): of about the last half of the time since it began."""
    began_s: float = 0.0

    def add(self, at_s: float, value: float) -> None:
        if self.marks and behind(value, self.marks[-1][1]):
            self.marks.clear()
        if self.marks and value <= self.marks[-1][1]:
            return
        if not self.marks:
            self.began_s = at_s
        if len(self.marks) > 1 and at_s - self.marks[-2][0] < max(MARK_EVERY_S, (at_s - self.began_s) / 100):
            self.marks.pop()
        self.marks.append((at_s, value))

    def speed(self, now_s: float) -> float | None:
        """Of the value, a second; None: not known yet."""
        if len(self.marks) < 2:
            return None
        (begin, first), (end, last) = self.marks[0], self.marks[-1]
        if end - begin < MARK_EVERY_S:
            return None  # so little says nothing: events come together that were not made together
        speed = (last - first) / (end - begin + (0.0 if self._as_usual(now_s) else now_s - end))
        return speed if 0 < speed < math.inf else None

    def remaining_s(self, until: float, now_s: float) -> float | None:
        """Seconds until the value is `until`; None: not known."""
        speed = self.speed(now_s)
        if speed is None:
            return None
        end, last = self.marks[-1]
        since = now_s - end if self._as_usual(now_s) else 0.0
        left = (until - last) / speed - max(0.0, since)
        return max(0.0, left) if left < math.inf else None

    def _as_usual(self, now_s: float) -> bool:
        usual = (self.marks[-1][0] - self.marks[0][0]) / (len(self.marks) - 1)
        return now_s - self.marks[-1][0] <= IDLE_GAPS * usual + IDLE_S
