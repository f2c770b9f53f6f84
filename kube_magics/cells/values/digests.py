"""Canonical digests of plain values and arrays: equal values have equal digests, whatever their pickles look like.

Covers None, numbers, text, bytes, the built-in containers, dates, paths, and numpy arrays of plain types. For anything
else `digest` gives None: it cannot be compared. Large contents are digested on all cores, and each only once.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import hashlib
import os
import pathlib
import pickle
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from kube_magics.artifacts.pieces import PIECE_BYTES, whole

_AS_TEXT = (
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    *(decimal.Decimal, fractions.Fraction, uuid.UUID, range, slice, type(Ellipsis)),
)
MOST_THREADS = 8
AT_ONCE_BYTES = 1024**2
"""An array up to this size is digested sooner than a thread begins."""
MOST_BYTES = 1024**3
"""Of pickles without memo: what shares its parts a thousandfold would never end."""
_UNORDERED = (pickle.EMPTY_DICT, pickle.EMPTY_SET, pickle.FROZENSET)


class _Incomparable(Exception):
    pass


def content(chunks: Iterable[Any]) -> bytes:
    """The digest of a content that is given in chunks, as `artifacts.pieces` defines it."""
    pieces = list(_pieces(chunks)) or [[]]
    if len(pieces) == 1:
        return _sha256(pieces[0])
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        return whole(list(pool.map(_sha256, pieces)))


def _sha256(chunks: Iterable[Any]) -> bytes:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.digest()


def _pieces(chunks: Iterable[Any]) -> Iterator[list[memoryview]]:
    piece: list[memoryview] = []
    room = PIECE_BYTES
    for chunk in chunks:
        view = memoryview(chunk).cast("B")
        while view.nbytes:
            if not room:
                yield piece
                piece, room = [], PIECE_BYTES
            part, view = view[:room], view[room:]
            piece.append(part)
            room -= part.nbytes
    if piece:
        yield piece


class Contents:
    """Digests of large objects, each computed once: for the comparison of cells, and for the file that travels."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, list[Future[bytes]]]] = {}

    def start(self, owner: object, view: memoryview) -> None:
        """Begin the digest of `view`, all of `owner`'s memory, on other cores; the owner is kept, and so its id."""
        if id(owner) not in self._known:
            with_all = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1))
            self._known[id(owner)] = (owner, [with_all.submit(_sha256, piece) for piece in _pieces([view])])
            with_all.shutdown(wait=False)

    def of(self, owner: object, view: memoryview) -> bytes:
        """The digest, once it is there."""
        self.start(owner, view)
        return whole([future.result() for future in self._known[id(owner)][1]])


def digest(value: object, contents: Contents | None = None) -> str | None:
    """SHA-256 of the value's types and content, in hexadecimal; None if it has no canonical form here."""
    contents = contents or Contents()
    try:
        sink = _Sink()
        _Pickler(sink, contents).dump(value)
        if sink.unordered:
            sink = _Sink()
            _Sorting(sink, contents).dump(value)
    except (_Incomparable, RecursionError, ValueError):
        return None  # ValueError: it contains itself
    return sink.hash.hexdigest()


class _Sink:
    """Keeps the digest of what is written, not what is written."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.unordered = False
        self._room = MOST_BYTES

    def write(self, chunk: Any) -> int:
        size = memoryview(chunk).nbytes
        if size >= PIECE_BYTES:  # bytes or text of the value's own: pickle writes its own words in small frames
            self.hash.update(content([chunk]))
        else:
            data = bytes(chunk)
            self.hash.update(data)
            self.unordered = self.unordered or any(mark in data for mark in _UNORDERED)
        self._room -= size
        if self._room < 0:
            raise _Incomparable
        return size


class _Pickler(pickle.Pickler):
    """Without memo, so that what is one object here and two equal ones there is the same. A walk in Python through
    a list of a hundred thousand rows would take half a second; this takes twenty milliseconds."""

    def __init__(self, sink: _Sink, contents: Contents) -> None:
        super().__init__(sink, protocol=5)
        self.fast = True
        self._contents = contents

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if value is str or value is bytes:
            return NotImplemented
        if kind in _AS_TEXT or isinstance(value, pathlib.PurePath):
            return str, (kind.__name__, repr(value))
        if kind.__module__ == "numpy" and hasattr(value, "dtype") and hasattr(value, "tobytes"):
            return bytes, _array(value, self._contents)
        raise _Incomparable


class _Sorting(_Pickler):
    """Dicts and sets in an order that does not depend on how they came to be. It is asked of every object."""

    def persistent_id(self, value: Any) -> Any:
        kind = type(value)
        if kind is dict:
            return "dict", sorted(value.items(), key=self._key)
        if kind in (set, frozenset):
            return kind.__name__, sorted(value, key=self._digest)
        return None

    def _key(self, item: tuple[Any, Any]) -> str:
        return item[0] if type(item[0]) is str else self._digest(item[0])

    def _digest(self, value: object) -> str:
        found = digest(value, self._contents)
        if found is None:
            raise _Incomparable
        return found


def _array(value: Any, contents: Contents) -> tuple[object, ...]:
    if value.dtype.hasobject or type(value).__name__ not in ("ndarray", value.dtype.type.__name__):
        raise _Incomparable
    flags = getattr(value, "flags", None)
    plain = value.dtype.kind in "biufc" and flags is not None and flags.c_contiguous and value.ndim > 0
    large = plain and value.nbytes > AT_ONCE_BYTES
    found = contents.of(value, pickle.PickleBuffer(value).raw()) if large else content(_rows(value))
    return type(value).__name__, str(value.dtype.descr), repr(value.shape), found


def _rows(value: Any) -> Iterator[bytes]:
    """Of an array in another order than C's, piece by piece: a copy of it all could be more than the memory holds."""
    if value.nbytes <= PIECE_BYTES or value.ndim == 0:
        yield value.tobytes()
    elif len(value) == 1:
        yield from _rows(value[0])
    else:
        step = max(1, PIECE_BYTES * len(value) // value.nbytes)
        for at in range(0, len(value), step):
            yield from _rows(value[at : at + step]) if step == 1 else iter([value[at : at + step].tobytes()])
