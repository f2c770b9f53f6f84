"""Class attributes that no plain statement of the body gives: those of its branches and loops, and of a metaclass.

What they were computed from (a random number, a counter, a loop's end that is another one now) need not give the same
again in the job: so it is set there to what it is.
"""

from __future__ import annotations

import ast
import dis
import enum
import inspect
from collections.abc import Collection, Iterator, Mapping
from types import CodeType

from kube_magics.cells.analysis.names import class_scope
from kube_magics.cells.definitions.changes import Difference
from kube_magics.cells.definitions.compare import functions_inside, is_data

_UNCHANGING = (bool, int, float, complex, str, bytes, type(None), tuple, frozenset)
_STORING = ("setattr", "__setattr__", "update", "__dict__", "vars")


def made_otherwise(
    value: type, node: ast.ClassDef, plain: Collection[str], namespace: Mapping[str, object]
) -> Iterator[Difference]:
    """`plain`: names that statements of the body bind by themselves; `namespace`: the notebook's."""
    inner = class_scope(node).locals - set(plain)
    for name, live in list(vars(value).items()):
        if name in inner and is_data(live):
            yield Difference(name, live, sure=False)
    if _has_own_metaclass(value):
        yield from _given(value, inner | set(plain), namespace)


def _given(value: type, written: Collection[str], namespace: Mapping[str, object]) -> Iterator[Difference]:
    """What stands in a class of the notebook's own metaclass besides what is `written` in its body."""
    mentioned, open_ended = _mentioned(type(value))
    # A list that others hold too stays the one that the metaclass finds or makes in the job.
    held = {id(item) for kind in [*inspect.getmro(type(value)), *value.__mro__[1:]] for item in vars(kind).values()}
    held |= {id(item) for item in namespace.values()}
    for name, live in list(vars(value).items()):
        if name in written or name.startswith("__") or hasattr(type(live), "__get__"):
            continue
        free = isinstance(live, _UNCHANGING) or id(live) not in held
        if name not in mentioned or (free and is_data(live)):
            yield Difference(name, live, sure=name not in mentioned and not open_ended)


def _mentioned(metaclass: type) -> tuple[frozenset[str], bool]:
    """All names and strings in the metaclass's own functions: what it may put into a class; and whether it may put in
    what it does not name."""
    todo = [
        getattr(function, "__code__", None)
        for kind in inspect.getmro(metaclass)
        for each in vars(kind).values()
        for function in functions_inside(each)
    ]
    found: set[str] = set()
    stores = False
    while todo:
        code = todo.pop()
        if isinstance(code, CodeType):
            stores = stores or any(each.opname == "STORE_SUBSCR" for each in dis.get_instructions(code))
            found.update(code.co_names, (each for each in code.co_consts if isinstance(each, str)))
            todo += code.co_consts
    return frozenset(found), stores or not found.isdisjoint(_STORING)


def _has_own_metaclass(value: type) -> bool:
    """One of the notebook's, which lets attributes be set."""
    kind = type(value)
    return (
        kind.__module__ == value.__module__
        and not issubclass(kind, enum.EnumMeta)
        and kind.__setattr__ is type.__setattr__
    )


def is_hooked(value: object, module: str) -> bool:
    """Whether making a subclass of it, or a class by it, runs code that stands in the notebook, or is refused."""
    if not isinstance(value, type):
        return False
    if isinstance(value, enum.EnumMeta) and value.__members__:
        return True  # only an enumeration without members may be extended
    hooks = [vars(base).get("__init_subclass__") for base in value.__mro__]
    metaclasses = [value, type(value)]
    return any(_is_of(hook, module) for hook in hooks) or any(
        issubclass(kind, type) and kind.__module__ == module for kind in metaclasses
    )


def _is_of(hook: object, module: str) -> bool:
    return getattr(getattr(hook, "__func__", hook), "__module__", None) == module
