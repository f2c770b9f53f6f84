"""What a module is: part of Python, installed, ours, or local to this notebook; which import statement brings a value.

The standard library is told by its names and its place, installed packages by site-packages and dist-packages folders;
everything else with a file (beside the notebook, on sys.path, an editable install) is local.
"""

from __future__ import annotations

import ast
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from kube_magics.cells.definitions.compare import static

Kind = Literal["stdlib", "installed", "ours", "local", "missing"]
OURS = "kube_magics"
IN_JOBS = frozenset({"report", "should_stop"})
"all that the kube_magics inside a job has"


def kind(name: str) -> Kind:
    """What the top-level package of a module name is here; importing nothing."""
    top = name.partition(".")[0]
    if top == OURS:
        return "ours"
    places = _places(top)
    if places is None:
        return "stdlib" if top in sys.stdlib_module_names else "missing"
    if not places:
        return "stdlib"
    if any(_installed(place) for place in places):
        return "local" if _in_a_local_portion(name, places) else "installed"
    if top in sys.stdlib_module_names and any(_within(place, _stdlib()) for place in places):
        return "stdlib"
    return "local"


def is_local_place(place: Path) -> bool:
    """Whether a file there is neither installed nor part of Python."""
    return not _installed(place) and not _within(place, _stdlib())


def _in_a_local_portion(name: str, places: Sequence[Path]) -> bool:
    """A namespace package may be spread over site-packages and a folder of the user's."""
    second = "".join(name.split(".")[1:2])
    portions = [place for place in places if place.is_dir() and not _installed(place)]
    return bool(second) and any((one / second).is_dir() or (one / f"{second}.py").is_file() for one in portions)


def _places(top: str) -> list[Path] | None:
    """Files or folders of a top-level module; none for a built-in one; None if there is no such module."""
    module = sys.modules.get(top)
    if module is not None:
        files = [getattr(module, "__file__", None)]
        if files == [None]:
            files = list(getattr(module, "__path__", ()))
        if not files and top not in sys.builtin_module_names and not _frozen(module):
            return [Path(f"<{top}>")]  # made by hand: has no file, so it is nothing that could be imported elsewhere
        return [Path(file).absolute() for file in files if file]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.origin in ("built-in", "frozen"):
        return []
    files = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return [Path(file).absolute() for file in files if file]


def _frozen(module: ModuleType) -> bool:
    spec = getattr(module, "__spec__", None)
    return spec is not None and spec.origin in ("built-in", "frozen")


@lru_cache(maxsize=1)
def _stdlib() -> tuple[Path, ...]:
    found = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    found.append(str(Path(ast.__file__).parent))
    return tuple({form for path in found if path for form in (Path(path).absolute(), Path(path).resolve())})


@lru_cache(maxsize=1)
def _sites() -> tuple[Path, ...]:
    found = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    found += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple({form for path in found if path for form in (Path(path).absolute(), Path(path).resolve())})


def _within(place: Path, folders: Iterable[Path]) -> bool:
    return any(place.is_relative_to(folder) for folder in folders)


def _installed(place: Path) -> bool:
    return _within(place, _sites()) or any(part in ("site-packages", "dist-packages") for part in place.parts)


def version(name: str) -> str | None:
    """The version of the distribution that brings a module; None for what no distribution brings."""
    return (provider(name) or "").rpartition("==")[2] or None


def provider(name: str) -> str | None:
    """The distribution that brings a module, and its version here: `scikit-learn==1.9.1`."""
    return _provider(name) if kind(name) == "installed" else None


def key(name: str) -> str:
    """What of a dotted name says which distribution brings it: its top, or of a namespace that many share
    (`google.cloud.storage`) the first module that has a file."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        part = ".".join(parts[:length])
        module = sys.modules.get(part)
        if module is None or getattr(module, "__file__", None) or not hasattr(module, "__path__"):
            return part if module is not None or length == 1 else parts[0]
    return parts[0]


@lru_cache(maxsize=256)
def _provider(name: str) -> str | None:
    top = name.partition(".")[0]
    # The distribution of the same name is tried first: asking all of them takes a tenth of a second.
    try:
        same = metadata.distribution(top)
    except (metadata.PackageNotFoundError, ValueError):
        same = None
    if same is None or not _brings(same, name):
        named = map(metadata.distribution, dict.fromkeys(metadata.packages_distributions().get(top, ())))
        same = next((found for found in named if name == top or _brings(found, name)), None)
    return f"{same.metadata['Name']}=={same.version}" if same is not None else None


def _brings(distribution: metadata.Distribution, name: str) -> bool:
    listed = (distribution.read_text("top_level.txt") or "").split()
    if listed and "." not in name:
        return name in listed
    path = tuple(name.split("."))
    ends = (path, (*path[:-1], f"{path[-1]}.py"))
    return any(file.parts[: len(path)] in ends for file in distribution.files or ())


# Import statements


def statements(tree: Iterable[ast.AST]) -> Iterator[tuple[str, str, object]]:
    """The imports written at the top level of some code: (name, statement that binds it, the value it binds here)."""
    for node in tree:
        for alias in getattr(node, "names", ()) if isinstance(node, ast.Import | ast.ImportFrom) else ():
            if isinstance(node, ast.ImportFrom):
                module = None if node.level else sys.modules.get(node.module or "")
                if module is not None and alias.name != "*":
                    name = alias.asname or alias.name
                    value = getattr(module, alias.name, sys.modules.get(f"{node.module}.{alias.name}"))
                    yield name, from_import(node.module or "", alias.name, name), value
            elif isinstance(node, ast.Import):
                imported = alias.name if alias.asname else alias.name.partition(".")[0]
                name = alias.asname or imported
                yield name, _import(imported, name), sys.modules.get(imported)


def starred(tree: Iterable[ast.AST]) -> Iterator[ModuleType]:
    """The modules of which some code imports `*`."""
    for node in tree:
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and not node.level:
            module = sys.modules.get(node.module or "")
            if module is not None:
                yield module


def public(module: ModuleType) -> frozenset[str]:
    """What `from module import *` binds."""
    listed = getattr(module, "__all__", None)
    return frozenset(listed if listed is not None else (name for name in dir(module) if not name.startswith("_")))


def _import(module: str, name: str) -> str:
    return f"import {module}" if module == name else f"import {module} as {name}"


def from_import(module: str, attribute: str, name: str) -> str:
    return f"from {module} import {attribute}" + ("" if attribute == name else f" as {name}")


def import_of_module(name: str, module: ModuleType) -> str | None:
    """The statement that binds a module to a name, or None if importing it gives something else."""
    actual = module.__name__
    return _import(actual, name) if sys.modules.get(actual) is module else None


def import_of_object(name: str, value: Any) -> str | None:
    """The statement that binds an importable function or class, from the most public place that has it; or None."""
    qualified = static(value, "__qualname__") or static(value, "__name__")
    module = static(value, "__module__")
    if not isinstance(qualified, str) or not isinstance(module, str) or "." in qualified:
        return None
    parts = module.split(".")
    public = [".".join(parts[: length + 1]) for length in range(len(parts))]
    for place in [place for place in public if not any(part.startswith("_") for part in place.split("."))] + [module]:
        found = sys.modules.get(place)
        if found is not None and getattr(found, qualified, None) is value:
            return from_import(place, qualified, name)
    return None


def submodules(module: ModuleType, chains: Iterable[tuple[str, ...]]) -> list[str]:
    """The submodules that dotted uses of a module (`sklearn.linear_model.Ridge`) need imported besides it."""
    found = set()
    for chain in chains:
        path = module.__name__
        for attribute in chain:
            path = f"{path}.{attribute}"
            inner = sys.modules.get(path)
            if inner is None or getattr(sys.modules.get(path.rpartition(".")[0]), attribute, None) is not inner:
                break
            found.add(path)
    return sorted(found)
