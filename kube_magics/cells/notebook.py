"""The notebook as the rest sees it: its names, and the cells that made them."""

from __future__ import annotations

import linecache
import re
import weakref
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

_FUTURE = re.compile(r"^from __future__ import .*\bannotations\b", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """One executed cell."""

    filename: str
    "the name that its code was compiled with, as in a traceback and in linecache"
    label: str
    "as the user knows it: In [3]"
    source: str
    "the text that was compiled (magics already turned into calls); a job's cell begins with its %% line"


@dataclass(frozen=True)
class Notebook:
    """Where a cell takes what it does not define."""

    namespace: Mapping[str, Any]
    module: str = "__main__"
    "the __module__ of what the notebook's cells define"
    cells: tuple[Cell, ...] = ()
    "in the order of execution; a cell that ran twice stands there twice"
    label: str | None = None
    "of the cell that runs now: In [5]"
    python: Callable[[str], str] = str
    "what IPython makes of `!`, `%` and `?` in a text, every line staying where it is"

    @cached_property
    def latest(self) -> dict[str, Cell]:
        """Each cell once, by filename, in the order of its last execution; without cells, the script that runs."""
        found: dict[str, Cell] = {}
        script = self.namespace.get("__file__")
        if not self.cells and isinstance(script, str):
            found[script] = Cell(script, PurePath(script).name, "".join(linecache.getlines(script)))
        for cell in self.cells:
            found.pop(cell.filename, None)
            found[cell.filename] = cell
        return found

    def future(self, cell: Cell | None) -> bool:
        """Whether annotations were not evaluated in that cell (None: the one that runs now); IPython keeps the
        `from __future__` imports of earlier cells."""
        if cell is not None and (cell.source.startswith("%%") or not self.cells):
            return _FUTURE.search(cell.source) is not None
        for each in self.cells:
            if _FUTURE.search(each.source) and not each.source.startswith("%%"):
                return True
            if cell is not None and each == cell:
                return False
        return False


class Placed:
    """The definitions that results brought from a job's cell into a notebook, with the cell each came from.

    The notebook never compiled these cells itself, so nothing else knows their source.
    """

    def __init__(self) -> None:
        self._cells: weakref.WeakKeyDictionary[Any, Cell] = weakref.WeakKeyDictionary()

    def add(self, value: object, cell: Cell) -> None:
        try:
            self._cells[value] = cell
        except TypeError:  # cannot be weakly referenced or hashed: then it is found by its code alone
            return

    def cell(self, value: object) -> Cell | None:
        try:
            return self._cells.get(value)
        except TypeError:
            return None


PLACED = Placed()


@dataclass(frozen=True)
class Sent:
    """What tells one cell of a notebook from another, also when it has been edited."""

    text: str
    id: str | None = None
    """The front end's."""
    session: str | None = None
    """Of the front end that sent it."""
    sent_at: float | None = None
    """Seconds, by the front end's clock."""

    @property
    def lines(self) -> tuple[int, ...]:
        stripped = (line.strip() for line in self.text.splitlines())
        return tuple(zlib.crc32(line.encode("utf-8", "surrogatepass")) for line in stripped if line)
