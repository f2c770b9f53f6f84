"""A small curve as SVG without a script, in the colour of the text around it; where no SVG is kept, as text.

Sanitizers (JupyterLab's of a notebook that it does not trust, nbconvert's, GitHub's) drop the elements of SVG and keep
what is written in them. So the same curve stands in it as blocks, where no browser shows it and no screen reader is
told of it: in `metadata`. `desc` and `title` would be read out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

WIDTH, HEIGHT = 240, 40
"""In half pixels: whole numbers are the shortest."""
EDGE = 3
"""So that no line is cut."""
COLUMN = 4
"""Of all points within it the least and the greatest are drawn: a single spike is seen."""

Place = tuple[int, int | None]
"""Of a point; None: it has no height."""


def curve_svg(points: Sequence[tuple[float, float]], label: str, blocks: str) -> str:
    """`points` as (x, value), oldest first, from their least value to their greatest; `label` and `blocks`, both HTML
    already, say the same to who does not see it."""
    size = f'width="{WIDTH // 2}" height="{HEIGHT // 2}" viewBox="0 0 {WIDTH} {HEIGHT}" style="vertical-align:middle"'
    pen = 'fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"'
    path = f'<path d="{_path(points)}" {pen}></path>'
    return f'<svg {size} role="img" aria-label="{label}"><metadata>{blocks}</metadata>{path}</svg>'


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line for each run of points that have a height; a point by itself is a dot."""
    found = []
    for drawn, run in groupby(_thinned(points), key=lambda place: place[1] is not None):
        places = [f"{across} {down}" for across, down in run]
        if drawn:
            found.append(f"M{places[0]}" + (f"L{' '.join(places[1:])}" if places[1:] else "h0"))
    return "".join(found)


def _thinned(points: Sequence[tuple[float, float]]) -> Iterator[Place]:
    for _, group in groupby(_placed(points), key=lambda place: place[0] // COLUMN):
        places = [*group]
        drawn = [each for each in places if each[1] is not None]
        ends = {min(drawn, key=_down), max(drawn, key=_down)} if drawn else set()
        yield from (each for each in dict.fromkeys(places) if each[1] is None or each in ends)


def _placed(points: Sequence[tuple[float, float]]) -> Iterator[Place]:
    finite = [value for _, value in points if math.isfinite(value)]
    across = _scale(points[0][0], points[-1][0], WIDTH)
    down = _scale(max(finite, default=0.0), min(finite, default=0.0), HEIGHT)
    for x, value in points:
        yield across(x), down(value) if math.isfinite(value) else None


def _scale(start: float, end: float, length: int) -> Callable[[float], int]:
    """Where a value is between the edges; in the middle where all values are the same."""
    half, span, inner = start / 2, end / 2 - start / 2, length - 2 * EDGE  # halves: the whole may overflow
    if not span or not math.isfinite(span):
        return lambda _: length // 2
    return lambda value: round(EDGE + (value / 2 - half) / span * inner)


def _down(place: Place) -> int:
    return place[1] or 0
