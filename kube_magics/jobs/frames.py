"""A traceback of frames that ran elsewhere: IPython and Python show the notebook's own lines for it."""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

MOST_FRAMES = 5000
"""However often a frame is said to be repeated."""

_known: dict[str, dict[int, str]] = {}


def traceback_of(frames: Sequence[Mapping[str, Any]], files: Mapping[str, str]) -> TracebackType | None:
    """`frames` are those of the runner's `chain.frames`; `files` maps their file names to those of cells here."""
    tb: TracebackType | None = None
    left = MOST_FRAMES
    for frame in reversed(frames):
        line = max(1, _whole(frame.get("line"), 1))
        file = _file(str(frame.get("file") or "<job>"), line, str(frame.get("text") or ""), files)
        times = min(left, max(1, _whole(frame.get("n"), 1)))
        left -= times
        code = _code(file, line, frame)  # one for all: IPython knows a recursion by that
        for _ in range(times):
            tb = _frame(code, line, frame.get("hidden") is True, tb)
    return tb


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _file(shown: str, line: int, text: str, files: Mapping[str, str]) -> str:
    """The name under which linecache has the frame's line: the cell's, else the file's if it is the same file here."""
    file = files.get(shown, shown)
    if not text or (file != shown and "/" not in shown):
        return file  # a cell of this notebook; a local module may have been edited since
    lines = dict(enumerate(text.split("\n"), line))
    here = {number: linecache.getline(file, number).rstrip("\n") for number in lines}
    if here == lines:
        return file
    if file not in _known and (any(here.values()) or (file.endswith(".py") and not Path(file).exists())):
        # Another version of it is here, and its lines would be wrong; or none, and IPython opens what ends in .py.
        file = f"{file} (in the job)"
    known = _known.setdefault(file, {})
    known.update(enumerate(_alone(text).split("\n"), line))
    whole = [known.get(number, "") + "\n" for number in range(1, max(known) + 1)]
    linecache.cache[file] = (sum(map(len, whole)), None, whole, file)
    return file


def _alone(text: str) -> str:
    """`text` so that it can be parsed without what is around it: of a file that cannot be, IPython shows no line."""
    dedented = textwrap.dedent(text)
    for shown in (dedented, f"{dedented} ..."):
        try:
            ast.parse(shown)
        except (SyntaxError, ValueError):
            continue
        return shown
    return dedented


def _code(file: str, line: int, frame: Mapping[str, Any]) -> CodeType:
    """What raises there, and is called as the frame's function is."""
    name, at = str(frame.get("name") or "<module>"), frame.get("at")
    # IPython looks for the text of a function where its code begins.
    first = min(line, max(1, _whole(frame.get("first"), 1 if name == "<module>" else line)))
    statement = ast.Raise(ast.Name("ValueError", ast.Load()))
    for node in (statement, statement.exc):
        assert node is not None
        node.lineno = node.end_lineno = line - first + 1
        node.col_offset, node.end_col_offset = 0, len(linecache.getline(file, line).encode()) or 1
        if isinstance(at, list) and len(at) == 3 and all(isinstance(number, int) for number in at):
            cut = _indent(str(frame.get("text") or "")) - _indent(linecache.getline(file, line))
            node.end_lineno = max(line, at[0]) - first + 1
            node.col_offset, node.end_col_offset = max(0, at[1] - cut), max(0, at[2] - cut)
    code: CodeType = compile(ast.Module([statement], []), file, "exec")
    return code.replace(co_name=name, co_qualname=str(frame.get("whole") or name), co_firstlineno=first)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _frame(code: CodeType, line: int, hidden: bool, inner: TracebackType | None) -> TracebackType:
    names = {"__name__": "__main__", "__file__": code.co_filename, "__tracebackhide__": hidden}
    try:
        exec(code, names)  # noqa: S102 - the one way to get a frame of that file
    except ValueError as error:
        made = error.__traceback__
        assert made is not None
        found = made.tb_next
        assert found is not None
        return TracebackType(inner, found.tb_frame, found.tb_lasti, line)
    raise AssertionError("it raises")
