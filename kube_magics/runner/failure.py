"""How the user's program ended, if not by reaching its end: shown as Python shows it, and kept for the notebook.

No frame of ours is ever seen: a traceback begins in the cell.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback

from . import quickjson
from .keep import PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT_FRAMES = 200
PICKLE_BYTES = 1024 * 1024


def ended_by(error: BaseException, folder: str, results: str) -> int:
    """Show and (if `results` names a folder) keep the exception; the exit code that a script would end with."""
    error.__traceback__ = stack = from_cell(error.__traceback__, folder)
    if isinstance(error, SystemExit):
        code = exit_code(error)
        if code and results:
            keep(describe(error, stack, code), None, results)
        return code
    install = getattr(error, "kube_magics_import", None)
    description = describe(error, stack, None)
    if install:
        description.update(reason="import", install=" ".join(install), text=f"{type(error).__name__}: {error}\n")
        sys.stderr.write(description["text"])
    else:
        if isinstance(error, ModuleNotFoundError) and error.name:
            from .imports import distribution

            description["install"] = distribution(error.name.partition(".")[0])
        show(error, stack, description["text"])
    if results:
        keep(description, error, results)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def from_cell(stack: TracebackType | None, folder: str) -> TracebackType | None:
    """The traceback from the first frame that is not ours."""
    main = os.path.join(folder, "main.py")
    at = stack
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if os.path.dirname(file) != HERE and file != main:
            return at
        at = at.tb_next
    return None


def exit_code(error: SystemExit) -> int:
    """What sys.exit() was called with, as Python understands it: a text is printed and means 1."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def show(error: BaseException, stack: TracebackType | None, text: str) -> None:
    """Through the user's own excepthook if there is one; else the text, with the cell's source lines."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, stack
    if sys.excepthook is sys.__excepthook__:
        sys.stderr.write(text)
        return
    try:
        sys.excepthook(type(error), error, stack)
    except Exception:  # noqa: BLE001  (Python would go on too)
        sys.stderr.write(text)


def describe(error: BaseException, stack: TracebackType | None, code: int | None) -> dict[str, Any]:
    kind = type(error)
    try:
        text = "".join(traceback.format_exception(kind, error, stack))
    except Exception as problem:  # noqa: BLE001  (an exception whose own __str__ fails)
        text = f"{kind.__name__}: <no text: {type(problem).__name__}>\n"
    return {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "message": message(error),
        "frames": frames(stack),
        "text": text,
        "exit": code,
    }


def message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # noqa: BLE001
        return f"<no text: {type(problem).__name__}>"


def frames(stack: TracebackType | None) -> list[dict[str, Any]]:
    """Outermost first; of a very deep stack the two ends."""
    found = [
        {"file": frame.filename, "line": frame.lineno, "name": frame.name, "text": frame.line or ""}
        for frame in traceback.extract_tb(stack)
    ]
    if len(found) > KEPT_FRAMES:
        return found[: KEPT_FRAMES // 2] + found[-KEPT_FRAMES // 2 :]
    return found


def keep(description: dict[str, Any], error: BaseException | None, results: str) -> None:
    """error.json, and @error.pkl if the exception survives being pickled."""
    data = pickled(error) if error is not None else b""
    if data:
        with open(os.path.join(results, "@error.pkl"), "wb") as file:
            file.write(data)
    quickjson.write_file(os.path.join(results, "error.json"), description)


def pickled(error: BaseException) -> bytes:
    """The exception as it would arrive; nothing if it would not: unpicklable attributes, an __init__ of other shape."""
    try:
        data = pickle.dumps(error, PROTOCOL)
        back = pickle.loads(data)
        if type(back) is type(error) and len(data) <= PICKLE_BYTES and message(back) == message(error):
            return data
    except Exception:  # noqa: BLE001  (any failure means the same: it travels as text only)
        return b""
    return b""
