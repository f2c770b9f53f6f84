"""A case's cell as it simply runs in its notebook: an IPython that knows nothing of us, forked anew for each case.

`Plain` asks; `python -m tests.corpus.plain` answers, a line of JSON for a line.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tests.corpus.inside import look
from tests.corpus.reading import Case
from tests.corpus.seen import Seen, seen

# What cases import and what is slow to import.
_WARM = ("IPython", "numpy", "pandas", "sklearn.pipeline", "sklearn.linear_model", "sklearn.preprocessing", "asyncio")


class Plain:
    """The process that forks the notebooks."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "IPYTHONDIR": tempfile.gettempdir()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.corpus.plain"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def run(self, case: Case, folder: Path) -> Seen:
        """`folder` holds the case's files."""
        cell = case.cell if case.cell.startswith("%%") else "# %%kubetrain\n" + case.cell
        request = {"cells": [*case.cells, cell], "look": [*case.returns, *case.after], "folder": str(folder)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer.pop("wrong") is None, answer
        return seen(**answer, numbers=range(1, len(request["cells"]) + 1))


def serve() -> None:
    for name in _WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryDirectory() as place:
            child = os.fork()
            if not child:
                _notebook(request, Path(place))
            os.waitpid(child, 0)
            print((Path(place) / "answer").read_text("utf-8"), flush=True)


def _notebook(request: dict[str, Any], place: Path) -> None:
    """One notebook from its first cell to its last; never returns."""
    status = 1
    try:
        os.chdir(request["folder"])
        sys.path[0] = ""
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        (place / "answer").write_text(json.dumps(_run(request, place)), "utf-8")
        status = 0
    finally:
        os._exit(status)


def _run(request: dict[str, Any], place: Path) -> dict[str, Any]:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    sys.modules["__main__"] = main = types.ModuleType("__main__")
    settings = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
    shell = InteractiveShell.instance(user_module=main, config=settings)
    shell.displayhook.write_output_prompt = lambda: None
    shell.displayhook.prompt_end_newline = True  # no empty line before a value of several lines
    traces: list[str] = []
    shell._showtraceback = lambda kind, error, lines: traces.append("\n".join(lines))
    error: BaseException | None = None
    for number, cell in enumerate(request["cells"]):
        last = number == len(request["cells"]) - 1
        with _into(place / ("out" if last else "before"), place / ("err" if last else "before")):
            result = shell.run_cell(cell, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error is not None and not last:
            return {"wrong": f"cell {number + 1}: {error!r}"}
    return {
        "wrong": None,
        "shown": (place / "out").read_bytes().decode(),
        "stderr": (place / "err").read_bytes().decode(),
        "error": type(error).__name__ if error else None,
        "message": str(error) if error else "",
        "traceback": "\n".join(traces),
        "values": look(shell.user_ns, request["look"]),
    }


@contextlib.contextmanager
def _into(out: Path, err: Path) -> Iterator[None]:
    """All that is written meanwhile, by child processes too, goes into files."""
    streams = (sys.stdout, sys.stderr)
    for stream, file in zip(streams, (out, err), strict=True):
        stream.flush()
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
    try:
        yield
    finally:
        for stream in streams:
            stream.flush()


if __name__ == "__main__":
    serve()
