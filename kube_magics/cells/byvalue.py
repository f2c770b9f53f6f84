"""How things without source are taken apart: each function here gives what `__reduce__` would, for the pickler.

Functions keep sharing what they shared: cells of closures, and their globals, which are names of the job's `__main__`
or of the module they come from, never copies. Classes are taken apart by cloudpickle. What a call made (namedtuple,
Enum, TypeVar, TypedDict) is made by the same call again, which works across versions of Python.
"""

from __future__ import annotations

import enum
import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from kube_magics.cells.bytecode import looked_up
from kube_magics.runner import rebuild

Reduced = tuple[Any, ...]
_ATTRIBUTES = "__doc__ __defaults__ __kwdefaults__ __annotations__ __type_params__".split()
_CODE = (
    "co_argcount co_posonlyargcount co_kwonlyargcount co_nlocals co_stacksize co_flags co_code co_consts co_names"
    " co_varnames co_filename co_name co_qualname co_firstlineno co_linetable co_exceptiontable co_freevars co_cellvars"
).split()
TYPING = tuple(
    kind
    for kind in (getattr(typing, name, None) for name in ("TypeVar", "ParamSpec", "TypeVarTuple", "NewType"))
    if isinstance(kind, type)
)


class Globals:
    """Stands for the globals of a function: those of a module, or (None) its own."""

    def __init__(self, module: str | None) -> None:
        self.module = module

    def __reduce__(self) -> Reduced:
        if self.module is None:
            return rebuild.new_names, ()
        return rebuild.names_of, (self.module,)


def function(value: types.FunctionType, names: Globals) -> Reduced:
    state: dict[str, Any] = {
        name: found for name in _ATTRIBUTES if (found := _attribute(value, name)) not in (None, (), {})
    }
    state |= {"__qualname__": value.__qualname__, "__name__": value.__name__, "__module__": value.__module__}
    if value.__dict__:
        state["__dict__"] = dict(value.__dict__)
    if names.module is None:
        reads, _ = looked_up(value.__code__)
        wanted = [*sorted(reads), "__name__", "__package__"]
        state["globals"] = {name: value.__globals__[name] for name in wanted if name in value.__globals__}
    return rebuild.function, (value.__code__, names, value.__closure__), state, None, None, rebuild.set_function


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
    annotations = inspect.get_annotations(value)
    if issubclass(value, tuple) and value.__bases__ == (tuple,) and hasattr(value, "_field_defaults"):
        defaults = tuple(value._field_defaults.values())
        fields = tuple(value._fields)  # type: ignore[attr-defined]
        return rebuild.namedtuple, (value.__module__, value.__qualname__, fields, defaults, dict(annotations))
    if typing.is_typeddict(value):
        total = value.__total__  # type: ignore[attr-defined]
        return rebuild.typing_name, ("TypedDict", value.__module__, (value.__name__, annotations), {"total": total})
    if issubclass(value, enum.Enum) and value.__bases__[-1].__module__ == "enum" and _made_by_call(value):
        mixin = value.__bases__[0] if len(value.__bases__) > 1 else None
        members = [(name, member.value) for name, member in value.__members__.items()]
        return rebuild.enum, (value.__bases__[-1], mixin, value.__module__, value.__qualname__, members)
    from cloudpickle import cloudpickle

    reduced: Reduced = cloudpickle._dynamic_class_reduce(value)  # noqa: SLF001 - its Pickler would copy globals
    return reduced


def _made_by_call(value: type[enum.Enum]) -> bool:
    """Whether the class has members only: Enum("Color", "RED GREEN")."""
    own = {name: item for name, item in vars(value).items() if not isinstance(item, value)}
    return not any(
        isinstance(item, types.FunctionType) and item.__module__ != "enum"
        for name, item in own.items()
        if name not in value.__members__
    )


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


def _descriptor(value: Any) -> Reduced:
    return type(value), (value.__func__,)


def _property(value: property) -> Reduced:
    return property, (value.fget, value.fset, value.fdel, value.__doc__)


def _cached_property(value: functools.cached_property[Any]) -> Reduced:
    state = {"attrname": value.attrname, "__doc__": value.__doc__}
    return functools.cached_property, (value.func,), state, None, None, rebuild.set_attributes


def _proxy(value: Any) -> Reduced:
    return types.MappingProxyType, (dict(value),)


REDUCERS: dict[type, Callable[[Any], Reduced]] = {
    types.CellType: cell,
    property: _property,
    staticmethod: _descriptor,
    classmethod: _descriptor,
    functools.cached_property: _cached_property,
    types.MappingProxyType: _proxy,
}
