"""The values that the user asked back, into the results folder."""

from __future__ import annotations

import os
import sys

from . import quickjson
from .pickling import PROTOCOL, Plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .byvalue import Returning
    from .sharing import Sharing

FRAME_BYTES = 1 << 17
"""More than pickle writes at once, other than bytes of the user's."""

SHARING_BYTES = 1 << 23
"""Of a pickle without its large blocks: to list what is in it takes up to twenty times as much memory."""


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

    `compare`: what they share is said; the module for that travels with jobs that ask for it.
    """
    missing: dict[str, str] = {}
    too_large: dict[str, int] = {}
    sharing = None
    if compare:
        from .sharing import Sharing

        sharing = Sharing()
    for name in [*values, *(name for name in returns if name not in values)]:
        if name not in values and name not in names:
            missing[name] = "never set"
            continue
        value = values[name] if name in values else names[name]
        minor = ".".join(notebook_python.split(".")[:2])
        try:
            size = _write(value, os.path.join(results, name + ".pkl"), limit, minor, sharing)
        except Exception as error:  # noqa: BLE001  (one value that cannot travel must not keep the others)
            missing[name] = f"cannot be pickled: {type(error).__name__}: {error}"[:500]
            continue
        if size is not None:
            too_large[name] = size
    shared = sharing.sentence() if sharing else None
    if shared:
        sys.stderr.write(f"[kube_magics: returned values: {shared}]\n")
    if missing or too_large:
        quickjson.write_file(os.path.join(results, "missing.json"), {"missing": missing, "too_large": too_large})


def _write(value: Any, path: str, limit: int | None, minor: str, sharing: Sharing | None) -> int | None:
    """Pickle to `path`, complete or not at all; the size if it is over the limit."""
    part = path + ".part"
    with open(part, "wb") as file:
        limited = Limited(file, limit)
        pickler: Plain | Returning = Plain(limited, PROTOCOL)
        try:
            pickler.dump(value)
        except Exception:  # noqa: BLE001  (whatever it is: perhaps something without source, which needs more than pickle)
            limited = Limited(file, limit)
            file.seek(0)
            file.truncate()
            pickler = _by_value(limited, minor)
            pickler.dump(value)
    if limited.too_large:
        os.remove(part)
        return limited.size
    os.replace(part, path)
    if sharing is not None and limited.fine <= SHARING_BYTES:
        sharing.add(os.path.basename(path)[: -len(".pkl")], pickler.memo)
    return None


def _by_value(file: Limited, minor: str) -> Returning:
    from .byvalue import Returning

    return Returning(file, PROTOCOL, minor)
