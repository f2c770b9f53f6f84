"""The values that the user asked back, into the results folder."""

from __future__ import annotations

import errno
import os
import sys

from . import lastword, scalars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .byvalue import Returning
    from .pickling import Plain
    from .sharing import Links
    from .views import Views

FRAME_BYTES = 1 << 17
"""More than pickle writes at once, other than bytes of the user's."""

PART = ".part"

SHARING_BYTES = 1 << 23
"""Of a pickle without its large blocks: to list what is in it takes up to twenty times as much memory."""

ALONE = (bool, int, float, complex, str, bytes, type(None))
"""What shares nothing: a score comes back without the modules for that, for whose import a job's end would wait."""


class Limited:
    """A file that is not written further than its limit, but knows how much would have been."""

    def __init__(self, file: Any, limit: int | None) -> None:
        self.size = 0
        self.fine = 0
        """Of it, what came in small pieces: all but large blocks of bytes."""
        self._file = file
        self._limit = limit

    @property
    def too_large(self) -> bool:
        return self._limit is not None and self.size > self._limit

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.size += size
        self.fine += size if size <= FRAME_BYTES else 0
        if not self.too_large:
            self._file.write(data)
        return size


def keep(
    returns: list[str],
    names: dict[str, Any],
    values: dict[str, Any],
    results: str,
    limit: int | None,
    *,
    notebook_python: str = "",
    compare: bool = False,
) -> None:
    """One file for each value; missing.json for those that were never set, cannot be pickled or are over the limit.

    `compare`: what they share stays one object; the module for that travels with jobs that ask for it.
    """
    too_large: dict[str, int] = {}
    files = Files(results, limit, ".".join(notebook_python.split(".")[:2]))
    given = {**values, **{name: names[name] for name in returns if name not in values and name in names}}
    sharing = None
    if compare and any(type(value) not in ALONE for value in given.values()):
        from .sharing import Sharing

        sharing = Sharing(files)
    missing = dict.fromkeys((name for name in returns if name not in given), "never set")
    if sharing is None:
        given = {name: value for name, value in given.items() if not files.write_scalar(name, value)}
    for name, value in given.items():
        try:
            written, pickler = files.write(name, value, sharing.begin(name) if sharing else None)
        except Exception as error:  # noqa: BLE001  (one value that cannot travel must not keep the others)
            missing[name] = files.why(error)[:500]
            files.empty(name)
            continue
        if written.too_large:
            too_large[name] = written.size
        elif sharing is not None and written.fine <= SHARING_BYTES:
            sharing.add(name, value, pickler)
    if sharing is not None:
        try:
            sharing.join()
        except Exception as error:  # noqa: BLE001  (whatever types of the user's answer: each value is there by itself)
            sys.stderr.write(f"[kube_magics: returned values: what they share comes back as copies: {error!r}]\n")
    if missing or too_large:
        told = lastword.write(os.path.join(results, "missing.json"), {"missing": missing, "too_large": too_large})
        for name in missing if told else ():
            files.remove(name)


class Files:
    """Where the pickles are, and what they are made for."""

    def __init__(self, folder: str, limit: int | None, minor: str) -> None:
        """`minor`: the notebook's Python."""
        _made(folder)
        self._folder = folder
        self._limit = limit
        self._minor = minor

    def write_scalar(self, name: str, value: Any) -> bool:
        """Whether it is a number or a text, and written; `write` says what stands in the way of one that is not."""
        data = scalars.pickled(value)
        if data is None or len(data) > (self._limit or len(data)):
            return False
        part = self._part(name)
        try:
            with open(part, "wb") as file:
                file.write(data)
            os.replace(part, part[: -len(PART)])
        except OSError:
            return False
        return True

    def write(
        self, name: str, value: Any, views: Views | None, links: Links | None = None
    ) -> tuple[Limited, Plain | Returning]:
        """One value's, complete or not at all; `links`: what another file brings."""
        from .pickling import PROTOCOL, Plain

        path = os.path.join(self._folder, name + ".pkl")
        part = self._part(name)

        def written(kind: Any, *options: str) -> tuple[Limited, Any]:
            with open(part, "wb") as file:
                limited = Limited(file, self._limit)
                pickler = (kind if links is None else _linking(kind))(limited, PROTOCOL, *options)
                pickler.views, pickler.links = views, links
                pickler.dump(value)
            return limited, pickler

        try:
            limited, pickler = written(Plain)
        except Exception:  # perhaps something without source, which needs more than pickle
            returning = _returning()
            if returning is None:
                raise
            limited, pickler = written(returning, self._minor)
        if limited.too_large:
            os.remove(part)
        else:
            os.replace(part, path)
        return limited, pickler

    def why(self, error: Exception) -> str:
        """Why a value is not in its file: the value's fault, or the disk's."""
        ours = str(getattr(error, "filename", None) or "").startswith(self._folder)
        if isinstance(error, OSError) and (ours or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)):
            return f"cannot be written in the job: {error.strerror}"
        return f"cannot be pickled: {type(error).__name__}: {error}"

    def empty(self, name: str) -> None:
        """Room for the others; the empty file says that there was a value, if nothing else can."""
        try:
            open(self._part(name), "wb").close()
        except OSError:
            return

    def remove(self, name: str) -> None:
        try:
            os.remove(self._part(name))
        except OSError:
            return

    def _part(self, name: str) -> str:
        return os.path.join(self._folder, name + ".pkl" + PART)


def _returning() -> Any:
    """Where the job has it: it travels with those that may return such values."""
    try:
        from .byvalue import Returning
    except ImportError:
        return None
    return Returning


def _made(folder: str) -> None:
    """The program may have removed it."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return  # each value says so


def _linking(kind: Any) -> Any:
    from .sharing import Linking

    return type(kind.__name__, (Linking, kind), {})
