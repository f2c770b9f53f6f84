"""Canonical digests of plain values and arrays: equal values have equal digests, whatever their pickles look like.

Covers None, numbers, text, bytes, the built-in containers, dates, paths, and numpy arrays of plain types. For anything
else `digest` gives None: it cannot be compared.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import hashlib
import pathlib
import struct
import uuid
from typing import Any

_AS_TEXT = (
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    *(decimal.Decimal, fractions.Fraction, uuid.UUID, range, slice, type(Ellipsis)),
)


class _Incomparable(Exception):
    pass


def digest(value: object) -> str | None:
    """SHA-256 of the value's type and content, in hexadecimal; None if it has no canonical form here."""
    try:
        return _digest(value, ()).hex()
    except (_Incomparable, RecursionError):
        return None


def _hash(tag: str, *chunks: Any) -> bytes:
    found = hashlib.sha256(tag.encode() + b"\0")
    for chunk in chunks:
        size = chunk.nbytes if isinstance(chunk, memoryview) else len(chunk)
        found.update(struct.pack(">Q", size))
        found.update(chunk)
    return found.digest()


def _digest(value: Any, above: tuple[int, ...]) -> bytes:
    kind = type(value)
    if value is None or kind in (bool, int):
        return _hash(kind.__name__, repr(value).encode())
    if kind is float:
        return _hash("float", struct.pack(">d", value))
    if kind is complex:
        return _hash("complex", struct.pack(">dd", value.real, value.imag))
    if kind is str:
        return _hash("str", value.encode("utf-8", "surrogatepass"))
    if kind in (bytes, bytearray):
        return _hash(kind.__name__, bytes(value))
    if kind in _AS_TEXT or isinstance(value, pathlib.PurePath):
        return _hash(kind.__name__, repr(value).encode())
    if id(value) in above:
        raise _Incomparable  # contains itself
    return _container(value, (*above, id(value)))


def _container(value: Any, above: tuple[int, ...]) -> bytes:
    kind = type(value)
    if kind in (list, tuple):
        return _hash(kind.__name__, *(_digest(item, above) for item in value))
    if kind in (set, frozenset):
        return _hash(kind.__name__, *sorted(_digest(item, above) for item in value))
    if kind is dict:
        return _hash("dict", *sorted(_digest(key, above) + _digest(item, above) for key, item in value.items()))
    if kind.__module__ == "numpy" and hasattr(value, "dtype") and hasattr(value, "tobytes"):
        return _array(value)
    raise _Incomparable


def _array(value: Any) -> bytes:
    if value.dtype.hasobject or type(value).__name__ not in ("ndarray", value.dtype.type.__name__):
        raise _Incomparable
    flags = getattr(value, "flags", None)
    plain = value.dtype.kind in "biufc" and flags is not None and flags.c_contiguous and value.ndim > 0 and value.size
    content = memoryview(value).cast("B") if plain else value.tobytes()
    return _hash(type(value).__name__, str(value.dtype.descr).encode(), repr(value.shape).encode(), content)
