"""The job's own exception, raised here: the original object where its class exists, frames in the cell's own lines."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, TracebackType
from typing import Any

from kube_magics.errors import RemoteError

Loads = Callable[[bytes], object]


def rebuild(event: Mapping[str, Any], pickled: bytes | None, loads: Loads, files: Mapping[str, str]) -> BaseException:
    """The exception of an error event, with its traceback.

    `files` maps the file names in the event's frames to those of this notebook's cells.
    """
    error = _original(pickled, loads) or _stand_in(event)
    frames = [frame for frame in event.get("frames") or () if isinstance(frame, dict)]
    tb = traceback_of(frames, files)
    if hasattr(error, "__dict__"):
        # Raising adds our own frames to __traceback__; the notebook shows these.
        error.__kube_magics_traceback__ = tb  # type: ignore[attr-defined]
    return error.with_traceback(tb)


def _original(pickled: bytes | None, loads: Loads) -> BaseException | None:
    if pickled is None:
        return None
    try:
        error = loads(pickled)
    except Exception:  # noqa: BLE001 - its class does not exist here, or its own __setstate__ fails: the stand-in says so
        return None
    return error if isinstance(error, BaseException) else None


def _stand_in(event: Mapping[str, Any]) -> BaseException:
    module, name = str(event.get("module") or "builtins"), str(event.get("type") or "Exception")
    error = RemoteError.named(module, name, f"{module}.{name}: {event.get('message')}")
    error.hint = "the class does not exist in this notebook: import or define it here to catch it by name"
    return error


def traceback_of(frames: Sequence[Mapping[str, Any]], files: Mapping[str, str]) -> TracebackType | None:
    """A traceback whose frames name these files, lines and functions: IPython shows the notebook's own lines for it."""
    tb: TracebackType | None = None
    for frame in reversed(frames):
        shown = str(frame.get("file") or "<job>")
        file = files.get(shown, shown)
        line = int(frame.get("line") or 1)
        text = str(frame.get("text") or "")
        if text and not linecache.getline(file, line):
            # A file of the job's image: its one known line, so that the traceback reads as it does there.
            linecache.cache[file] = (len(text), None, [""] * (line - 1) + [text + "\n"], file)
        tb = _frame(file, line, str(frame.get("name") or "<module>"), tb)
    return tb


def _frame(file: str, line: int, name: str, inner: TracebackType | None) -> TracebackType:
    code: CodeType = compile("\n" * (line - 1) + "raise ValueError", file, "exec")
    code = code.replace(co_name=name, co_qualname=name)
    try:
        exec(code, {"__name__": "__main__", "__file__": file})  # noqa: S102 - the one way to get a frame of that file
    except ValueError as error:
        made = error.__traceback__
        assert made is not None
        found = made.tb_next
        assert found is not None
        return TracebackType(inner, found.tb_frame, found.tb_lasti, line)
    raise AssertionError("it raises")
