"""The cells' text for whoever asks linecache: tracebacks, warnings, inspect, debuggers.

linecache costs 7 ms where nothing has imported it yet, so its first import is waited for instead.
"""

from __future__ import annotations

import sys

from .afterimport import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_cells: dict[str, str] = {}


def register(filename: str, source: str) -> None:
    """Let `filename` (no file, but what compile() was given) have this text."""
    first = not _cells
    _cells[filename] = source
    if first or "linecache" in sys.modules:
        when_imported("linecache", _fill)


def _fill(linecache: Any) -> None:
    for filename, source in _cells.items():
        whole = source if source.endswith("\n") else source + "\n"
        linecache.cache[filename] = (len(whole), None, whole.splitlines(True), filename)
