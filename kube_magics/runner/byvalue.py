"""How things without source are taken apart: each function here gives what `__reduce__` would, for a pickler.

Used where values leave the notebook (`cells/values/pickler.py`), and where they leave the job (`Returning`, keep.py).
Functions keep sharing what they shared: cells of closures, and their globals, which are names of `__main__` or of the
module they come from, never copies. Classes are taken apart by cloudpickle. What a call made (namedtuple, Enum,
TypeVar, TypedDict) is made by the same call again, which works across versions of Python.
"""

from __future__ import annotations

import functools
import sys
import types

from . import rebuild
from .pickling import exception, own_dict

try:
    from _pickle import Pickler, PicklingError
except ImportError:
    from pickle import Pickler, PicklingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .views import Views

    Reduced = tuple[Any, ...]

_ATTRIBUTES = ("__doc__", "__defaults__", "__kwdefaults__", "__annotations__", "__type_params__")
_CODE = (
    "co_argcount co_posonlyargcount co_kwonlyargcount co_nlocals co_stacksize co_flags co_code co_consts co_names"
    " co_varnames co_filename co_name co_qualname co_firstlineno co_linetable co_exceptiontable co_freevars co_cellvars"
).split()
_MADE = (
    "__module__ __qualname__ __doc__ __slots__ __annotations__ __orig_bases__ __match_args__ __firstlineno__"
    " __static_attributes__ __annotations_cache__ __dict__ __weakref__ __order__ __hash__"
).split()
TYPING = ("TypeVar", "ParamSpec", "TypeVarTuple", "NewType")
CACHED = type(functools.lru_cache(maxsize=1)(len))


class Globals:
    """Stands for the globals of a function: those of a module, or (None) its own."""

    def __init__(self, module: str | None) -> None:
        self.module = module

    def __reduce__(self) -> Reduced:
        if self.module is None:
            return rebuild.new_names, ()
        return rebuild.names_of, (self.module,)


def function(value: types.FunctionType, names: Globals) -> Reduced:
    found = {name: _attribute(value, name) for name in _ATTRIBUTES}
    state = {name: item for name, item in found.items() if item not in (None, (), {})}
    state.update({"__qualname__": value.__qualname__, "__name__": value.__name__, "__module__": value.__module__})
    if value.__dict__:
        state["__dict__"] = dict(value.__dict__)
    if names.module is None:
        wanted = [*sorted(_named(value.__code__)), "__name__", "__package__"]
        state["globals"] = {name: value.__globals__[name] for name in wanted if name in value.__globals__}
    return rebuild.function, (value.__code__, names, value.__closure__), state, None, None, rebuild.set_function


def _named(code: types.CodeType) -> set[str]:
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return set(code.co_names).union(*map(_named, inner))


def _attribute(value: types.FunctionType, name: str) -> Any:
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - annotations are evaluated when they are asked for (PEP 649), and may fail
        return None


def cell(value: types.CellType) -> Reduced:
    try:
        content = (value.cell_contents,)
    except ValueError:  # not bound yet
        return rebuild.cell, ()
    return rebuild.cell, (), content, None, None, rebuild.set_cell


def code(value: types.CodeType) -> Reduced:
    return rebuild.code, tuple(getattr(value, name) for name in _CODE)


def lru_cached(value: Any) -> Reduced:
    return rebuild.lru_cache, (value.__wrapped__, value.cache_parameters())


def builtin_type(value: type) -> Reduced | None:
    """A type that builtins has no name for."""
    for name, known in vars(types).items():
        if known is value:
            return rebuild.builtin_type, (name,)
    return None


def klass(value: type) -> Reduced:
    """A class without source."""
    hints = getattr(value, "__annotations__", {})
    if value.__bases__ == (tuple,) and hasattr(value, "_field_defaults"):
        return _namedtuple(value, hints)
    if type(value).__name__ == "_TypedDictMeta":
        total = value.__total__  # type: ignore[attr-defined]
        return rebuild.typing_name, ("TypedDict", value.__module__, (value.__name__, hints), {"total": total})
    if type(value).__module__ == "enum" and value.__bases__[-1].__module__ == "enum" and _made_by_call(value):
        mixin = value.__bases__[0] if len(value.__bases__) > 1 else None
        members = [(name, member.value) for name, member in value.__members__.items()]  # type: ignore[attr-defined]
        return rebuild.enum, (value.__bases__[-1], mixin, value.__module__, value.__qualname__, members)
    # Not its Pickler, which would copy globals.
    made, args, state, *rest = rebuild.cloudpickle()._dynamic_class_reduce(value)  # noqa: SLF001
    if "__slots__" in state[0] and isinstance(args[3], dict):  # it sets them when the class is made, too late
        args[3]["__slots__"] = state[0].pop("__slots__")
    state[0]["__qualname__"] = value.__qualname__
    return (made, args, state, *rest)


def _namedtuple(value: Any, hints: dict[str, Any]) -> Reduced:
    import collections

    plain = vars(collections.namedtuple("plain", value._fields))  # noqa: PYI024
    more = {
        name: item
        for name, item in vars(value).items()
        if (name not in plain and name not in _MADE)
        or (isinstance(item, types.FunctionType) and item.__module__ == value.__module__)
    }
    defaults = tuple(value._field_defaults.values())
    args = (value.__module__, value.__qualname__, tuple(value._fields), defaults, dict(hints))
    return (rebuild.namedtuple, args, more, None, None, rebuild.set_attributes) if more else (rebuild.namedtuple, args)


def _made_by_call(value: Any) -> bool:
    """Whether nothing stands in an Enum but what its call puts there: members, and code that belongs to the library."""
    for name, item in vars(value).items():
        if name in value.__members__:
            continue
        written = isinstance(item, types.FunctionType) and item.__module__ == value.__module__
        if written or not ((name.startswith("_") and not name.startswith("__")) or name in _MADE or callable(item)):
            return False
    return True


def typing_name(value: Any) -> Reduced:
    kind = type(value).__name__
    args: tuple[Any, ...] = (value.__name__,)
    options: dict[str, Any] = {}
    if kind == "NewType":
        args += (value.__supertype__,)
    elif kind == "TypeVar":
        args += value.__constraints__
        options = {"bound": value.__bound__, "covariant": value.__covariant__, "contravariant": value.__contravariant__}
    return rebuild.typing_name, (kind, value.__module__, args, {name: item for name, item in options.items() if item})


def sentinel(value: Any) -> Reduced | None:
    """A mark of dataclasses, as fields hold them: MISSING and its like are compared by identity."""
    place = type(value).__module__
    for name, known in vars(sys.modules[place]).items():
        if known is value:
            return rebuild.member, (place, name)
    return None


def is_sentinel(kind: type) -> bool:
    return kind.__module__ == "dataclasses" and kind.__name__.startswith("_")


def _descriptor(value: Any) -> Reduced:
    return type(value), (value.__func__,)


def _property(value: property) -> Reduced:
    return property, (value.fget, value.fset, value.fdel, value.__doc__)


def _cached_property(value: Any) -> Reduced:
    state = {"attrname": value.attrname, "__doc__": value.__doc__}
    return functools.cached_property, (value.func,), state, None, None, rebuild.set_attributes


def _proxy(value: Any) -> Reduced:
    return types.MappingProxyType, (dict(value),)


REDUCERS: dict[Any, Callable[[Any], Reduced]] = {
    types.CellType: cell,
    property: _property,
    staticmethod: _descriptor,
    classmethod: _descriptor,
    functools.cached_property: _cached_property,
    types.MappingProxyType: _proxy,
}


def importable(value: Any) -> bool:
    """Whether its module has it under its own name."""
    place = sys.modules.get(value.__module__ or "")
    found: Any = place
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return place is not None and found is value


class Returning(Pickler):
    """Pickles what pickle alone cannot, for a notebook of the same minor of Python."""

    views: Views | None = None

    def __init__(self, file: Any, protocol: int, minor: str) -> None:
        super().__init__(file, protocol)
        self._there = minor
        self._globals: dict[Any, Globals] = {}

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if issubclass(kind, type) or kind in (types.FunctionType, CACHED):
            return NotImplemented if importable(obj) else self._by_value(obj)
        if kind is types.CodeType:
            return self._code(obj)
        if kind.__name__ in TYPING and kind.__module__ == "typing":
            return typing_name(obj) if obj.__module__ == "__main__" else NotImplemented
        if issubclass(kind, BaseException):
            return exception(obj)
        if issubclass(kind, dict):
            return own_dict(obj)
        reducer = sentinel if is_sentinel(kind) else REDUCERS.get(kind)
        if reducer is None:
            return NotImplemented if self.views is None else self.views.reduced(obj)
        return reducer(obj)

    def _by_value(self, obj: Any) -> Any:
        if isinstance(obj, type):
            return builtin_type(obj) or klass(obj)
        if isinstance(obj, CACHED):
            return lru_cached(obj)
        place = sys.modules.get(obj.__module__ or "")
        names = obj.__module__ if place is not None and vars(place) is obj.__globals__ else None
        key = names or id(obj.__globals__)
        return function(obj, self._globals.setdefault(key, Globals(names)))

    def _code(self, obj: types.CodeType) -> Any:
        here = ".".join(map(str, sys.version_info[:2]))
        if here != self._there:
            what = f"{obj.co_name} has no source: it would come back as bytecode of Python {here}"
            raise PicklingError(f"{what}, and the notebook has Python {self._there}")
        return code(obj)
