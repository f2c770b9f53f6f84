"""The local modules that travel: those that are imported, those that these import, and the packages they stand in.

A package travels whole, as long as its sources are small: it may import its own modules by names that are only known
when it runs (plugins, registries, a class path in a configuration), and half a package on sys.path would hide a whole
one that `--files` brings. Of a larger one, such as an editable install of a framework, travels what is imported by name
or loaded here: all of it would not fit into the cluster, and most of it is not used.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from kube_magics.cells.analysis.imports import Wanted, imports
from kube_magics.cells.definitions import modules
from kube_magics.cells.definitions.edited import edited
from kube_magics.cells.files.cargo import Carried
from kube_magics.cells.files.ignore import Ignores
from kube_magics.cells.files.locate import Located, Locator
from kube_magics.errors import CaptureError

OURS_IN_MODULES = modules.IN_JOBS | {"remote", "train", "Job"}
"A module may be written for both sides: in a job a function under @remote is itself, and train() is an error."
WHOLE_BYTES = 1024 * 1024
"Of sources: about the largest package that travels whole, packed to a quarter of it."
MOST_ENTRIES = 20_000
"Of a package's folder; in a larger one nobody looks for what might be imported."


@dataclass(frozen=True)
class LocalModules:
    """What travels, and what is to be said about it."""

    files: tuple[Carried, ...] = ()
    imports: frozenset[str] = frozenset()
    "top-level names that are surely imported when these are: installed packages are among them"
    warnings: tuple[str, ...] = ()


class LocalImports:
    """Collects the local modules that some code imports. Raises CaptureError for one that cannot travel."""

    def __init__(self, first: Sequence[str] = ()) -> None:
        self._locate = Locator(first)
        self._first = tuple(first)
        self._found: dict[str, Located] = {}
        self._sources: dict[str, bytes] = {}
        self._imports: dict[str, tuple[Wanted, ...]] = {}
        self._sure: set[str] = set()
        self._needed: set[str] = set()
        "found by an import that nobody is prepared to go without"
        self._kinds: dict[str, bool] = {}

    def add(self, wanted: Iterable[Wanted], by: str) -> None:
        """The modules that some code imports, with all that they import; `by` says whose code it is."""
        todo = [(each, by.replace("{line}", str(each.line))) for each in wanted]
        while todo:
            each, needed_by = todo.pop()
            _check_ours(each, needed_by)
            for name in self._names(each):
                if each.sure:
                    self._sure.add(name)
                for located in self._new(name, needed_by, optional=each.optional):
                    for one in self._imports[located.name]:
                        inner = replace(one, optional=True) if each.optional else one
                        todo.append((inner, f"{located.path}, line {one.line},"))

    def has(self, name: str) -> bool:
        """Whether that is one of them."""
        return name in self._found

    def result(self, set_here: Collection[str] = ()) -> LocalModules:
        """All of it; packages are completed now. `set_here`: attributes of modules that cells have set."""
        self._complete()
        files = [
            Carried(located.path, self._sources[name], str(located.file))
            for name, located in sorted(self._found.items())
            if located.file is not None
        ]
        return LocalModules(tuple(files), self._surely(), tuple(self._warnings(set_here)))

    def _names(self, wanted: Wanted) -> Iterator[str]:
        """The local modules that one import may mean: `from a import b` means a, and perhaps a.b."""
        if not self._local(wanted.module):
            return
        yield wanted.module
        yield from (f"{wanted.module}.{name}" for name in wanted.names if name != "*")

    def _local(self, name: str) -> bool:
        if name not in self._kinds:
            self._kinds[name] = self._is_local(name)
        return self._kinds[name]

    def _is_local(self, name: str) -> bool:
        if not self._first:
            return modules.kind(name) == "local"
        top = self._locate(name.partition(".")[0])
        places = [top.origin, *top.folders] if top is not None else []
        return any(modules.is_local_place(Path(place)) for place in places[:2] if place)

    def _new(self, name: str, by: str, *, optional: bool) -> Iterator[Located]:
        """The module and the packages around it, as far as they are not known yet, or now are needed."""
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            inner = ".".join(parts[:depth])
            located = self._locate(inner)
            if located is None:
                return  # an attribute of the module before it, or an error that the job shows as it would show here
            if located.problem:
                if optional:
                    return
                raise _cannot_travel(inner, located.problem, by)
            if inner in self._found and (optional or inner in self._needed):
                continue
            if (
                located.file is not None
                and inner not in self._sources
                and not self._read(located, by, optional=optional)
            ):
                return
            self._found[inner] = located
            if not optional:
                self._needed.add(inner)
            if located.file is not None:
                yield located

    def _read(self, located: Located, by: str, *, optional: bool) -> bool:
        assert located.file is not None
        package = located.name if located.package else located.name.rpartition(".")[0]
        try:
            source = located.file.read_bytes()
            self._imports[located.name] = _imports_of(source, str(located.file), package)
        except OSError as error:
            if optional:
                return False
            raise CaptureError(
                f"{by} needs the local module {located.name}, and {located.file} cannot be read: {error.strerror}.",
                hint="allow reading it (chmod), then run the cell again",
            ) from error
        except SyntaxError as error:
            if optional:
                return False
            raise CaptureError(
                f"{by} needs the local module {located.name}, which is no Python: {located.file}, line {error.lineno}:"
                f" {error.msg}.",
                hint="correct that line, then run the cell again",
            ) from error
        self._sources[located.name] = source
        return True

    def _complete(self) -> None:
        """Small packages whole, and of large ones what is loaded here; what of that cannot travel stays."""
        for top in sorted({self._package(name) for name in self._found} - {""}):
            located = self._found[top]
            beside = list(_modules_below(Path(located.folders[0]), top)) if located.folders else []
            whole = beside if sum(size for _, size in beside) <= WHOLE_BYTES else []
            loaded = () if self._first else (name for name in list(sys.modules) if name.startswith(top + "."))
            names = [*(name for name, _ in whole), *loaded]
            self.add((Wanted(name, optional=True) for name in sorted(names)), top)

    def _package(self, name: str) -> str:
        """The outermost package with code of its own that a module stands in; "" for a module by itself."""
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            located = self._found.get(".".join(parts[:depth]))
            if located is not None and located.package and located.file is not None:
                return located.name
        return ""

    def _surely(self) -> frozenset[str]:
        """The top-level modules that are imported whenever those are that the code itself imports surely."""
        todo = [name for name in self._sure if name in self._found]
        seen: set[str] = set()
        tops: set[str] = set()
        while todo:
            name = todo.pop()
            parts = name.split(".")
            above = [".".join(parts[:depth]) for depth in range(1, len(parts))]
            if name in seen:
                continue
            seen.add(name)
            todo += above
            for wanted in self._imports.get(name, ()):
                if wanted.sure:
                    tops.add(wanted.module.partition(".")[0])
                    todo += [inner for inner in self._names(wanted) if inner in self._found]
        return frozenset(tops)

    def _warnings(self, set_here: Collection[str]) -> Iterator[str]:
        if self._first:
            return
        changed = [
            located.path
            for name, located in sorted(self._found.items())
            if located.file is not None
            and name in sys.modules
            and edited(sys.modules[name], located.file, self._sources[name], set_here=set_here)
        ]
        if changed:
            one = len(changed) == 1
            verb, them, they = ("was", "it", "it travels") if one else ("were", "them", "they travel")
            yield (
                f"{', '.join(changed)} {verb} edited since this notebook imported {them}: {they} as on disk,"
                f" the notebook still has the older {'one' if one else 'ones'}"
            )


def _modules_below(folder: Path, package: str) -> Iterator[tuple[str, int]]:
    """The modules in a package's folder and their sizes, but for what a .kubeignore keeps back."""
    count = 0
    stack = [("", package, Ignores(folder))]
    while stack:
        path, name, rules = stack.pop()
        try:
            entries = sorted(os.scandir(folder / path), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            count += 1
            inner = f"{path}/{entry.name}" if path else entry.name
            stem = entry.name.removesuffix(".py")
            is_folder = entry.is_dir(follow_symlinks=False)
            if count > MOST_ENTRIES:
                yield package, WHOLE_BYTES + 1
                return
            if not stem.isidentifier() or rules.ignored(inner, folder=is_folder):
                continue
            if is_folder:
                stack.append((inner, f"{name}.{stem}", rules.below(inner)))
            elif entry.name != stem and entry.is_file() and stem != "__init__":
                yield f"{name}.{stem}", entry.stat().st_size
            elif entry.name != stem and entry.is_file() and path:
                yield name, entry.stat().st_size


@lru_cache(maxsize=2048)
def _imports_of(source: bytes, file: str, package: str) -> tuple[Wanted, ...]:
    try:
        calls = b"import_module" in source or b"__import__" in source
        return tuple(imports(ast.parse(source, file).body, package, calls=calls))
    except ValueError as error:  # null bytes
        raise SyntaxError(str(error)) from error


def _check_ours(wanted: Wanted, by: str) -> None:
    """In a job `kube_magics` is one small module: what else a module imports of it at its top would end the job."""
    if wanted.module.partition(".")[0] != modules.OURS or not wanted.sure or wanted.optional:
        return
    absent = [wanted.module] if wanted.module != modules.OURS else sorted(set(wanted.names) - OURS_IN_MODULES)
    if absent:
        raise CaptureError(
            f"{by.rstrip(',')} cannot run in a job: of kube_magics only report, should_stop and remote work there, not"
            f" {absent[0]}.",
            hint=f"import {absent[0]} in the notebook, or inside the function that uses it",
        )


def _cannot_travel(name: str, problem: str, by: str) -> CaptureError:
    top = name.partition(".")[0]
    return CaptureError(
        f"{by} needs the local module {name}, which cannot travel: {problem}.",
        hint=f"install {top} as a package, here (%pip install, not -e) and in the image (--image with {top} in it)",
    )
