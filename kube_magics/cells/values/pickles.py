"""Values as one pickle: protocol 5, one Pickler for all names, so that what is shared here is shared in the job.

What the notebook's cells define is pickled by reference to the module `__main__`; `Dumper.dump` tells which of these
definitions must stand before the value is loaded. What cannot travel is named by its path inside the value.
"""

from __future__ import annotations

import pickle
import types
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from kube_magics.cells.notebook import Notebook
from kube_magics.cells.values.culprits import describe, parts
from kube_magics.cells.values.data import Data
from kube_magics.cells.values.digests import Contents
from kube_magics.cells.values.pickler import NeedsFirst, Pickler, Refused, Standing
from kube_magics.errors import CaptureError

APART_BYTES = 1024 * 1024
"""A buffer of at least this size is not copied into the pickle."""
LOOKED_AT = 10_000
"Parts of a value that are searched for the path to a function without source."


class TooLarge(Exception):
    """More bytes than were allowed for this value."""


class _Buffer:
    """What was pickled: chunks, and the large buffers that they only point to, where they are."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.apart: list[memoryview] = []
        self.size_bytes = 0
        self.end: int | None = None

    def write(self, chunk: Any) -> int:
        self.chunks.append(chunk if type(chunk) is bytes else bytes(chunk))
        self._grow(len(self.chunks[-1]))
        return len(self.chunks[-1])

    def keep_apart(self, buffer: pickle.PickleBuffer) -> bool:
        """False, as pickle wants it, for what stays where it is; True for what goes into the pickle."""
        view = buffer.raw()
        if view.nbytes < APART_BYTES:
            return True
        self.apart.append(view)
        self._grow(view.nbytes)
        return False

    def _grow(self, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        if self.end is not None and self.size_bytes > self.end:
            raise TooLarge


class _Nothing:
    """Counts as a file; keeps nothing."""

    def write(self, chunk: Any) -> int:
        return memoryview(chunk).nbytes  # a large array comes as a PickleBuffer, which has no len


class Call(NamedTuple):
    """What `train(fn, args, kwargs)` sends; dumped with an empty path, so that its parts are named as written."""

    fn: Any
    args: Any
    kwargs: Any


@dataclass(frozen=True)
class Dumped:
    """One value in the pickle."""

    size_bytes: int
    functions: tuple[types.FunctionType, ...] = ()
    "those without source: they travel as bytecode"
    bytecode: tuple[tuple[str, str], ...] = ()
    'where they are and what: (\'cfg["k"]\', "a lambda")'


@dataclass
class _Mark:
    chunks: int
    apart: int
    by_value: int
    size_bytes: int
    memo: pickle.Pickler
    """One that has the memo of that moment: copied from pickler to pickler it costs a hundredth of a dict."""


class Dumper:
    """The successive dumps that make `data.pkl`."""

    def __init__(self, notebook: Notebook, standing: Standing, contents: Contents | None = None) -> None:
        self._notebook = notebook
        self._gpus = standing.gpus
        self.views = standing.views
        self.contents = contents or Contents()
        """Digests of what is large in the values."""
        self._buffer = _Buffer()
        self._last: _Mark | None = None
        self._pickler = Pickler(self._buffer, notebook, standing, self._buffer.keep_apart)

    @property
    def data(self) -> Data:
        """All that was dumped; it points to the values' own memory."""
        return Data(tuple(self._buffer.chunks), tuple(self._buffer.apart), self.contents)

    @property
    def modules(self) -> frozenset[str]:
        """Modules whose functions and classes the values refer to."""
        return frozenset(self._pickler.modules)

    @property
    def shipped(self) -> frozenset[str]:
        """Files of the runner that are needed to load the values."""
        return frozenset(self._pickler.shipped)

    def mark(self) -> _Mark:
        memo = pickle.Pickler(_Nothing())
        memo.memo = self._pickler.memo
        by_value = len(self._pickler.by_value)
        return _Mark(len(self._buffer.chunks), len(self._buffer.apart), by_value, self._buffer.size_bytes, memo)

    def back(self, mark: _Mark) -> None:
        """Forgets what was dumped since."""
        del self._buffer.chunks[mark.chunks :], self._buffer.apart[mark.apart :]
        del self._pickler.by_value[mark.by_value :]
        self._buffer.size_bytes = mark.size_bytes
        self._pickler.memo = mark.memo.memo

    def take_back(self) -> None:
        """Forgets the last dump."""
        if self._last is not None:
            self.back(self._last)

    def dump(self, path: str, value: object, limit: int | None = None) -> Dumped:
        """Raises NeedsFirst, TooLarge, or CaptureError with the path of what cannot travel."""
        mark = self._last = self.mark()
        self.views.where = path.split(".", maxsplit=1)[0] or "the call"
        self._buffer.end = None if limit is None else mark.size_bytes + limit
        try:
            self._pickler.dump(value)
        except (NeedsFirst, TooLarge):
            self.back(mark)
            raise
        except Exception as error:  # __reduce__ of anybody may raise anything
            self.back(mark)
            raise self._refuse(path, value, error) from error
        finally:
            self._buffer.end = None
        for view in self._buffer.apart[mark.apart :]:
            if view.obj is value:  # an array: it will be compared, and others of its cell are pickled meanwhile
                self.contents.start(value, view)
        return self._dumped(self._buffer.size_bytes - mark.size_bytes, path, value, mark.by_value)

    def _dumped(self, size: int, path: str, value: object, known: int) -> Dumped:
        found = self._pickler.by_value[known:]
        functions = tuple(each for each in found if isinstance(each, types.FunctionType))
        if not functions:
            return Dumped(size)
        root: object = Call(*value) if not path else value  # type: ignore[misc]
        return Dumped(size, functions, tuple(_places(path, root, found)))

    def _refuse(self, path: str, value: object, error: Exception) -> CaptureError:
        if isinstance(error, RecursionError):  # following it down would take as many steps, each as long
            return CaptureError(
                f"{path or 'the call'} cannot travel: it is nested too deep to pickle.",
                hint="make it inside the cell, or pass its parts in a list",
            )
        path, culprit, error = self._culprit(path, value if path else Call(*value), error)  # type: ignore[misc]
        path = path.removeprefix(".")
        if isinstance(error, Refused):
            return CaptureError(f"{path} cannot travel: it is {error.what}.", hint=error.hint)
        what, hint = describe(culprit)
        if what is None:
            said = f"{type(error).__name__}: {error}"
            return CaptureError(
                f"{path} cannot travel: a {type(culprit).__module__}.{type(culprit).__qualname__} cannot be pickled.",
                said=said,
                hint="make it inside the cell, from values that can travel",
            )
        return CaptureError(f"{path} cannot travel: it is {what}.", hint=hint)

    def _culprit(self, path: str, value: object, error: Exception) -> tuple[str, object, Exception]:
        """Follows the first part that cannot be pickled alone, down to one whose parts all can."""
        seen = {id(value)}
        while isinstance(value, Call) or describe(value)[0] is None:
            for suffix, child in parts(value):
                inner = None if id(child) in seen else self._failure(child)
                if inner is not None:
                    seen.add(id(child))
                    path, value, error = path + suffix, child, inner
                    break
            else:
                break
        return path, value, error

    def _failure(self, value: object) -> Exception | None:
        try:
            Pickler(_Nothing(), self._notebook, Standing(gpus=self._gpus)).dump(value)
        except Exception as error:  # noqa: BLE001 - as above
            return error
        return None


def _places(path: str, value: object, wanted: list[types.FunctionType | type]) -> Iterator[tuple[str, str]]:
    """Where in a value these functions and classes are, and what each is; the value itself if they are hidden in it."""
    sought = {id(each) for each in wanted}
    seen = {id(value)}
    queue = deque([(path, value)])
    anything = False
    while queue and len(seen) < LOOKED_AT:
        where, current = queue.popleft()
        if id(current) in sought:
            anything = True
            yield where.removeprefix("."), what(current)
            continue
        for suffix, child in parts(current):
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((where + suffix, child))
    if not anything:
        yield path or "fn", f"holds {what(wanted[0])}"


def what(value: object) -> str:
    """What kind of thing without source this is."""
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    if isinstance(value, types.FunctionType):
        if value.__name__ == "<lambda>":
            return "a lambda"
        return f"{'a closure' if value.__closure__ else 'the function'} {value.__qualname__}"
    return "an object without source"
