"""Runs in the user's process: what a notebook shows as a picture, on its way to the runner.

The picture lies in a file, and its name goes through the FIFO. The runner passes on what was printed before, then the
picture, and removes the file: until then the program waits, so that what it prints next comes after.
"""

from __future__ import annotations

import itertools
import os
import sys
import time

from . import quickjson
from .images import FOLDER, SIGNATURE, TEXT_CHARACTERS, Budget
from .pretty import attempt, pretty
from .report import send_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE_S = 10.0
"""A log that is read so slowly is not waited for: then what is printed next may come first."""
HOW_ELSE = "save it to a file, and bring that back with --returns-files"

home: list[Any] = []
"""Set by display(): process id and folder of the bundle, where pictures can be shown at all."""
_budget = Budget()
_numbers = itertools.count(1)


def here() -> bool:
    """Whether this process shows pictures."""
    return bool(home) and home[0] == os.getpid() and not _budget.spent


def shown(value: Any, bundle: dict[str, Any]) -> bool:
    """Show `value` as a picture, if it is one, and more of them may be shown."""
    if not here():
        return False
    data = png(bundle.get("image/png"))
    if not data and hasattr(type(value), "_repr_png_"):
        data = png(_called(value, "_repr_png_"))
    if not data:
        return False
    send(data, str(bundle.get("text/plain") or _text(value)))
    return True


def bundle_of(value: Any) -> dict[str, Any]:
    """What an object says it looks like, by MIME type."""
    if not hasattr(type(value), "_repr_mimebundle_"):
        return {}
    found = _called(value, "_repr_mimebundle_")
    found = found[0] if isinstance(found, tuple) and found else found
    return found if isinstance(found, dict) else {}


def png(data: Any) -> bytes:
    """The bytes of a PNG that an object gave, which may be in base64 or with its metadata."""
    data = data[0] if isinstance(data, tuple) and data else data
    if isinstance(data, str) or (isinstance(data, bytes) and not data.startswith(SIGNATURE)):
        from binascii import a2b_base64

        try:
            data = a2b_base64(data)
        except ValueError:
            return b""
    return data if isinstance(data, bytes) and data.startswith(SIGNATURE) else b""


def send(data: bytes, text: str, note: str = "") -> bool:
    """Hand one PNG to the runner, and wait until it stands in the log; False if it is not shown."""
    if not here():
        return False
    why = _budget.refusal(data)
    if why:
        data, note = b"", f"{text} is not shown: {why}; {HOW_ELSE}"
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):  # the user has closed it, or put something else in its place
            continue
    name = f"{next(_numbers)}.png"
    folder = os.path.join(home[1], FOLDER)
    path = os.path.join(folder, name)
    try:
        os.makedirs(folder, exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    except OSError:
        return False
    told = {"e": "picture", "file": name, "text": text[:TEXT_CHARACTERS], "note": note[: 2 * TEXT_CHARACTERS]}
    send_line(quickjson.dumps(told))
    until, pause_s = time.monotonic() + PATIENCE_S, 0.0005
    while os.path.exists(path) and time.monotonic() < until:
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.02)
    return not why


def is_figure(value: Any) -> bool:
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    return figure is not None and isinstance(value, figure)


def _called(value: Any, method: str) -> Any:
    """An object that cannot draw itself is shown as text, below the reason."""
    return attempt(_call, value, method)


def _call(value: Any, method: str) -> Any:
    return getattr(value, method)()


def _text(value: Any) -> str:
    try:
        return pretty(value)
    except Exception:  # noqa: BLE001  (the picture is there all the same)
        return object.__repr__(value)
