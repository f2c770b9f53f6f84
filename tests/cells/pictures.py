"""A value as plain data, with what is the same object twice: equal pictures mean that nothing can tell the two apart."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

_ATOMS = (int, float, complex, str, bytes, type(None), type(...))


def picture(value: Any) -> Any:
    """Of what `value` is made; an object met before is the number of its first appearance."""
    return _Painter().paint(value)


def outcome(call: Callable[[], Any]) -> Any:
    """The picture of what it gives, or the error that it raises."""
    try:
        return picture(call())
    except Exception as error:  # noqa: BLE001 - the error is what is compared
        return f"{type(error).__name__}: {error}"


class _Painter:
    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []

    def paint(self, value: Any) -> Any:
        if type(value) in _ATOMS or isinstance(value, bool):
            return (type(value).__name__, repr(value))
        if isinstance(value, enum.Enum):
            return ("member", type(value).__qualname__, value.name, value is type(value)(value.value))
        if id(value) in self._seen:
            return ("again", self._seen[id(value)])
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        return self._parts(value)

    def _parts(self, value: Any) -> Any:
        kind = type(value).__qualname__
        if isinstance(value, np.ndarray):
            return (kind, str(value.dtype), value.shape, [self.paint(item) for item in value.ravel().tolist()])
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type | types.ModuleType | types.BuiltinFunctionType):
            return (kind, getattr(value, "__qualname__", value.__name__))
        return (kind, self._content(value), self._state(value))

    def _content(self, value: Any) -> Any:
        if isinstance(value, dict):
            pairs = [(self.paint(key), self.paint(item)) for key, item in value.items()]
            return (pairs, self.paint(getattr(value, "default_factory", None)))
        if isinstance(value, set | frozenset):
            return sorted(repr(picture(item)) for item in value)
        if isinstance(value, list | tuple | collections.deque):
            return [self.paint(item) for item in value]
        if isinstance(value, functools.partial):
            return [self.paint(item) for item in (value.func, value.args, value.keywords)]
        if isinstance(value, types.MethodType):
            return (value.__name__, self.paint(value.__self__))
        return None

    def _function(self, value: types.FunctionType) -> Any:
        cells = [self._cell(cell) for cell in value.__closure__ or ()]
        made = [self.paint(value.__defaults__), self.paint(value.__kwdefaults__), self.paint(value.__dict__)]
        return ("function", value.__name__, value.__qualname__, value.__doc__, cells, made)

    def _cell(self, cell: types.CellType) -> Any:
        try:
            return self.paint(cell.cell_contents)
        except ValueError:
            return "empty"

    def _state(self, value: Any) -> Any:
        found = dict(getattr(value, "__dict__", {}))
        for owner in type(value).__mro__:
            slots = vars(owner).get("__slots__", ())
            for name in [slots] if isinstance(slots, str) else slots:
                if not name.startswith("__") and hasattr(value, name):
                    found[name] = getattr(value, name)
        if dataclasses.is_dataclass(value):
            found |= {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
        if hasattr(value, "cache_parameters"):
            # Of lru_cache: one lambda where it was called with its limit, another where it was not.
            found["cache_parameters"] = value.cache_parameters()
        return sorted((name, self.paint(item)) for name, item in found.items())
