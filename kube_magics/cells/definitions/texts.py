"""The texts of cells that travel: of each only the lines whose code does, under the name that a traceback shows."""

from __future__ import annotations

from collections.abc import Sequence
from types import CodeType
from typing import Any

from kube_magics.cells.analysis.syntax import normal
from kube_magics.cells.definitions.compare import FUTURE, codes
from kube_magics.cells.definitions.sources import imported
from kube_magics.cells.notebook import Cell, Notebook


class Texts:
    """`cells` of program.json, as they grow."""

    def __init__(self, notebook: Notebook) -> None:
        self.texts: dict[str, dict[str, Any]] = {}
        self.filenames: dict[str, str] = {}
        self._notebook = notebook
        self._names: dict[tuple[str, str], str] = {}

    def name(self, cell: Cell, *, future: bool) -> str:
        """The name of a cell's code in the job."""
        key = (cell.filename, cell.source)
        if key not in self._names:
            name, number = f"<{cell.label}>", 1
            while name in self.texts:
                number += 1
                name = f"<{cell.label} #{number}>"
            self._names[key] = name
            self.filenames[name] = cell.filename
            self.texts[name] = {
                "label": cell.label,
                "source": "",
                "future": ["annotations"] if future else [],
                "imported": sorted(imported(cell.source)),
                "commands": False,
                "shown": {},
            }
        return self._names[key]

    def write(self, name: str, first: int, lines: Sequence[str]) -> None:
        text = self.texts[name]["source"].split("\n")
        text += [""] * (first - 1 + len(lines) - len(text))
        text[first - 1 : first - 1 + len(lines)] = lines
        self.texts[name]["source"] = "\n".join(text)

    def file(self, code: CodeType) -> str:
        """The same for compiled code, whose lines then travel for tracebacks; of no cell: the name that it has."""
        cell = self._notebook.latest.get(code.co_filename)
        if cell is None:
            return code.co_filename
        name = self.name(cell, future=bool(code.co_flags & FUTURE))
        numbers = [number for each in [code, *codes(code)] for _, _, number in each.co_lines() if number]
        lines = normal(cell.source).split("\n")
        last = min(max(numbers, default=0), len(lines))
        if last >= code.co_firstlineno:
            self.write(name, code.co_firstlineno, lines[code.co_firstlineno - 1 : last])
        return name
