"""The values that the user asked back, into the results folder."""

from __future__ import annotations

import os

from . import quickjson
from .pickling import PROTOCOL, Plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .byvalue import Returning
    from .sharing import Links

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

    `compare`: what they share stays one object; the module for that travels with jobs that ask for it.
    """
    missing: dict[str, str] = {}
    too_large: dict[str, int] = {}
    minor = ".".join(notebook_python.split(".")[:2])
    sharing = None
    if compare:
        from .sharing import Sharing

        sharing = Sharing(lambda value, path, links: _write(value, path, limit, minor, links))
    for name in [*values, *(name for name in returns if name not in values)]:
        if name not in values and name not in names:
            missing[name] = "never set"
            continue
        value = values[name] if name in values else names[name]
        try:
            written, pickler = _write(value, os.path.join(results, name + ".pkl"), limit, minor)
        except Exception as error:  # noqa: BLE001  (one value that cannot travel must not keep the others)
            missing[name] = f"cannot be pickled: {type(error).__name__}: {error}"[:500]
            continue
        if written.too_large:
            too_large[name] = written.size
        elif sharing is not None and written.fine <= SHARING_BYTES:
            sharing.add(name, value, pickler)
    if sharing is not None:
        sharing.join(results)
    if missing or too_large:
        quickjson.write_file(os.path.join(results, "missing.json"), {"missing": missing, "too_large": too_large})


def _write(
    value: Any, path: str, limit: int | None, minor: str, links: Links | None = None
) -> tuple[Limited, Plain | Returning]:
    """Pickle to `path`, complete or not at all; `links`: what another file brings."""
    try:
        return _written(path, limit, lambda file: _of(Plain, links)(file, PROTOCOL), value)
    except Exception:  # noqa: BLE001  (whatever it is: perhaps something without source, which needs more than pickle)
        from .byvalue import Returning

        return _written(path, limit, lambda file: _of(Returning, links)(file, PROTOCOL, minor), value)


def _of(kind: Any, links: Links | None) -> Any:
    if links is None:
        return kind
    from .sharing import Linking

    return type(kind.__name__, (Linking, kind), {"links": links})


def _written(path: str, limit: int | None, make: Callable[[Limited], Any], value: Any) -> tuple[Limited, Any]:
    part = path + ".part"
    with open(part, "wb") as file:
        limited = Limited(file, limit)
        pickler = make(limited)
        pickler.dump(value)
    if limited.too_large:
        os.remove(part)
    else:
        os.replace(part, path)
    return limited, pickler
