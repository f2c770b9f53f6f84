"""How the user's program ended, if not by reaching its end: shown as Python shows it, and kept for the notebook.

No frame of ours is ever seen: a traceback begins in the cell.
"""

from __future__ import annotations

import os
import sys
import traceback
from binascii import crc32

from . import lastword
from .chain import encode, frames, links, message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def ended_by(error: BaseException, folder: str, results: str) -> int:
    """Show and (if `results` names a folder) keep the exception; the exit code that a script would end with."""
    found = links(error, folder)
    if isinstance(error, SystemExit):
        code = exit_code(error)
        if code and results:
            keep(describe(error, code), [], results)
        return code
    reason = getattr(error, "kube_magics_reason", None)
    description = describe(error, None)
    if reason:  # ours, raised before the cell began: one line, no frames
        install = " ".join(getattr(error, "kube_magics_import", ()))
        description.update(reason=reason, text=f"{type(error).__name__}: {error}\n")
        description.update({"install": install} if install else {})
        _write(description["text"])
    else:
        if isinstance(error, ModuleNotFoundError) and error.name:
            from .imports import distribution

            description["install"] = distribution(error.name.partition(".")[0])
        show(error, description["text"])
    if results:
        keep(description, found, results)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def exit_code(error: SystemExit) -> int:
    """What sys.exit() was called with, as Python understands it: a text is printed and means 1."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    _write(f"{code}\n")
    return 1


def show(error: BaseException, text: str) -> None:
    """Through the user's own excepthook if there is one; else the text, with the cell's source lines."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.excepthook is sys.__excepthook__:
        _write(text)
        return
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except Exception:  # noqa: BLE001  (Python would go on too)
        _write(text)


def _write(text: str) -> None:
    """To stderr, which the program may have closed: the exception itself still comes home."""
    try:
        sys.stderr.write(text)
    except (OSError, ValueError, AttributeError):
        return


def describe(error: BaseException, code: int | None) -> dict[str, Any]:
    kind = type(error)
    try:
        text = "".join(traceback.format_exception(kind, error, error.__traceback__))
    except Exception as problem:  # noqa: BLE001  (whatever its own class does to it)
        text = f"{kind.__name__}: <no text: {type(problem).__name__}>\n"
    return {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "message": message(error),
        "frames": frames(error.__traceback__),
        "text": text,
        "crc": crc32(text.encode("utf-8", "backslashreplace")),
        "exit": code,
    }


def keep(description: dict[str, Any], found: list[BaseException], results: str) -> None:
    """error.json, and @error.pkl, which rebuilds it."""
    if not lastword.write(os.path.join(results, "error.json"), description):
        return
    try:
        data = encode(found) if found else b""
    except Exception:  # noqa: BLE001  (a class can defeat anything: then its text travels)
        data = b""
    path = os.path.join(results, "@error.pkl")
    try:
        if data:
            with open(path + ".part", "wb") as file:
                file.write(data)
            os.replace(path + ".part", path)
    except OSError:
        return  # a full disk: then its text travels
