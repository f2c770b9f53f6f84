"""The cells' text for whoever asks linecache: tracebacks, warnings, inspect, debuggers.

linecache costs 7 ms where nothing has imported it yet, so its first import is waited for instead.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_cells: dict[str, str] = {}


def register(filename: str, source: str) -> None:
    """Let `filename` (no file, but what compile() was given) have this text."""
    if not _cells and "linecache" not in sys.modules:
        sys.meta_path.insert(0, _AtImport())
    _cells[filename] = source
    if "linecache" in sys.modules:
        _fill(sys.modules["linecache"])


def _fill(linecache: Any) -> None:
    for filename, source in _cells.items():
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)


class _AtImport:
    """Stands before the real finders until someone imports linecache, and then steps aside for good."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "linecache":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec: Any = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _Filling(spec.loader)
                return spec
        return None


class _Filling:
    """A loader that fills the cache of the module it has loaded."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _fill(module)
