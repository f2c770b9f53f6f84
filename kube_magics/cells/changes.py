"""What has happened to a function or class since its statement: it travels behind the statement and is done again."""

from __future__ import annotations

import abc
import ast
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CellType, FunctionType, MappingProxyType
from typing import Any, Literal

from kube_magics.cells.compare import SCALAR, defaults, static

COLLECTIONS = (dict, list, set, defaultdict, deque, Counter, OrderedDict)
LARGEST = 100_000
"What definitions register themselves in is smaller: data of this length is not written twice."


@dataclass(frozen=True)
class Difference:
    """One thing in which a live object is not what its statement makes."""

    path: str
    'where, seen from the object: "n", "method.__defaults__"'
    live: object = None
    gone: bool = False
    "deleted since"
    code: bool = False
    "not only a value: the statement has other code there"
    sure: bool = True
    "False: what a call once gave, which need not have changed since"


@dataclass(frozen=True)
class Change:
    """What the job does to a definition once its statement has run."""

    how: Literal["set", "delete", "call", "fill"]
    path: str
    "of the attribute, or of the method to call: register(…) of ABCs and of singledispatch"
    value: object = None
    "to set; the arguments of a call; a dict, list or set with its content"
    sure: bool = True
    "False: a default that a call gave is what it is now, or, where that cannot travel, what the call gives in the job"


def of(differences: Iterable[Difference]) -> tuple[Change, ...]:
    return tuple(Change("delete" if each.gone else "set", each.path, each.live, each.sure) for each in differences)


def of_function(
    value: Any, function: FunctionType, node: ast.FunctionDef | ast.AsyncFunctionDef, namespace: Mapping[str, Any]
) -> tuple[Change, ...] | None:
    """Of `value`, which the statement's decorators made of `function`; None: they cannot be done again from outside."""
    found: list[Change] = []
    verdict = defaults(function, node, namespace)
    if verdict != "same":
        inner = [path for path in ("", "__wrapped__.") if function is (static(value, path[:-1]) if path else value)]
        if verdict == "changed" and not inner:
            return None
        found += [
            Change("set", f"{path}{name}", static(function, name), verdict == "changed")
            for path in inner[:1]
            for name in ("__defaults__", "__kwdefaults__")
        ]
    if value is function and not node.decorator_list:
        found += [Change("set", name, item) for name, item in labels(function, node)]
    attributes = static(value, "__dict__")
    for name, item in attributes.items() if isinstance(attributes, dict) else ():
        # What a decorator sets, too, is set again only where it cannot be shared with the decorator's own variables.
        if not node.decorator_list or (isinstance(item, SCALAR) and not name.startswith("__")):
            found.append(Change("set", name, item))
    return (*found, *_implementations(value))


def labels(value: Any, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[tuple[str, object]]:
    """Name and docstring, where they were set by hand."""
    if value.__name__ != node.name:
        yield "__name__", value.__name__
    written = ast.get_docstring(node, clean=False)
    if value.__doc__ not in (written, ast.get_docstring(node)):  # 3.13 cleans them
        yield "__doc__", value.__doc__


def fillings(value: object, module: str, depth: int = 3) -> Iterator[Change]:
    """The content of a dict, list or set, or of an object of `module`, and of those in it, once more: what definitions
    put into it again goes."""
    inside: list[object] = []
    if isinstance(value, FunctionType):
        inside = [cell.cell_contents for cell in value.__closure__ or () if cell != CellType()]
    elif type(value).__module__ == module and hasattr(value, "__dict__") and not isinstance(value, type):
        yield Change("fill", "", (value, dict(vars(value))), sure=False)  # its own __getstate__ may leave things out
        inside = list(vars(value).values())
    elif type(value) in COLLECTIONS and len(value) <= LARGEST:  # type: ignore[arg-type]
        inside = list(value.values()) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
        content = dict(value) if isinstance(value, dict) else list(inside)
        yield Change("fill", "", (value, content))
    for each in inside if depth else ():
        yield from fillings(each, module, depth - 1)


def _implementations(value: Any) -> Iterator[Change]:
    """What a function under @singledispatch was told since."""
    registry = static(value, "registry")
    if isinstance(registry, MappingProxyType) and callable(static(value, "dispatch")):
        yield from (Change("call", "register", (kind, made)) for kind, made in registry.items() if kind is not object)


def registered(value: type) -> Iterator[Change]:
    """Virtual subclasses that an abstract class was told of."""
    if isinstance(value, abc.ABCMeta):
        references = abc._get_dump(value)[0]  # type: ignore[attr-defined]  # noqa: SLF001 - the only way to ask
        found = [reference() for reference in references]
        yield from (Change("call", "register", (each,)) for each in found if each is not None)
