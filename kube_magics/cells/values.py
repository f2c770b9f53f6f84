"""Values as one pickle: protocol 5, one Pickler for all names, so that what is shared here is shared in the job.

What the notebook's cells define is pickled by reference to the module `__main__`; `Dumper.dump` tells which of these
definitions must stand before the value is loaded. What cannot travel is named by its path inside the value.
"""

from __future__ import annotations

import importlib
import operator
import pickle
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from kube_magics.cells import modules
from kube_magics.cells.culprits import describe, parts
from kube_magics.cells.data import Data
from kube_magics.cells.digests import Contents
from kube_magics.cells.notebook import Notebook
from kube_magics.errors import CaptureError

PROTOCOL = 5
APART_BYTES = 1024 * 1024
"""A buffer of at least this size is not copied into the pickle."""
_BY_NAME_ONLY = tuple(
    kind
    for kind in (getattr(typing, name, None) for name in ("TypeVar", "ParamSpec", "TypeVarTuple", "NewType"))
    if isinstance(kind, type)
)


class Refused(Exception):
    """A part of a value cannot travel: what it is, and what to do instead."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class NeedsFirst(Exception):
    """The value refers to a definition that does not stand yet."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


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


class _Pickler(pickle.Pickler):
    def __init__(
        self,
        file: Any,
        notebook: Notebook,
        stands: Callable[[str], bool] = lambda name: True,
        apart: Callable[[pickle.PickleBuffer], bool] | None = None,
    ) -> None:
        super().__init__(file, protocol=PROTOCOL, buffer_callback=apart)
        self.found: set[str] = set()
        "definitions of the notebook that were referred to"
        self.modules: set[str] = set()
        self._notebook = notebook
        self._stands = stands

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | types.FunctionType | types.BuiltinFunctionType):
            return self._global(obj)
        if type(obj).__module__.partition(".")[0] == modules.OURS and not isinstance(obj, _ModuleReference):
            return self._ours(obj)
        if isinstance(obj, _BY_NAME_ONLY) and obj.__module__ == self._notebook.module:
            raise Refused(f"a {type(obj).__name__}", "write what uses it without it: this cannot travel yet")
        if isinstance(obj, _BY_NAME_ONLY):
            self.modules.add(obj.__module__)
        if isinstance(obj, types.ModuleType):
            raise Refused(f"the module {obj.__name__}", "import it in the cell instead of keeping it in a value")
        return NotImplemented

    def _global(self, obj: Any) -> Any:
        module = getattr(obj, "__module__", None)
        if not isinstance(module, str):
            return NotImplemented
        if module.partition(".")[0] == modules.OURS and module != self._notebook.module:
            if obj.__name__ in modules.IN_JOBS:
                return operator.attrgetter(obj.__name__), (_ModuleReference(modules.OURS),)
            raise Refused(f"part of kube_magics ({obj.__qualname__})", "use it in the notebook, around the job")
        if module != self._notebook.module:
            self.modules.add(module)
            if modules.kind(module) == "local" and _replaced(obj, module):
                raise Refused(
                    f"made by an older definition of {module}.{obj.__qualname__}: the module was loaded again since",
                    "run the cell that makes it again, then this one",
                )
            return NotImplemented
        name = obj.__qualname__
        if name.endswith("<lambda>"):
            raise Refused("a lambda", "a lambda cannot travel yet: write it as def at the top of a cell")
        if "<locals>" in name:
            what = "class" if isinstance(obj, type) else "function"
            raise Refused(f"a {what} made inside another function ({name})", "define it at the top level of a cell")
        root = name.partition(".")[0]
        live = lookup(self._notebook.namespace, name)
        ours = live is not obj and type(live).__module__.partition(".")[0] == modules.OURS
        if live is not obj and not (ours and getattr(live, "__wrapped__", None) is obj):
            raise Refused(
                f"made by an older definition of {name}" if live is not None else f"made by {name}, which is gone",
                "run the cell that makes it again, then this one",
            )
        self.found.add(root)
        if not self._stands(root):
            raise NeedsFirst(root)
        if not ours and lookup(vars(importlib.import_module(module)), name) is obj:
            return NotImplemented
        return operator.attrgetter(name), (_ModuleReference(module),)

    def _ours(self, obj: Any) -> Any:
        """A function under @kube_magics.remote: in the job it is the function alone."""
        name = getattr(getattr(obj, "__wrapped__", None), "__qualname__", "")
        if not name or lookup(self._notebook.namespace, name) is not obj:
            raise Refused(describe(obj)[0] or "part of kube_magics", "pass its value: job.result()")
        root = name.partition(".")[0]
        self.found.add(root)
        if not self._stands(root):
            raise NeedsFirst(root)
        return operator.attrgetter(name), (_ModuleReference(self._notebook.module),)


def _replaced(obj: Any, module: str) -> bool:
    """Whether the module has another one of that name by now."""
    found = lookup(vars(sys.modules[module]), obj.__qualname__) if module in sys.modules else obj
    return found is not None and found is not obj


class _ModuleReference:
    """Pickles as `importlib.import_module(name)`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> Any:
        return importlib.import_module, (self._name,)


def lookup(namespace: Mapping[str, Any], qualified: str) -> Any:
    """What a dotted name stands for, or None."""
    root, *rest = qualified.split(".")
    value = namespace.get(root)
    for attribute in rest:
        value = getattr(value, attribute, None)
    return value


class Call(NamedTuple):
    """What `train(fn, args, kwargs)` sends; dumped with an empty path, so that its parts are named as written."""

    fn: Any
    args: Any
    kwargs: Any


@dataclass
class _Mark:
    chunks: int
    apart: int
    size_bytes: int
    memo: pickle.Pickler
    """One that has the memo of that moment: copied from pickler to pickler it costs a hundredth of a dict."""


class Dumper:
    """The successive dumps that make `data.pkl`."""

    def __init__(self, notebook: Notebook, stands: Callable[[str], bool]) -> None:
        self._notebook = notebook
        self.contents = Contents()
        """Digests of what is large in the values."""
        self._buffer = _Buffer()
        self._pickler = _Pickler(self._buffer, notebook, stands, self._buffer.keep_apart)

    @property
    def data(self) -> Data:
        """All that was dumped; it points to the values' own memory."""
        return Data(tuple(self._buffer.chunks), tuple(self._buffer.apart), self.contents)

    @property
    def modules(self) -> frozenset[str]:
        """Modules whose functions and classes the values refer to."""
        return frozenset(self._pickler.modules)

    def mark(self) -> _Mark:
        memo = pickle.Pickler(_Nothing())
        memo.memo = self._pickler.memo
        return _Mark(len(self._buffer.chunks), len(self._buffer.apart), self._buffer.size_bytes, memo)

    def back(self, mark: _Mark) -> None:
        """Forgets what was dumped since."""
        del self._buffer.chunks[mark.chunks :], self._buffer.apart[mark.apart :]
        self._buffer.size_bytes = mark.size_bytes
        self._pickler.memo = mark.memo.memo

    def dump(self, path: str, value: object, limit: int | None = None) -> int:
        """Its size in bytes; raises NeedsFirst, TooLarge, or CaptureError with the path of what cannot travel."""
        mark = self.mark()
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
        return self._buffer.size_bytes - mark.size_bytes

    def _refuse(self, path: str, value: object, error: Exception) -> CaptureError:
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
            _Pickler(_Nothing(), self._notebook).dump(value)
        except Exception as error:  # noqa: BLE001 - as above
            return error
        return None
