"""How a `.cases` file is written, and read.

    One sentence about the file.

    ##### a title [cluster]
    x = 1                             a cell of the notebook that runs first
    ----- next
    y = 2                             another one
    ----- file tools/shapes.py
    SIDES = 3                         a file beside the notebook
    ----- job --returns z
    z = x + y                         the job: its line's options, and its cell
    ----- after
    z                                 expressions in the notebook afterwards

Without a word more, the job must do what its cell does when it runs plainly in the same notebook: the same output,
warnings, exception with the same lines, and the same values of the names of `--returns` and of the expressions.
Whatever must be different is stated, each in a section of its own, and then nothing is compared:

    ----- refused CaptureError        nothing is created; the error's class (any, if none is named), ...
    y cannot travel.*                 ... and an expression that is found in its message
    ----- raises JobFailed            the error and an expression for its message
    ----- prints                      the whole output

`----- after` then lists what must be true. `----- says` holds expressions, a line each, that are found in what
kube_magics itself prints; `----- quiet` is for those that are not found.

Words behind the title: `cluster`, one of the third that runs on the cluster every time; `local`, never on the cluster;
`alone`, in a kernel of its own, since it leaves more than names behind; `times`, numbers of seconds are not compared;
`needs 3.12`, of Python.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
_TITLE = re.compile(r"(?P<title>[^\[]+?)(?P<words>(?: \[[a-z0-9. ]+\])*)")
_SECTIONS = {"next", "file", "job", "after", "refused", "raises", "prints", "says", "quiet"}
_WORDS = {"cluster", "local", "alone", "times"}


@dataclass(frozen=True)
class Case:
    """One notebook with one job."""

    title: str
    cell: str
    """Below the `%%kubetrain` line."""
    options: str = ""
    cells: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    refused: bool = False
    """Before anything is created."""
    error: str | None = None
    """The class of the stated error; None: any, or none is stated."""
    message: str | None = None
    """An expression that its message matches."""
    prints: str | None = None
    says: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def stated(self) -> bool:
        """Its end is stated, not compared."""
        return self.message is not None or self.prints is not None

    @property
    def returns(self) -> tuple[str, ...]:
        found = re.search(r"--returns[= ](\S+)", self.options)
        return tuple(found[1].split(",")) if found else ()

    @property
    def python(self) -> tuple[int, ...]:
        """The oldest Python that it is for."""
        found = [word for word in self.words if word.startswith("needs ")]
        return tuple(map(int, found[0].removeprefix("needs ").split("."))) if found else ()


def themes() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.cases"))


def read(theme: str) -> dict[str, Case]:
    """The cases of `theme` that this Python can run, by title."""
    text = (FOLDER / f"{theme}.cases").read_text("utf-8")
    found: dict[str, Case] = {}
    for part in text.split("\n##### ")[1:]:
        case = _case(*part.split("\n", 1))
        if case.title in found:
            raise ValueError(f"{theme}: {case.title!r} twice")
        found[case.title] = case
    return {title: case for title, case in found.items() if sys.version_info >= case.python}


def _case(head: str, body: str) -> Case:
    match = _TITLE.fullmatch(head)
    words = frozenset(re.findall(r"\[([^\]]+)\]", match["words"])) if match else frozenset()
    if match is None or any(word not in _WORDS and not word.startswith("needs ") for word in words):
        raise ValueError(f"not a title: {head!r}")
    cells: list[str] = []
    files: dict[str, str] = {}
    sections: dict[str, tuple[str, str]] = {}
    for kind, argument, content in _parts(head, body):
        if kind == "next":
            cells += [content] if content else []
        elif kind == "file":
            files[argument] = content + "\n" if content else ""
        else:
            sections[kind] = (argument, content)
    options, cell = sections["job"]
    ended = sections.get("refused") or sections.get("raises")
    return Case(
        title=match["title"],
        cell=cell,
        options=options,
        cells=tuple(cells),
        files=files,
        words=words,
        refused="refused" in sections,
        error=(ended[0] or None) if ended else None,
        message=ended[1] if ended else None,
        prints=sections["prints"][1] if "prints" in sections else None,
        says=_lines(sections, "says"),
        quiet=_lines(sections, "quiet"),
        after=_lines(sections, "after"),
    )


def _parts(head: str, body: str) -> list[tuple[str, str, str]]:
    """(kind, argument, content) of each section; what stands before the first one is a cell."""
    found = []
    pieces = re.split(r"^----- (.*)\n", "----- next\n" + body, flags=re.MULTILINE)
    for line, content in zip(pieces[1::2], pieces[2::2], strict=True):
        kind, _, argument = line.strip().partition(" ")
        if kind not in _SECTIONS:
            raise ValueError(f"{head}: no section {kind!r}")
        found.append((kind, argument.strip(), content.strip("\n")))
    return found


def _lines(sections: dict[str, tuple[str, str]], kind: str) -> tuple[str, ...]:
    return tuple(line for line in sections.get(kind, ("", ""))[1].split("\n") if line.strip())
