"""A metric over time, in bounded memory: what a small curve needs, whatever a job reports. Pure."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

MOST_POINTS = 256
"""Of a curve; one that has more keeps every second of its older ones, so that it still begins where it began."""
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


@dataclass
class History:
    """Collects a curve. Of two values at the same x the newer counts."""

    points: list[tuple[float, float]] = field(default_factory=list)

    def add(self, x: float, value: float) -> None:
        if self.points and x < self.points[-1][0]:
            # The job has begun again: what it draws anew replaces what was there from here on.
            self.points = [point for point in self.points if point[0] < x]
        if self.points and self.points[-1][0] == x:
            self.points.pop()
        self.points.append((x, value))
        if len(self.points) > MOST_POINTS:
            self.points = [*self.points[:-1:2], self.points[-1]]

    def curve(self) -> Curve:
        return Curve(tuple(self.points))


@dataclass
class Pace:
    """How fast a number grows, by what was seen of it."""

    marks: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MOST_MARKS))
    """(seconds, value)."""

    def add(self, at_s: float, value: float) -> None:
        if self.marks and value < self.marks[-1][1]:
            self.marks.clear()  # begun again
        if self.marks and value == self.marks[-1][1]:
            return
        if len(self.marks) > 1 and at_s - self.marks[-2][0] < MARK_EVERY_S:
            self.marks.pop()
        self.marks.append((at_s, value))

    def speed(self, now_s: float) -> float | None:
        """Of the value, a second; None: not known yet."""
        if len(self.marks) < 2:
            return None
        (begin, first), (end, last) = self.marks[0], self.marks[-1]
        took = end - begin + (0.0 if self._as_usual(now_s) else now_s - end)
        speed = (last - first) / took if took > 0 else math.inf
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
