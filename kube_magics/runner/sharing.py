"""What several names of --returns share comes back as one object: a model, and the optimizer that trains it.

Each name has a file of its own, and arrives or fails by itself. Of an object that an earlier name's file has brought,
a later one only says where: (name, number in that file's memo), as a pickle's persistent id.
"""

from __future__ import annotations

import enum
import sys
import types

from .views import Views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .keep import Files
    from .views import Shared

    Memo = dict[int, tuple[int, Any]]
    Links = dict[int, tuple[str, int]]

_BY_NAME = (enum.Enum, types.BuiltinFunctionType, types.ModuleType)
_CONTAINERS = ("collections.deque", "array.array", "_io.BytesIO", "_io.StringIO", "random.Random")
_ARRAYS = (("numpy", "ndarray"), ("numpy.random._generator", "Generator"), ("numpy.random.mtrand", "RandomState"))


class Linking:
    """Of a pickler: what is in `links` is only named."""

    links: Links

    def persistent_id(self, obj: Any) -> Any:
        return self.links.get(id(obj))


class Sharing:
    """Told of each pickled value, by name, in the order of --returns."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._values: dict[str, Any] = {}
        # What a pickler remembers is kept alive until all are compared: an id means nothing afterwards.
        self._memos: dict[str, Memo] = {}
        self._older: list[Memo] = []
        self._views = Views()

    def begin(self, name: str) -> Views | None:
        """For the pickler of this value."""
        self._views.where = name
        return self._views if {"numpy", "torch"} & sys.modules.keys() else None

    def add(self, name: str, value: Any, pickler: Any) -> None:
        self._values[name] = value
        self._memos[name] = pickler.memo.copy()

    def join(self) -> None:
        """Writes those again that share something with an earlier one; says which could not be."""
        shared, apart = self._views.found(self._values)
        for name in dict.fromkeys(name for each in shared for name in each.names):
            if not self._again(name, {}, shared):
                apart.append(name)
        for name in self._values:
            links = self._links(name)
            if links and not self._again(name, links, shared):
                apart += [next(iter(links.values()))[0], name]
        if apart:
            listed = ", ".join(dict.fromkeys(apart))
            sys.stderr.write(f"[kube_magics: returned values: copies come back of what is shared in {listed}]\n")

    def _links(self, name: str) -> Links:
        """Of all that an earlier file brings: its id -> where it was first."""
        found: Links = {}
        own = self._memos[name]
        for owner, memo in self._memos.items():
            if owner == name:
                break
            for key in memo.keys() & own.keys():
                if key not in found and _is_one(memo[key][1]):
                    found[key] = (owner, memo[key][0])
        return found

    def _again(self, name: str, links: Links, shared: tuple[Shared, ...]) -> bool:
        views = Views(shared, self._views)
        try:
            written, pickler = self._files.write(name, self._values[name], views, links)
        except Exception:  # noqa: BLE001  (what was written the first time is still there)
            return False
        if written.too_large:
            return False
        self._older.append(self._memos[name])
        self._memos[name] = pickler.memo.copy()
        return True


def _is_one(value: Any) -> bool:
    """Whether it is one of those that pickle copies and that a program changes in place, or compares by identity. Asks
    its type alone: a proxy may answer with anything."""
    kind = type(value)
    if issubclass(kind, (list, dict, set, bytearray, types.CellType, BaseException)):
        return True
    if issubclass(kind, (types.FunctionType, type)):
        return "<" in value.__qualname__  # made in a function, or a lambda: by value
    if any(f"{each.__module__}.{each.__qualname__}" in _CONTAINERS for each in kind.__mro__):
        return True
    if any((each.__module__, each.__name__) in _ARRAYS or "data_ptr" in vars(each) for each in kind.__mro__):
        return True  # an array, a tensor, a parameter
    plain = not any("__reduce_ex__" in vars(each) or "__reduce__" in vars(each) for each in kind.__mro__[:-1])
    state = kind.__dictoffset__ != 0 or any(vars(each).get("__slots__") for each in kind.__mro__)
    return plain and state and not issubclass(kind, _BY_NAME)
