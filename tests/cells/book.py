"""A notebook without IPython: cells executed one by one in one namespace, as a kernel compiles them; and its jobs."""

from __future__ import annotations

import builtins
import contextlib
import io
import linecache
import sys
import tempfile
import textwrap
import types
import warnings
import zipfile
from pathlib import Path
from typing import Any

from cloudpickle import cloudpickle

from kube_magics.cells import bundle
from kube_magics.cells.capture import Capture, capture
from kube_magics.cells.notebook import Cell, Notebook
from kube_magics.magics.notebook import python
from kube_magics.runner import unpack as unpacking
from kube_magics.runner.display import display
from kube_magics.runner.program import Program

PROGRAM = ("program.json", "data.", "modules/", "work/")
OPEN: list[dict[str, Any]] = []
"Names of the notebooks and jobs of the test that runs."


class Book:
    """`run` is Shift-Enter; `job` runs a cell as the runner does, in a namespace of its own."""

    def __init__(self, *cells: str) -> None:
        self.namespace = new_main()
        self.cells: list[Cell] = []
        self.flags = 0
        for cell in cells:
            self.run(cell)

    def run(self, source: str) -> None:
        source = python(textwrap.dedent(source))
        number = len(self.cells) + 1
        cell = Cell(f"<ipython-input-{id(self)}-{number}>", f"In [{number}]", source)
        linecache.cache[cell.filename] = (len(source), None, source.splitlines(True), cell.filename)
        code = compile(source, cell.filename, "exec", flags=self.flags, dont_inherit=True)
        self.flags |= code.co_flags & 0x1000000  # `from __future__ import annotations` stays, as in IPython
        self.cells.append(cell)
        exec(code, self.namespace)

    def notebook(self) -> Notebook:
        return Notebook(self.namespace, "__main__", tuple(self.cells), f"In [{len(self.cells) + 1}]", python)

    def capture(self, source: str, *returns: str) -> Capture:
        return capture("%%kubetrain\n" + textwrap.dedent(source), self.notebook(), returns=returns)

    def capture_allowed(self, source: str, *allowed: str) -> Capture:
        return capture("%%kubetrain\n" + source, self.notebook(), allowed=allowed)

    def job(self, source: str, *returns: str) -> Ran:
        return Ran(self.capture(source, *returns))


class Ran:
    """A program, run in this process: its names, what it printed, what it raised."""

    def __init__(self, captured: Capture) -> None:
        self.capture = captured
        here = sys.modules["__main__"]
        self.names = new_main()
        self.error: BaseException | None = None
        with tempfile.TemporaryDirectory() as folder:
            unpack_program(captured, Path(folder))
            out = io.StringIO()
            program = Program(folder, self.names)
            known = dict(cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID)
            cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.clear()  # a job is another process: it knows no class of ours
            try:
                builtins.display = display  # type: ignore[attr-defined]
                with contextlib.redirect_stdout(out):
                    program.define()
                    self.defined = set(self.names)
                    program.execute()
            except Exception as error:  # noqa: BLE001 - compared with what the plain execution raises
                self.error = error
            finally:
                sys.modules["__main__"] = here
                cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.update(known)
                del builtins.display  # type: ignore[attr-defined]
                with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                    program._unpickler = None  # in a job its file is open until the process ends
        self.values = program.values
        self.output = out.getvalue()

    def __getitem__(self, name: str) -> Any:
        if self.error is not None:
            raise self.error
        return self.names[name]


def new_main() -> dict[str, Any]:
    """The names of a new module that is `__main__` from now on (conftest.py brings pytest's own back)."""
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    OPEN.append(module.__dict__)
    return module.__dict__


def close_all() -> None:
    """Let go of all notebooks and jobs of a test, as conftest.py does behind each."""
    while OPEN:
        OPEN.pop().clear()


def unpack_program(captured: Capture, folder: Path) -> None:
    """Without the runner, which is this process's own: forty files to write, and to remove."""
    with zipfile.ZipFile(io.BytesIO(bundle.build(captured, {}).data)) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(PROGRAM)])


def unpack(captured: Capture, folder: Path) -> None:
    unpacking.unpack(bundle.build(captured, {}).data, str(folder))
    (folder / "results").mkdir()


def travelling(captured: Capture) -> list[str]:
    return sorted(travel.name for travel in captured.travels)


def read_cases(name: str) -> dict[str, tuple[Any, ...]]:
    """A .cases file: {title: (cells, the job's cell, what else stands there...)}."""
    text = (Path(__file__).parent / name).read_text("utf-8")
    found: dict[str, tuple[Any, ...]] = {}
    for case in text.split("\n##### ")[1:]:
        title, _, body = case.partition("\n")
        before, _, rest = body.partition("----- job\n")
        cells = [cell.strip("\n") for cell in before.split("----- next\n") if cell.strip()]
        found[title] = (cells, *(part.strip("\n") for part in rest.split("\n----- refused\n")))
    return found
