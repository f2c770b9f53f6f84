"""Where a local module's code is: the file that would be imported, found without importing anything."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
import zipimport
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True)
class Located:
    """What an import of that name finds."""

    name: str
    file: Path | None = None
    "the source; None for a namespace package, and for what cannot travel"
    package: bool = False
    folders: tuple[str, ...] = ()
    "of a package: where its modules are looked for"
    problem: str = ""
    "why it cannot travel as a file"
    origin: str = ""
    "what is imported, if that is a file of whatever kind"

    @property
    def path(self) -> str:
        """Where the source stands below a folder of sys.path."""
        return self.name.replace(".", "/") + ("/__init__.py" if self.package else ".py")


class Locator:
    """Modules by name; `first` are folders that stand before sys.path, as a script's own does.

    With `first`, what this process has imported counts for nothing: the script would start in a new one.
    """

    def __init__(self, first: Sequence[str] = ()) -> None:
        self._first = list(first)
        self._known: dict[str, Located | None] = {}

    def __call__(self, name: str) -> Located | None:
        """None: there is no module of that name."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> Located | None:
        live = None if self._first else sys.modules.get(name)
        if live is not None:
            return _of_module(name, live)
        parent = name.rpartition(".")[0]
        try:
            if parent:
                above = self(parent)
                spec = _below(name, above.folders) if above else None
            else:
                own = PathFinder.find_spec(name, self._first) if self._first else None
                # A mere folder of that name is a package only where nothing else is.
                spec = own if own is not None and own.loader is not None else _top(name) or own
        except (ImportError, ValueError, AttributeError):
            return None
        return _of_spec(name, spec) if spec is not None else None


def _top(name: str) -> ModuleSpec | None:
    live = sys.modules.get(name)
    if live is not None:
        return live.__spec__ or (PathFinder.find_spec(name) if getattr(live, "__file__", None) else None)
    return importlib.util.find_spec(name)


def _below(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    """As PathFinder, which finds no namespace package inside a package that is not imported."""
    portions: list[str] = []
    for folder in folders:
        finder = pkgutil.get_importer(folder)
        spec = finder.find_spec(name) if finder is not None else None
        if spec is not None and spec.loader is not None:
            return spec
        portions += (spec.submodule_search_locations or []) if spec is not None else []
    if not portions:
        return None
    found = ModuleSpec(name, None, is_package=True)
    found.submodule_search_locations = portions
    return found


def _of_module(name: str, module: ModuleType) -> Located:
    spec = getattr(module, "__spec__", None)
    file = getattr(module, "__file__", None)
    folders = tuple(map(str, getattr(module, "__path__", ())))
    if isinstance(file, str):
        return _located(name, file, folders, getattr(spec, "loader", None))
    if folders:
        return Located(name, package=True, folders=folders)
    if spec is not None and spec.origin in ("built-in", "frozen"):
        return Located(name, problem="it is built into this interpreter")
    return Located(name, problem="it was made by hand, in no file")


def _of_spec(name: str, spec: ModuleSpec) -> Located:
    folders = tuple(map(str, spec.submodule_search_locations or ()))
    if spec.origin in ("built-in", "frozen"):
        return Located(name, problem="it is built into this interpreter")
    if spec.origin and spec.has_location:
        return _located(name, spec.origin, folders, spec.loader)
    return Located(name, package=True, folders=folders)


def _located(name: str, file: str, folders: tuple[str, ...], loader: object) -> Located:
    path, package = Path(file).absolute(), bool(folders)
    problem = _problem(path, loader)
    return Located(name, None if problem else path, package, folders, problem, str(path))


def _problem(path: Path, loader: object) -> str:
    if isinstance(loader, zipimport.zipimporter):
        return f"it is imported from the archive {loader.archive}"
    if path.name.endswith(tuple(EXTENSION_SUFFIXES)):
        return f"it is a compiled extension ({path.name})"
    if path.suffix in BYTECODE_SUFFIXES:
        return f"it is there without its source ({path.name})"
    if not path.is_file():
        return f"its file is gone ({path})"
    return "" if path.suffix in SOURCE_SUFFIXES else f"it is no Python file ({path.name})"
