"""What IPython knows of the notebook, as `cells.Notebook`."""

from __future__ import annotations

import linecache
from typing import Any

from kube_magics.cells.notebook import Cell, Notebook


def read(shell: Any) -> Notebook:
    """The executed cells, in order, with the names that their code was compiled with."""
    # IPython's own map from a cell's file name to its number; the sources stand in linecache for its tracebacks.
    numbered = sorted(shell.compile._filename_map.items(), key=lambda item: item[1])  # noqa: SLF001 - no public way
    cells = tuple(Cell(name, f"In [{number}]", "".join(linecache.getlines(name))) for name, number in numbered)
    return Notebook(namespace=shell.user_ns, cells=cells, label=f"In [{_running(shell)}]")


def register_cell(shell: Any, source: str) -> str:
    """Let IPython know the running cell by its full text, so that tracebacks show its own lines; its file name."""
    return str(shell.compile.cache(source, _running(shell), raw_code=source))


def _running(shell: Any) -> int:
    """The number of the running cell; `execution_count` is that or one more, by version, so ask what was compiled."""
    return int(max(shell.compile._filename_map.values(), default=shell.execution_count))  # noqa: SLF001
