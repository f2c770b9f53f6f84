"""Links between the pages of this checkout, as a site of code shows them: without Sphinx, which sees only docs/."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.docs.blocks import CHECKOUT, DOCS, pages

PAGES = [
    *pages(),
    *(CHECKOUT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "hub-config/README.md")),
]
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """What a heading is linked to by: lower case, no punctuation, `-` for blanks."""
    found = (re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in _HEADING.findall(_FENCE.sub("", text)))
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page.name} links to {path}"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{page.name} links to {path}#{anchor}"


def test_every_page_is_linked_from_the_first_one_and_from_the_readme() -> None:
    for first in (DOCS / "index.md", CHECKOUT / "README.md"):
        linked = {(first.parent / path).resolve() for path, _ in _LINK.findall(first.read_text("utf-8"))}
        listed = set(re.findall(r"^[a-z]+$", first.read_text("utf-8"), re.MULTILINE))
        missing = [page.name for page in DOCS.glob("*.md") if page not in linked and page.stem not in listed]
        assert missing in ([], ["index.md"]), f"{first.name} does not link to {missing}"


def test_the_picture_can_be_read_in_light_and_dark() -> None:
    picture = (DOCS / "picture.svg").read_text("utf-8")
    root = ET.fromstring(picture)
    assert len(picture) < 8_000
    # Whatever the page behind it looks like: the panel and what stands on it change together.
    assert root.find("{http://www.w3.org/2000/svg}rect").get("class") == "panel"
    for scheme in (picture.partition("@media")[0], picture.partition("@media")[2]):
        panel = re.search(r"\.panel \{ fill: #(\w+)", scheme)[1]
        written = re.search(r"text \{[^}]*fill: #(\w+)", scheme)[1]
        assert contrast(panel, written) > 7


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio"""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
