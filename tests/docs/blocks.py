"""The fenced blocks of a page, and what stands above each of them in a comment, which no reader sees.

```python       a cell of the page's one kernel
```bash         a program of bash, in the kernel's folder
```yaml         objects, which the cluster must take
```text         what the block before it shows: these lines, in this order, among others; `…` stands for anything

<!-- not run: REASON -->            nobody runs it
<!-- on the cluster -->             only where there is one; a text: `<!-- text: on the cluster -->`
<!-- raises: ERROR -->              the cell fails so; both: `<!-- on the cluster, raises: ERROR -->`
<!-- before, then lines, -->        a cell that is run, and not shown
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"
LANGUAGES = ("python", "bash", "yaml", "text")
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>(?!before)[^\n]*) -->\n)?^```(?P<language>\S*)\n(?P<text>.*?)^```$"
    r"|^<!-- before\n(?P<before>.*?)^-->$",
    re.MULTILINE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"\{\w+\}")
"""Sphinx' own, as a table of contents is."""


@dataclass(frozen=True)
class Block:
    """One of a page."""

    page: str
    line: int
    language: str
    """`before`: a cell that is not shown."""
    text: str
    mark: str = ""

    @property
    def cluster(self) -> bool:
        return "on the cluster" in self.mark or self.language == "yaml"

    @property
    def run(self) -> bool:
        return not self.mark.startswith("not run: ")

    @property
    def raises(self) -> str | None:
        _, found, error = self.mark.partition("raises: ")
        return error if found else None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Those that hold blocks for readers to type."""
    return [CHECKOUT / "README.md", *sorted(DOCS.glob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """In their order."""
    text = page.read_text("utf-8")
    name = page.relative_to(CHECKOUT).as_posix()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        if found["before"] is not None:
            yield Block(name, line, "before", found["before"])
        elif not _DIRECTIVE.fullmatch(found["language"]):
            yield Block(name, line, found["language"], found["text"], found["mark"] or "")


def absent(wanted: str, shown: str) -> str | None:
    """The first line of `wanted` that `shown` does not have behind the ones before it; None: all are there."""
    lines = iter(shown.splitlines())
    for line in wanted.splitlines():
        pattern = re.compile(".*".join(map(re.escape, line.rstrip().split("…"))))
        if not any(pattern.fullmatch(each.rstrip()) for each in lines):
            return line
    return None
