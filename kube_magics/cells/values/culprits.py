"""What a value is made of, and what kind of live thing cannot travel: for errors that name the path to it."""

from __future__ import annotations

import contextvars
import io
import mmap
import re
import tempfile
import types
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from kube_magics.cells.definitions import modules


def parts(value: Any) -> Iterator[tuple[str, object]]:
    """What a value is made of, each with the code that leads to it."""
    if isinstance(value, Mapping):
        yield from ((f"[{_quoted(key)}]", item) for key, item in list(value.items()))
        yield from ((f".keys()[{number}]", key) for number, key in enumerate(list(value)))
    elif isinstance(value, list | tuple | deque):
        names = getattr(value, "_fields", ())
        for number, item in enumerate(value):
            yield (f".{names[number]}" if number < len(names) else f"[{number}]"), item
    elif isinstance(value, set | frozenset):
        yield from ((f"[element {number}]", item) for number, item in enumerate(list(value)))
    if isinstance(value, types.FunctionType):
        yield from _variables(value)
    elif not isinstance(value, type | types.ModuleType):
        yield from ((f".{name}", item) for name, item in _attributes(value).items())


def _variables(value: types.FunctionType) -> Iterator[tuple[str, object]]:
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        try:
            yield f" (its variable {name})", cell.cell_contents
        except ValueError:  # not bound yet
            continue
    defaults = value.__defaults__ or ()
    names = value.__code__.co_varnames[: value.__code__.co_argcount]
    yield from (
        (f" (its default {name})", item) for name, item in zip(reversed(names), reversed(defaults), strict=False)
    )
    yield from ((f" (its default {name})", item) for name, item in (value.__kwdefaults__ or {}).items())
    yield from ((f".{name}", item) for name, item in vars(value).items())


def _attributes(value: Any) -> dict[str, object]:
    found = {name: item for name, item in (getattr(value, "__dict__", None) or {}).items() if not name.startswith("__")}
    for owner in type(value).__mro__:
        slots = owner.__dict__.get("__slots__", ())
        for slot in [slots] if isinstance(slots, str) else slots:
            if hasattr(value, slot):
                found.setdefault(slot, getattr(value, slot))
    if type(value).__module__ in _WITH_PARTS:
        for name in ("func", "args", "keywords", "__self__", "__func__", "__wrapped__", "default_factory"):
            if hasattr(value, name):
                found.setdefault(name, getattr(value, name))
    return found


_WITH_PARTS = ("functools", "collections", "builtins")


def _quoted(key: object) -> str:
    if isinstance(key, str) and '"' not in key and key.isprintable():
        return f'"{key}"'
    text = repr(key)
    return text if len(text) <= 40 else text[:37] + "..."


_CONNECT = "connect inside the cell"
_MAKE = "make it inside the cell"
_NOTEBOOK = ("part of this notebook", "a job has no notebook around it: use plain values")
_OPEN_FILE = ("an open file", "open it inside the cell, or pass its text")
_ARCHIVE = ("an open file", "open it inside the cell; --files brings the file itself along")
_BY_TYPE: tuple[tuple[type | tuple[type, ...], str, str], ...] = (
    (
        (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType),
        "a {name}",
        "make it inside the cell, or a list of it: list(...)",
    ),
    (io.IOBase, *_OPEN_FILE),
    (mmap.mmap, "a file mapped into memory", "map it inside the cell, or pass bytes(...) of it"),
    (memoryview, "a view of other memory", "pass bytes(...) of it, or the array that it shows"),
    ((types.FrameType, types.TracebackType), "a running frame or traceback", "pass its text"),
    ((weakref.ref, weakref.ProxyType, weakref.CallableProxyType), "a weak reference", "pass the object itself"),
    (re.Match, "a match of a regular expression", "pass its text: match.group(), match.groupdict()"),
    (type({}.keys()), "a view of a dict", "pass a list of it: list(...)"),
    (type({}.values()), "a view of a dict", "pass a list of it: list(...)"),
    (type({}.items()), "a view of a dict", "pass a dict or list of it"),
    (contextvars.Token, "a token of a context variable", "set the variable inside the cell"),
    ((contextvars.Context, contextvars.ContextVar), "a context of this process", "set the variable inside the cell"),
    (tempfile.TemporaryDirectory, "a temporary folder", "make it inside the cell; --files brings files along"),
)
_BY_MODULE: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("_thread", "threading"), ("a lock or thread", _MAKE)),
    **dict.fromkeys(("socket", "_socket", "ssl", "_ssl", "select", "selectors"), ("a network connection", _CONNECT)),
    **dict.fromkeys(
        ("subprocess", "multiprocessing", "concurrent", "asyncio", "_asyncio", "joblib", "loky", "ray", "dask"),
        ("a live process, pool or task", _MAKE),
    ),
    **dict.fromkeys(("IPython", "ipykernel", "traitlets", "ipywidgets", "comm", "anywidget", "tkinter"), _NOTEBOOK),
    **dict.fromkeys(
        ("sqlite3", "psycopg", "psycopg2", "asyncpg", "duckdb", "pyodbc", "pymysql", "MySQLdb", "redis", "pymongo"),
        ("a connection", _CONNECT),
    ),
    **dict.fromkeys(
        ("botocore", "boto3", "paramiko", "grpc", "kafka", "pyspark", "httpx", "aiohttp", "urllib3", "ftplib"),
        ("a connection", _CONNECT),
    ),
    **dict.fromkeys(("tempfile",), _OPEN_FILE),
    **dict.fromkeys(("zipfile", "tarfile", "h5py", "netCDF4", "shelve", "dbm", "_dbm", "_gdbm", "tables"), _ARCHIVE),
    "tqdm": ("a progress bar of this notebook", "make it inside the cell, around what the job loops over"),
    "logging": ("a handler of logging", "configure logging inside the cell; loggers travel by their name"),
    **dict.fromkeys(("ctypes", "_ctypes"), ("a pointer or library of this process", "load it inside the cell")),
    modules.OURS: ("a running job or another part of kube_magics", "pass its value: job.result()"),
}
_CONNECTIONS = ("Connection", "Cursor", "Engine", "Session", "Client", "Channel")


def describe(value: object) -> tuple[str | None, str]:
    """What kind of live thing a value is, and what to do instead; (None, "") for any other."""
    kind = type(value)
    name, full = kind.__name__, f"{kind.__module__}.{kind.__qualname__}"
    for types_, what, hint in _BY_TYPE:
        if isinstance(value, types_):
            return what.format(name=name.replace("_", " ")), hint
    roots = (str(base.__module__).partition(".")[0] for base in kind.__mro__)
    found = next((_BY_MODULE[root] for root in roots if root in _BY_MODULE), None)
    if found is None and name.endswith("DataLoaderIter"):
        found = ("a running iterator of a DataLoader", "iterate over the DataLoader inside the cell")
    if found is None and any(word in name for word in _CONNECTIONS):
        found = ("a connection", _CONNECT)
    if found is None:
        return None, ""
    return found[0] if found is _OPEN_FILE else f"{found[0]} ({full})", found[1]
