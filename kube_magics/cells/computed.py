"""Class attributes that no plain statement of the body gives: those of its branches and loops, and of a metaclass.

What they were computed from (a random number, a counter, a loop's end that is another one now) need not give the same
again in the job: so it is set there to what it is.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Collection, Iterator

from kube_magics.cells.changes import Difference
from kube_magics.cells.compare import is_data
from kube_magics.cells.names import class_scope

_UNCHANGING = (bool, int, float, complex, str, bytes, type(None), tuple, frozenset)


def made_otherwise(value: type, node: ast.ClassDef, plain: Collection[str]) -> Iterator[Difference]:
    """`plain`: names that statements of the body bind by themselves."""
    inner = class_scope(node).locals - set(plain)
    own = _has_own_metaclass(value)
    for name, live in list(vars(value).items()):
        given = own and name not in plain and not name.startswith("__") and isinstance(live, _UNCHANGING)
        if (name in inner or given) and is_data(live):
            yield Difference(name, live, sure=False)


def _has_own_metaclass(value: type) -> bool:
    """One of the notebook's, which lets attributes be set."""
    kind = type(value)
    return (
        kind.__module__ == value.__module__
        and not issubclass(kind, enum.EnumMeta)
        and kind.__setattr__ is type.__setattr__
    )


def is_hooked(value: object, module: str) -> bool:
    """Whether making a subclass of it, or a class by it, runs code that stands in the notebook."""
    if not isinstance(value, type):
        return False
    hooks = [vars(base).get("__init_subclass__") for base in value.__mro__]
    metaclasses = [value, type(value)]
    return any(_is_of(hook, module) for hook in hooks) or any(
        issubclass(kind, type) and kind.__module__ == module for kind in metaclasses
    )


def _is_of(hook: object, module: str) -> bool:
    return getattr(getattr(hook, "__func__", hook), "__module__", None) == module
