"""What has happened to a function or class since its statement: it travels behind the statement and is done again."""

from __future__ import annotations

import abc
import ast
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CellType, FunctionType, MappingProxyType
from typing import Any, Literal

from kube_magics.cells.analysis.names import mangle
from kube_magics.cells.definitions.compare import PLAIN, SCALAR, defaults, static

REGISTRIES = (dict, list, set, OrderedDict, defaultdict, deque)
"What definitions put themselves into."
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
        found += [Change("set", name, item, sure=False) for name, item in hints(function, node)]
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
    if value.__qualname__.rpartition(".")[2] != node.name:
        yield "__qualname__", value.__qualname__
    written = ast.get_docstring(node, clean=False)
    if value.__doc__ not in (written, ast.get_docstring(node)):  # 3.13 cleans them
        yield "__doc__", value.__doc__


def hints(value: Any, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[tuple[str, object]]:
    """Annotations, where some were added by hand, or removed."""
    live = static(value, "__annotations__")
    known = set(_hinted_in_class(node)) if isinstance(node, ast.ClassDef) else set(_hinted(node))
    if isinstance(live, dict) and live.keys() != known and {name.rpartition("__")[2] for name in live} != known:
        yield "__annotations__", dict(live)


def _hinted_in_class(node: ast.ClassDef) -> Iterator[str]:
    for each in node.body:
        for part in _of_body(each):
            if isinstance(part, ast.AnnAssign) and part.simple and isinstance(part.target, ast.Name):
                yield mangle(part.target.id, node.name)


def _hinted(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Without what makes a name private, which a class adds its own name to."""
    every = node.args
    rest = [each for each in (every.vararg, every.kwarg) if each is not None]
    for each in [*every.posonlyargs, *every.args, *every.kwonlyargs, *rest]:
        if each.annotation is not None:
            yield each.arg.rpartition("__")[2]
    if node.returns is not None:
        yield "return"


def _of_body(node: ast.stmt) -> Iterator[ast.AST]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.stmt):
                yield from _of_body(part)


def emptied(value: object, depth: int = 3) -> str:
    """An expression for a registry as it may have begun: what may have been put into it is missing, but not the
    registries in it, nor its plain keys."""
    kind = type(value)
    if depth and isinstance(value, dict):
        kept = {key: item for key, item in value.items() if isinstance(key, SCALAR) and _is_plain(item)}
        inner = "{" + ", ".join(f"{key!r}: {emptied(item, depth - 1)}" for key, item in kept.items()) + "}"
    else:
        inner = "" if kind in REGISTRIES else repr(value)
    if kind is dict or kind not in REGISTRIES:
        return inner
    if isinstance(value, defaultdict):
        factory = value.default_factory
        inner = f"{factory.__name__ if isinstance(factory, type) and factory in REGISTRIES[:3] else None}, {inner}"
    module = "" if kind in (list, set) else "__import__('collections')."
    return f"{module}{kind.__name__}({inner})"


def _is_plain(value: object) -> bool:
    return type(value) in REGISTRIES or (isinstance(value, SCALAR) and type(value) in PLAIN)


def plain_uses(node: ast.AST, name: str) -> list[str]:
    """Attributes of a class that are this name's value, if its statement evaluates the name for nothing else."""
    if not isinstance(node, ast.ClassDef):
        return []
    found = []
    others = [*node.decorator_list, *node.bases, *node.keywords]
    for each in node.body:
        match each:
            case ast.Assign(targets=[ast.Name(id=attribute)], value=ast.Name(id=of)) if of == name:
                found.append(mangle(attribute, node.name))
            case ast.AnnAssign(target=ast.Name(id=attribute), value=ast.Name(id=of)) if of == name:
                found.append(mangle(attribute, node.name))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                others += [*each.decorator_list, each.args]
            case _:
                others.append(each)
    used = any(isinstance(part, ast.Name) and part.id == name for other in others for part in ast.walk(other))
    return [] if used else found


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
