"""What code without source looks up: the names its functions will ask `__main__` for, and the submodules they use."""

from __future__ import annotations

import dis
import functools
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kube_magics.cells.analysis.names import Later
from kube_magics.cells.definitions.compare import codes, first, functions_inside, static

_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_STORES = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL"})
LOOKED_AT = 200
"Parts of one value that are searched for functions: a list of a million numbers holds none."


@functools.lru_cache(maxsize=1024)
def looked_up(code: types.CodeType) -> tuple[frozenset[str], frozenset[str]]:
    reads: set[str] = set()
    stores: set[str] = set()
    for each in [code, *codes(code)]:
        for instruction in dis.get_instructions(each):
            if instruction.opname in _READS:
                reads.add(instruction.argval)
            elif instruction.opname in _STORES:
                stores.add(instruction.argval)
    return frozenset(reads), frozenset(stores)


def later(functions: Iterable[types.FunctionType], namespace: Mapping[str, Any]) -> Later:
    """What these functions look up in the notebook when they are called; those of other modules ask their own."""
    found = Later()
    for function in functions:
        if function.__globals__ is namespace:
            reads, stores = looked_up(function.__code__)
            found.reads |= reads
            found.stores |= stores
    return found


def functions_in(value: object, module: str) -> Iterator[types.FunctionType]:
    """Functions that a value holds: itself, in containers, partials, methods, instances, and classes of `module`."""
    seen: set[int] = set()
    found: dict[int, types.FunctionType] = {}
    queue: deque[object] = deque([value])
    while queue and len(seen) < LOOKED_AT:
        current = queue.popleft()
        if id(current) not in seen:
            seen.add(id(current))
            if callable(current) or isinstance(current, _DESCRIPTORS):
                found.update((id(function), function) for function in functions_inside(current, 3))
            queue += _inside(current, module)
    yield from found.values()


_DESCRIPTORS = (property, staticmethod, classmethod, functools.cached_property)
_ATOMS = (int, float, str, bytes, bool, type(None), types.ModuleType)


def _inside(value: Any, module: str) -> list[object]:
    if isinstance(value, dict):
        parts: list[object] = [*first(value.values(), LOOKED_AT), *first(value, LOOKED_AT)]
    elif isinstance(value, list | tuple | deque | set | frozenset):
        parts = first(value, LOOKED_AT)
    elif isinstance(value, type):
        parts = [*vars(value).values(), *value.__bases__] if value.__module__ == module else []
    elif isinstance(value, functools.partial):
        parts = [value.func, *value.args, *value.keywords.values()]
    elif isinstance(value, types.FunctionType):
        cells = [cell for cell in value.__closure__ or () if _filled(cell)]
        parts = [*(cell.cell_contents for cell in cells), *(value.__defaults__ or ()), *vars(value).values()]
    elif isinstance(value, types.MethodType):
        parts = [value.__func__, value.__self__]
    else:
        attributes = static(value, "__dict__")
        parts = first(attributes.values(), LOOKED_AT) if isinstance(attributes, dict) else []
        if type(value).__module__ == module:
            parts.append(type(value))
    return [part for part in parts if not isinstance(part, _ATOMS)]


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asking is the test
    except ValueError:
        return False
    return True


def chains(functions: Iterable[types.FunctionType], namespace: Mapping[str, Any]) -> dict[str, set[tuple[str, ...]]]:
    """Submodules that code may reach through a module's name, like `checks.chains` of a text: code keeps its names,
    not how they were dotted, so every loaded submodule whose parts it names counts."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for function in functions:
        if function.__globals__ is not namespace:
            continue
        reads, _ = looked_up(function.__code__)
        names = {name for code in [function.__code__, *codes(function.__code__)] for name in code.co_names}
        for name in reads:
            module = namespace.get(name)
            if isinstance(module, types.ModuleType):
                prefix = module.__name__ + "."
                inner = (each[len(prefix) :].split(".") for each in list(sys.modules) if each.startswith(prefix))
                found.setdefault(name, set()).update(tuple(parts) for parts in inner if names.issuperset(parts))
    return found


def imported(functions: Iterable[types.FunctionType]) -> set[str]:
    """Modules that import statements inside these functions name; not relative ones."""
    found: set[str] = set()
    for function in functions:
        for code in [function.__code__, *codes(function.__code__)]:
            found |= {str(each.argval) for each in dis.get_instructions(code) if each.opname == "IMPORT_NAME"}
    return {name for name in found if name}
