"""A job's card as HTML: plain elements and inline styles, which JupyterLab keeps also of a notebook it does not trust.

Words say everything; colours and signs only repeat it. Lists and tables with headers are what a screen reader is told.
JupyterLab's sanitizer drops SVG, roles and `aria-…`: the small curves are text there, and their figures stand beside
them.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from kube_magics.telemetry.card import Card
from kube_magics.telemetry.cardwords import (
    LATELY,
    SO_FAR,
    Step,
    facts,
    metrics,
    place,
    plain,
    progress,
    reported,
    strip,
    table,
    title,
)
from kube_magics.telemetry.curves import Curve
from kube_magics.telemetry.progress import digits
from kube_magics.widgets.colours import CALM, PHASES
from kube_magics.widgets.curve import curve_svg

_LIST = "list-style-type:none;margin:6px 0px;padding:0px;display:flex;flex-wrap:wrap"
_CELL = "text-align:left;padding:2px 12px 2px 0px"
_EMPHASIS = {"now": "strong", "ahead": "em"}


def card_html(card: Card) -> str:
    """The card; every text in it is escaped."""
    used = _measured("what it uses", table(card))
    told = _measured("what it reports", metrics(card), reported(card))
    return "".join((_title(card), _stages(strip(card)), _progress(card), told, used, _facts(facts(card))))


def _title(card: Card) -> str:
    chip = f"{PHASES.get(card.phase, CALM).style};padding:1px 8px;border-radius:8px"
    name, status = _text(card.name), _text(title(card))
    return f'<div><strong>job {name}</strong> <span style="{chip}">{status}</span> {_text(place(card))}</div>'


def _stages(steps: Sequence[Step]) -> str:
    return f'<ol style="{_LIST}">{"".join(map(_step, steps))}</ol>' if steps else ""


def _step(step: Step) -> str:
    what, tag = f"{step.sign} {_text(step.said)}", _EMPHASIS.get(step.state)
    return f'<li style="margin:0px 14px 0px 0px">{f"<{tag}>{what}</{tag}>" if tag else what}</li>'


def _progress(card: Card) -> str:
    said, told = progress(card), card.progress
    if not said or told is None:
        return ""
    percent = None if told.fraction is None else str(int(100 * told.fraction))
    bar = f'<progress max="100" value="{percent}" title="{percent} %"></progress> ' if percent else ""
    return f"<div>{bar}{_text(said)}</div>"


def _measured(caption: str, table: Sequence[Sequence[str]], curves: Mapping[str, Curve] | None = None) -> str:
    """A table whose first row is its heading; columns of curves are known by theirs."""
    if not table:
        return ""
    titles, *rows = table
    head = "".join(f'<th scope="col" style="{_CELL}">{each}</th>' for each in titles)
    body = [_row(titles, each, (curves or {}).get(each[0])) for each in rows]
    return _table(caption, f"<thead><tr>{head}</tr></thead>", body)


def _row(titles: Sequence[str], row: Sequence[str], curve: Curve | None) -> str:
    name, *cells = row
    return _cells(name, *(_cell(name, title, each, curve) for title, each in zip(titles[1:], cells, strict=True)))


def _cell(name: str, title: str, cell: str, curve: Curve | None) -> str:
    if title not in (LATELY, SO_FAR) or not cell:
        return _text(cell)
    label = f"{_text(name)} {title}"
    if curve is None:
        # Blocks are nothing to read out; where that wish is dropped, the title tells what they are.
        return f'<span aria-hidden="true" title="{label}">{cell}</span>'
    from_to = f"{label}: from {digits(curve.points[0][1])} to {digits(curve.last)}"
    return f'<span title="{label}">{curve_svg(curve.points, from_to, cell)}</span>'


def _facts(found: Mapping[str, str]) -> str:
    return _table("what is known of it", "", [_cells(name, _text(value)) for name, value in found.items()])


def _cells(name: str, *cells: str) -> str:
    row = "".join(f'<td style="{_CELL}">{each}</td>' for each in cells)
    return f'<tr><th scope="row" style="{_CELL}">{_text(name)}</th>{row}</tr>'


def _table(caption: str, head: str, body: Sequence[str]) -> str:
    if not body:
        return ""
    above = f'<caption style="{_CELL}">{caption}</caption>{head}'
    return f'<table style="margin:0px 0px 6px 0px">{above}<tbody>{"".join(body)}</tbody></table>'


def _text(text: str) -> str:
    return html.escape(plain(text))
