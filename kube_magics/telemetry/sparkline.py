"""A small curve as text: what every sanitizer keeps, and what has the colour of the text around it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
NOTHING = "·"
"""Unknown."""


def sparkline(points: Sequence[float | None], top: float) -> str:
    """A block a point, of eight heights from 0 to `top`."""
    return "".join(NOTHING if each is None else _block(each, top) for each in points)


def _block(value: float, top: float) -> str:
    share = min(1.0, max(0.0, value / top)) if top > 0 else 0.0
    return BLOCKS[min(len(BLOCKS) - 1, int(share * len(BLOCKS)))]
