"""A part of a page as others than its eyes have it: what a screen reader is told, and what its colours are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from playwright.sync_api import Locator, Page

from tests.widgets.contrast import Colour, contrast

TOLD = {"StaticText", "progressbar", "image", "table", "caption", "row", "columnheader", "rowheader", "cell"}
TOLD |= {"list", "listitem"}
"""Roles that tell something; others only group them."""
_PLACE = "data-looked-at"
_COLOURS = """element => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
        if (!text || !parent.checkVisibility() || parent.closest('metadata')) continue;
        const behind = [];
        for (let each = parent; each; each = each.parentElement) behind.push(getComputedStyle(each).backgroundColor);
        found.push([text, getComputedStyle(parent).color, behind]);
    }
    return found;
}"""


def contrasts(part: Locator) -> dict[str, float]:
    """Of each text that is seen of `part`, in the colours that the browser has for it and what is behind it."""
    return {text: _contrast(colour, behind) for text, colour, behind in part.evaluate(_COLOURS)}


def _contrast(colour: str, behind: list[str]) -> float:
    """`behind`: of the elements around the text, the nearest first; what is opaque covers the others."""
    ground: Colour = (255.0, 255.0, 255.0)
    for each in reversed(behind):
        ground = _over(each, ground)
    return contrast(_over(colour, ground), ground)


def _over(colour: str, ground: Colour) -> Colour:
    """What is seen of `rgb(…)` or `rgba(…)` before `ground`."""
    red, green, blue, *opacity = map(float, re.findall(r"[\d.]+", colour))
    share = opacity[0] if opacity else 1.0
    one, two, three = (share * of + (1 - share) * under for of, under in zip((red, green, blue), ground, strict=True))
    return one, two, three


def spoken(page: Page, part: Locator) -> str:
    """Chromium's own accessibility tree of `part`, a line each: role, name, value; what is in it stands below it."""
    part.evaluate(f"element => element.setAttribute('{_PLACE}', '')")
    session = page.context.new_cdp_session(page)
    found = session.send("Runtime.evaluate", {"expression": f"document.querySelector('[{_PLACE}]')"})
    nodes = session.send("Accessibility.queryAXTree", {"objectId": found["result"]["objectId"]})["nodes"]
    session.detach()
    part.evaluate(f"element => element.removeAttribute('{_PLACE}')")
    return "\n".join(_lines(nodes[0], {node["nodeId"]: node for node in nodes}, ""))


def _lines(node: Mapping[str, Any], by_id: Mapping[str, Any], indent: str, above: str = "") -> Iterator[str]:
    role, name, value = (str(node.get(each, {}).get("value", "")) for each in ("role", "name", "value"))
    told = not node.get("ignored") and role in TOLD
    if told and role != "StaticText":
        yield indent + " ".join(filter(None, (role, name, value)))
    elif told and name.strip() and name != above:  # else it is what its element is called by
        yield indent + name.strip()
    for child in node.get("childIds", ()) if role != "StaticText" else ():
        deeper = (indent + "  ", name) if told else (indent, above)
        yield from _lines(by_id[child], by_id, *deeper) if child in by_id else ()
