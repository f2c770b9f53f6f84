"""What a value is made of, and what kind of live thing cannot travel: for errors that name the path to it."""

from __future__ import annotations

import io
import types
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from kube_magics.cells import modules


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


def describe(value: object) -> tuple[str | None, str]:  # noqa: PLR0911 - one return a kind
    """What kind of live thing a value is, and what to do instead; (None, "") for any other."""
    kind = type(value)
    where, name = kind.__module__.partition(".")[0], kind.__name__
    full = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, types.GeneratorType | types.CoroutineType | types.AsyncGeneratorType):
        return f"a {name.replace('_', ' ')}", "make it inside the cell, or a list of it: list(...)"
    if isinstance(value, io.IOBase) or where == "tempfile":
        return "an open file", "open it inside the cell, or pass its text"
    if where in ("_thread", "threading"):
        return f"a lock or thread ({full})", "make it inside the cell"
    if where in ("socket", "ssl", "select", "selectors"):
        return f"a network connection ({full})", "connect inside the cell"
    if where in ("subprocess", "multiprocessing", "concurrent", "asyncio"):
        return f"a live process, pool or task ({full})", "make it inside the cell"
    if where in ("IPython", "ipykernel", "traitlets", "ipywidgets", "comm"):
        return f"part of this notebook ({full})", "a job has no notebook around it: use plain values"
    if where == modules.OURS:
        return f"a running job or another part of kube_magics ({full})", "pass its value: job.result()"
    if where == "sqlite3" or any(word in name for word in ("Connection", "Cursor", "Engine", "Session", "Client")):
        return f"a connection ({full})", "connect inside the cell"
    return None, ""
