"""An exception with all that it was raised from, during or for, or that it holds as a group: how it travels.

`@error.pkl` is a pickle of plain data: {"links": [link, …]}, the raised exception first. A link is

    type module message        as in the error event
    frames                     [{file line name text first at whole hidden n}], outermost first; `first`: where the
                               function begins; `at`: end line, column and end column in bytes, where known; `whole`:
                               the name with its class (Python 3.11), if it has one; `hidden`: its __tracebackhide__;
                               `n`: so many equal frames
    cause context suppress     indices of links, or None
    group                      indices of the exceptions inside, or None
    whole                      pickle of the exception, if it comes out of it as it went in; else
    args state lost            pickles of what can travel, to be set without calling its __init__, and why not the rest
"""

from __future__ import annotations

import builtins
import io
import linecache
import os
import pickle
import traceback

from .pickling import PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    Link = dict[str, Any]

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT_FRAMES = 200
MOST_FRAMES = 4_000
"""A program may raise Python's own limit of 1000; printing a million frames takes minutes and gigabytes."""
MESSAGE_CHARACTERS = 100_000
VALUE_BYTES = 256 * 1024
"""More than this in one attribute is data, not an error: it stays in the pod, and a note says so."""
TOTAL_BYTES = 900_000
"""Of all links: below what the log carries of one result."""
ENOUGH_BYTES = TOTAL_BYTES // 2
"""With so much gathered, further links come without their values."""
SHOWN_LINES = 10
GROUP: type | None = getattr(builtins, "BaseExceptionGroup", None)
_Member = type(OSError.errno)


def links(error: BaseException, folder: str) -> list[BaseException]:
    """The exception, and all that hang together with it; none of their tracebacks has a frame of ours any more."""
    found = [error]
    seen = {id(error)}
    for one in found:
        one.__traceback__ = of_user(one.__traceback__, folder)
        for other in (one.__cause__, one.__context__, *inside(one)):
            if other is not None and id(other) not in seen:
                seen.add(id(other))
                found.append(other)
    return found


def inside(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of a group."""
    return tuple(error.exceptions) if GROUP is not None and isinstance(error, GROUP) else ()  # type: ignore[attr-defined]


def of_user(stack: TracebackType | None, folder: str) -> TracebackType | None:
    """The traceback without our frames, wherever they stand in it; of an endless recursion the two ends."""
    main = os.path.join(folder, "main.py")
    theirs = []
    while stack is not None:
        file = stack.tb_frame.f_code.co_filename
        if os.path.dirname(file) != HERE and file != main:
            theirs.append(stack)
        stack = stack.tb_next
    if len(theirs) > MOST_FRAMES:
        theirs[MOST_FRAMES // 2 : -MOST_FRAMES // 2] = []
    for this, following in zip(theirs, [*theirs[1:], None]):
        if this.tb_next is not following:  # Python looks through all that follows for a circle, each time it is set
            this.tb_next = following
    return theirs[0] if theirs else None


def message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # noqa: BLE001
        return f"<no text: {type(problem).__name__}>"


def in_bundle(file: str) -> str:
    """The name of a file of the bundle as the notebook knows it: modules/net/layers.py."""
    top = os.path.dirname(HERE) + os.sep
    return file[len(top) :] if file.startswith(top) else file


def frames(stack: TracebackType | None) -> list[dict[str, Any]]:
    """Outermost first, repetitions counted; of a very deep stack the two ends."""
    found: list[dict[str, Any]] = []
    for (running, _), frame in zip(traceback.walk_tb(stack), traceback.extract_tb(stack)):
        at = [getattr(frame, name, None) for name in ("end_lineno", "colno", "end_colno")]
        line = frame.lineno or 1
        last = min(at[0] or line, line + SHOWN_LINES - 1)
        text = "".join(linecache.getline(frame.filename, number) for number in range(line, last + 1)).rstrip("\n")
        entry: dict[str, Any] = {"file": in_bundle(frame.filename), "line": line, "name": frame.name, "text": text}
        entry["first"] = running.f_code.co_firstlineno
        whole = getattr(running.f_code, "co_qualname", frame.name)
        if whole != frame.name:
            entry["whole"] = whole
        if running.f_locals.get("__tracebackhide__"):
            entry["hidden"] = True
        if None not in at:
            entry["at"] = at
        if found and {key: found[-1][key] for key in found[-1] if key != "n"} == entry:
            found[-1]["n"] = found[-1].get("n", 1) + 1
        else:
            found.append(entry)
    if len(found) > KEPT_FRAMES:
        return found[: KEPT_FRAMES // 2] + found[-KEPT_FRAMES // 2 :]
    return found


def encode(found: list[BaseException]) -> bytes:
    """`links`, as they travel. What is beyond the room loses its values first, then stays away."""
    numbers = {id(error): number for number, error in enumerate(found)}
    kept: list[Link] = []
    size = 0
    for error in found:
        link = {**_about(error, numbers), **(_values(error) if size < ENOUGH_BYTES else {})}
        size += len(pickle.dumps(link, PROTOCOL))
        if size > TOTAL_BYTES:
            break
        kept.append(link)
    for link in kept:
        for key in ("cause", "context"):
            if link[key] is not None and link[key] >= len(kept):
                link[key] = None
        if link["group"]:
            here = [number for number in link["group"] if number < len(kept)]
            link["absent"] = len(link["group"]) - len(here)
            link["group"] = here
    return pickle.dumps({"links": kept}, PROTOCOL)


def _about(error: BaseException, numbers: dict[int, int]) -> Link:
    kind = type(error)
    group = [numbers[id(one)] for one in inside(error)]
    return {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "message": message(error)[:MESSAGE_CHARACTERS],
        "frames": frames(error.__traceback__),
        "cause": numbers.get(id(error.__cause__)),
        "context": numbers.get(id(error.__context__)),
        "suppress": error.__suppress_context__,
        "group": group or None,
    }


def _values(error: BaseException) -> Link:
    whole = b"" if inside(error) else _whole(error)
    if whole:
        return {"whole": whole}
    lost: dict[str, str] = {}
    args = error.args[:1] if inside(error) else error.args
    sent = [_value(f"args[{number}]", value, lost) for number, value in enumerate(args)]
    state = {name: _value(name, value, lost) for name, value in _state(error).items()}
    return {"args": sent, "state": {name: data for name, data in state.items() if data}, "lost": lost}


def _whole(error: BaseException) -> bytes:
    """Nothing if it would not arrive as it is: unpicklable attributes, an __init__ of other shape, slots."""
    try:
        data = _pickled(error)
        back = pickle.loads(data)
        same = type(back) is type(error) and message(back) == message(error)
        return data if same and not _state(error).keys() - _state(back).keys() else b""
    except Exception:  # noqa: BLE001  (any failure means the same)
        return b""


def _value(name: str, value: Any, lost: dict[str, str]) -> bytes:
    try:
        data = _pickled(value)
        pickle.loads(data)
    except Exception as problem:  # noqa: BLE001  (one value that cannot travel must not keep the others)
        lost[name] = f"{type(problem).__name__}: {problem}"[:200]
        return b""
    return data


def _state(error: BaseException) -> dict[str, Any]:
    """Its attributes: those of its __dict__, of slots, and those that a built-in class keeps by itself."""
    found = dict(getattr(error, "__dict__", None) or {})
    for kind in type(error).__mro__:
        for name, member in vars(kind).items():
            if type(member) is not _Member or name.startswith("__") or name in found:
                continue
            if name in ("obj", "exceptions"):  # what an AttributeError was looked for in: any of the user's objects
                continue
            try:
                value = getattr(error, name)
            except AttributeError:
                continue
            if value is not None:
                found[name] = value
    return found


class _Bounded(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > VALUE_BYTES:
            raise ValueError(f"it is larger than {VALUE_BYTES // 1024} KiB")
        return super().write(data)


def _pickled(value: Any) -> bytes:
    file = _Bounded()
    pickle.Pickler(file, PROTOCOL).dump(value)
    return file.getvalue()
