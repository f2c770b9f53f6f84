"""Arrays over one memory, pickled so that they share it again: a table and its column, two windows of a series.

pickle copies each by itself. For numpy, a first pass only notes them; if some overlap, a second one pickles one array
that has all of their memory, and of the others only what they are in it. Of torch's storages, the first object stands
for all of the same memory. What belongs to pandas is left alone: it knows by itself what it shares, and would not know
of this.
"""

from __future__ import annotations

import operator
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    Bounds = tuple[int, int]

SPARE_BYTES = 1 << 16
"""What the shared memory may take beyond what is used of it."""
PAIRS = 200
PANDAS = ("pandas.core", "pandas._libs.internals", "pandas._libs.arrays", "pandas.arrays")


class Shared:
    """Memory that several arrays have parts of."""

    def __init__(self, bounds: Bounds, whole: Any, names: tuple[str, ...]) -> None:
        """`whole`: an array with all of it, in one piece; `names`: the values in which the arrays are."""
        self.bounds = bounds
        self.whole = whole
        self.names = names


class Views:
    """What a pickler asks of arrays; `shared` is what an earlier pass has found."""

    def __init__(self, shared: tuple[Shared, ...] = (), before: Views | None = None) -> None:
        """`before`: of the pickler whose memo names what this one leaves out."""
        self.where = ""
        """The name that is being pickled."""
        self.storages: dict[tuple[int, int, str, str], Any] = before.storages if before else {}
        self._shared = shared
        self._seen: list[tuple[Any, str]] = []
        self._apart: list[Any] = []
        self._not_mine: set[int] = set()
        self._strange: set[int] = set()
        self._handlers: dict[type, Callable[[Any], Any] | None] = {}

    def reduced(self, obj: Any) -> Any:
        """For a pickler that does nothing else with arrays."""
        kind = type(obj)
        try:
            handler = self._handlers[kind]
        except KeyError:
            handler = self._handlers[kind] = self.handler(kind)
        return NotImplemented if handler is None else handler(obj)

    def handler(self, kind: type) -> Callable[[Any], Any] | None:
        """What reduces objects of a type."""
        if is_array(kind):
            return self._array
        if any(is_array(each) for each in kind.__mro__[1:]):
            return self._of_subclass
        if kind.__module__ == "torch.storage" and hasattr(kind, "data_ptr"):
            return self._storage
        return self._pandas if (kind.__module__ or "").startswith(PANDAS) else None

    def _array(self, array: Any) -> Any:
        """How an array is reduced."""
        if id(array) in self._not_mine:
            return NotImplemented
        if array.nbytes:
            self._seen.append((array, self.where))
        for each in self._shared if array.nbytes else ():
            low, high = bounds(array)
            if each.bounds[0] <= low and high <= each.bounds[1]:
                return NotImplemented if array is each.whole else _part(array, each)
        return NotImplemented

    def _storage(self, storage: Any) -> Any:
        """torch makes a new object for every tensor that is taken apart: the first of the same memory stands for it."""
        raw = getattr(storage, "_untyped_storage", storage)
        if not raw.nbytes():
            return NotImplemented
        key = (raw.data_ptr(), raw.nbytes(), str(raw.device), str(getattr(storage, "dtype", "")))
        first = self.storages.setdefault(key, storage)
        return NotImplemented if first is storage else (operator.itemgetter(0), ((first,),))

    def _of_subclass(self, array: Any) -> Any:
        """Nobody knows what else it keeps: it travels by itself, as it always did."""
        if array.nbytes:
            self._strange.add(id(array))
            self._seen.append((array, self.where))
        return NotImplemented

    def _pandas(self, obj: Any) -> Any:
        """The arrays in it stay its own."""
        reduced = obj.__reduce_ex__(5)
        self._apart.append(reduced)
        self._leave(reduced, 4)
        return reduced

    def _leave(self, value: Any, depth: int) -> None:
        if is_array(type(value)):
            self._not_mine.add(id(value))
        elif isinstance(value, (tuple, list, dict)) and depth:
            for part in value.values() if isinstance(value, dict) else value:
                self._leave(part, depth - 1)

    def found(self, names: Collection[str] | None = None) -> tuple[tuple[Shared, ...], list[str]]:
        """What the arrays share that were seen (in values of these names), and the names of those that share and
        cannot."""
        if names is not None:
            self._seen = [each for each in self._seen if each[1] in names]
        shared: list[Shared] = []
        apart: dict[str, None] = {}
        for together in self._overlapping():
            members = [array for array in together if id(array) not in self._strange]
            low, high = _extent(members)
            whole = _whole(low, high, members) if len(members) > 1 else None
            if whole is not None:
                shared.append(Shared((low, high), whole, self._names(members)))
            if whole is None or len(members) < len(together):
                apart.update(dict.fromkeys(self._names(together) if _touch(together) else ()))
        for array, where in self._seen:
            low = bounds(array)[0] if self.storages else 0
            if any(start <= low < start + size for start, size, *_ in self.storages):  # a tensor's, of torch
                apart[where] = None
        return tuple(shared), list(apart)

    def _names(self, arrays: list[Any]) -> tuple[str, ...]:
        """The values in which they are; one array may be in several."""
        sought = set(map(id, arrays))
        return tuple(dict.fromkeys(where for array, where in self._seen if id(array) in sought))

    def _overlapping(self) -> list[list[Any]]:
        different = {id(array): array for array, _ in self._seen}
        if all(array.base is None for array in different.values()):
            return []
        found: list[list[Any]] = []
        end = 0
        for (low, high), array in sorted(((bounds(array), array) for array in different.values()), key=_first):
            if low < end:
                found[-1].append(array)
            else:
                found.append([array])
            end = max(end, high)
        return [each for each in found if len(each) > 1]


def _first(item: tuple[Bounds, Any]) -> Bounds:
    return item[0]


def is_array(kind: type) -> bool:
    """numpy's own; of a subclass nobody knows what else it keeps."""
    return kind.__module__ == "numpy" and kind.__name__ == "ndarray"


def bounds(array: Any) -> Bounds:
    """The addresses of its first byte and behind its last one."""
    low = high = array.__array_interface__["data"][0]
    for count, stride in zip(array.shape, array.strides):
        if stride < 0:
            low += (count - 1) * stride
        else:
            high += (count - 1) * stride
    return low, high + array.itemsize


def _extent(members: list[Any]) -> Bounds:
    found = [bounds(array) for array in members]
    return min((low for low, _ in found), default=0), max((high for _, high in found), default=0)


def _whole(low: int, high: int, members: list[Any]) -> Any:
    """An array with all of this memory in one piece, or None."""
    writeable = any(array.flags.writeable for array in members)
    for array in sorted(members, key=lambda array: array.base is not None):
        one_piece = array.flags.c_contiguous or array.flags.f_contiguous
        if bounds(array) == (low, high) and one_piece and array.flags.writeable >= writeable:
            return array if all(_fits(each, array) for each in members) else None
    if high - low > sum(array.nbytes for array in members) + SPARE_BYTES:
        return None
    root = members[0]
    while is_array(type(root.base)):
        root = root.base
    if not (root.flags.c_contiguous or root.flags.f_contiguous) or root.flags.writeable < writeable:
        return None
    if not all(_fits(each, root) for each in members):
        return None
    start, end = bounds(root)
    if not start <= low < high <= end:
        return None
    from .rebuild import flat

    return flat(root)[(low - start) // root.itemsize : (high - start) // root.itemsize]


def _touch(members: list[Any]) -> bool:
    """Whether some have an item in common, beyond lying among each other's."""
    numpy: Any = sys.modules["numpy"]
    pairs = [(one, other) for at, one in enumerate(members) for other in members[:at]]
    try:
        return any(numpy.shares_memory(*pair, max_work=1000) for pair in pairs[:PAIRS])
    except Exception:  # noqa: BLE001  (too hard to tell)
        return True


def _fits(array: Any, whole: Any) -> bool:
    """Objects are no bytes: their arrays are parts only of such arrays, by whole items."""
    if not (whole.dtype.hasobject or array.dtype.hasobject):
        return True
    return bool(array.dtype == whole.dtype) and (bounds(array)[0] - bounds(whole)[0]) % whole.itemsize == 0


def _part(array: Any, of: Shared) -> Any:
    offset = array.__array_interface__["data"][0] - of.bounds[0]
    from .rebuild import view

    place = (offset, array.shape, array.strides)
    return view, (of.whole, array.dtype, place, bool(array.flags.writeable))
