"""What an executed notebook shows and holds, and whether two of them tell the same."""

from __future__ import annotations

import json
import re
import struct
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field

import nbformat
import pytest

from tests.notebooks.notebooks import plain

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_TIMES = re.compile(r"^(?:CPU times|Wall time): .*\n", re.MULTILINE)
_FULL_BAR = re.compile(r"([\w ]+): 100%\|.*?\| (\d+)/\2 ")
_BEFORE = re.compile(r"\Ajob \S+ on .*\n(?:.*\n)*?travels: .*\n")
_AFTER = re.compile(r"^job \S+ done in .*\n(?:.*\n)*\Z", re.MULTILINE)


@dataclass
class Shown:
    """What stands under one cell."""

    text: str = ""
    """stdout, and what was displayed, as text."""
    pictures: list[tuple[int, int]] = field(default_factory=list)
    """Width and height of each, in pixels."""
    bars: set[tuple[str, str]] = field(default_factory=set)
    """(name, count) of each progress bar that came to its end."""
    stderr: str = ""


def errors(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """The errors of all cells, as text."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                yield plain("\n".join([*output.traceback, f"--- {cell.source}"]))


def shown(cell: nbformat.NotebookNode) -> Shown:
    found = Shown()
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            found.stderr += output.text
        elif output.output_type == "stream":
            found.text += output.text
        elif "kube_magics" in output.metadata:
            continue  # the card, which a plain notebook has not
        elif "application/vnd.jupyter.widget-view+json" in output.data:
            continue  # a bar as a widget, which a job has as text
        elif "image/png" in output.data:
            # A PNG's first chunk begins with its size.
            found.pictures.append(struct.unpack(">II", b64decode(output.data["image/png"])[16:24]))
        else:
            found.text += output.data["text/plain"] + "\n"
    found.bars = set(_FULL_BAR.findall(found.stderr))
    found.text = _TIMES.sub("", found.text)
    return found


def shown_by_job(cell: nbformat.NotebookNode) -> Shown:
    """Without the lines that tell of the job itself, which must be there."""
    found = shown(cell)
    found.text, before = _BEFORE.subn("", found.text)
    found.text, after = _AFTER.subn("", found.text)
    assert (before, after) == (1, 1), f"not the output of a job that has ended:\n{found}\n{cell.source}"
    return found


def values(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """The answers of the cell that `versions` has appended."""
    answers: dict[str, str] = json.loads(shown(notebook.cells[-1]).text.splitlines()[-1])
    return answers


def same(one: str, other: str, tolerance: float) -> bool:
    """Equal texts; with a tolerance, equal but for the numbers, which are close."""
    if not tolerance:
        return one == other
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    numbers = [[float(number) for number in _NUMBER.findall(text)] for text in (one, other)]
    return numbers[0] == pytest.approx(numbers[1], rel=tolerance, abs=tolerance)
