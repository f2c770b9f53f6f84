"""A small curve as text: what every sanitizer keeps, and what has the colour of the text around it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
NOTHING = "·"
"""Unknown."""


def sparkline(points: Sequence[float | None], top: float, bottom: float = 0.0) -> str:
    """A block a point, of eight heights from `bottom` to `top`."""
    return "".join(NOTHING if each is None else _block(each - bottom, top - bottom) for each in points)


def sampled(points: Sequence[float], most: int) -> str:
    """At most so many blocks, evenly over all of `points`, from the least of them to the greatest; NaN and infinities
    have no height."""
    chosen = [points[at * (len(points) - 1) // (most - 1)] for at in range(most)] if len(points) > most else points
    finite = [each for each in chosen if math.isfinite(each)]
    shown = [each if math.isfinite(each) else None for each in chosen]
    return sparkline(shown, max(finite, default=0.0), min(finite, default=0.0))


def _block(value: float, top: float) -> str:
    share = min(1.0, max(0.0, value / top)) if top > 0 else 0.0
    return BLOCKS[min(len(BLOCKS) - 1, int(share * len(BLOCKS)))]
