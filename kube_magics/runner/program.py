"""Runs in the user's process: the notebook's statements, in main.py's own names, as if main.py contained them.

main.py, the user's `__main__`, calls `run(globals())` and has nothing else in it. Spawned and forkserver workers import
main.py again, under another name: they get the definitions and never the statements.

What the first line of the user's need not wait for (tracebacks, pretty printing, pickling) is imported when needed.
"""

from __future__ import annotations
import __future__

import builtins
import io
import os
import sys

from . import display, lastword, linesource, quickjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType
    from typing import Any

    Names = dict[str, Any]
    Step = dict[str, Any]

VALUE = "@value"
DEEPEST = 10_000
DEEP_BYTES = 800
"""Of stack for each level of what is pickled: twice what it takes."""
ONLY_AST = 0x400
TOP_LEVEL_AWAIT = 0x2000


def futures(names: Iterable[str]) -> int:
    """The compiler flags of `from __future__ import ...`."""
    flags = 0
    for name in names:
        flags |= getattr(__future__, name).compiler_flag
    return flags


FUTURES = futures(__future__.all_feature_names)


class Program:
    """program.json, being run."""

    def __init__(self, folder: str, names: Names) -> None:
        program = quickjson.read_file(os.path.join(folder, "program.json"))
        self.folder = folder
        self.names = names
        self.definitions: list[Step] = program.get("definitions") or []
        self.statements: list[Step] = program.get("statements") or []
        self.returns: list[str] = program.get("returns") or []
        self.shows_last: bool = bool(program.get("last_expression"))
        self.values: Names = {}
        self._awaits: bool = bool(program.get("awaits"))
        self._timed = False
        self._commands: Any = None
        self._rewritten: set[str] = set()
        self._sources: dict[str, list[str]] = {}
        self._futures: dict[str, int] = {}
        self._flags = 0
        self._unpickler: Any = None
        self._skew: str | None = None
        self._loop: Any = None
        for name, cell in program["cells"].items():
            self._sources[name] = cell["source"].splitlines(True)
            self._futures[name] = futures(cell.get("future") or ())
            if cell.get("commands"):
                self._rewritten.add(name)
            linesource.register(name, _shown(self._sources[name], cell.get("shown") or {}))
        if self._rewritten:
            from .commands import Commands

            names["__kube_magics__"] = self._commands = Commands(names)

    def compare(self, pickled: dict[str, str], versions: dict[str, str]) -> None:
        """Warn of captured values whose libraries are other ones here, before any is loaded."""
        from .versions import skew

        self._skew = skew(pickled, versions, "in the notebook", "here")
        if self._skew:
            sys.stderr.write(f"captured values: {self._skew}\n")

    def define(self) -> None:
        for step in self.definitions:
            self._do(step)

    def execute(self) -> None:
        value = None
        last = len(self.statements) - 1
        if self._awaits:
            from .awaiting import Loop

            self._loop = Loop(self._sources)
        try:
            for number, step in enumerate(self.statements):
                value = self._do(step, show=self.shows_last and number == last)
        finally:
            if self._loop is not None:
                self._loop.end()
            if self._timed:
                self._commands.end()
        if value is not None:
            self.names["_"] = value
            builtins.display(value)  # type: ignore[attr-defined]

    def _do(self, step: Step, show: bool = False) -> Any:
        """Run one step; the value of its last expression, if that is to be shown."""
        kind = step["do"]
        if kind == "exec":
            lines = self._sources[step["cell"]]
            first = step["first"]
            text = "\n" * (first - 1) + "".join(lines[first - 1 : step["last"]])
            return self._exec(text, step["cell"], show)
        if kind == "import":
            self._exec(step["source"], "<import>", show=False)
        elif kind == "time":
            self._timed = True
            self._commands.begin()
        elif kind == "load":
            self.names[step["name"]] = self._captured(step["name"])
        elif kind == "change":
            from .rebuild import change

            value = None if step["how"] == "delete" else self._captured(step["name"])
            change(self.names[step["name"]], step["path"], step["how"], value)
        elif kind == "call":
            function, args, kwargs = self._load()
            self.values[VALUE] = function(*args, **kwargs)
        elif kind == "script":
            from .script import run as run_script

            run_script(self.folder, step, self.names)
        else:
            raise ValueError(f"program.json asks for {kind!r}, which this runner does not know")
        return None

    def _exec(self, text: str, filename: str, show: bool) -> Any:
        """Run statements; `from __future__` holds for all that follows, as in a notebook."""
        if not show and filename not in self._rewritten:
            self._run(self._compile(text, filename, "exec"))
            return None
        import _ast

        tree = self._compile(text, filename, "exec", ONLY_AST)
        assert isinstance(tree, _ast.Module)
        if filename in self._rewritten:
            from .syntax import expand

            tree = expand(tree)
        last = tree.body.pop() if show and tree.body and isinstance(tree.body[-1], _ast.Expr) else None
        self._run(self._compile(tree, filename, "exec"))
        if not isinstance(last, _ast.Expr):
            return None
        return self._run(self._compile(_ast.Expression(last.value), filename, "eval"))

    def _compile(self, source: Any, filename: str, mode: str, flags: int = 0) -> Any:
        flags |= self._flags | self._futures.get(filename, 0) | (TOP_LEVEL_AWAIT if self._awaits else 0)
        return compile(source, filename, mode, flags, dont_inherit=True)

    def _run(self, code: CodeType) -> Any:
        self._flags |= code.co_flags & FUTURES
        if self._loop is not None:
            return self._loop.run(code, self.names)
        return eval(code, self.names)  # noqa: S307  (the user's program is what this is for)

    def _captured(self, name: str) -> Any:
        try:
            return self._load()
        except Exception as error:
            here = ".".join(map(str, sys.version_info[:3]))
            problem = f"{name} was pickled in the notebook and cannot be loaded here, by Python {here}"
            if not self._skew:
                raise RuntimeError(f"{problem}: {type(error).__name__}: {error}") from error
            from .versions import VersionSkew

            cause = VersionSkew(self._skew)
            cause.__cause__ = error
            raise RuntimeError(f"{problem}: {type(error).__name__}: {error} ({self._skew})") from cause

    def _load(self) -> Any:
        if self._unpickler is None:
            from .unpickler import Unpickler

            self._unpickler = Unpickler(os.path.join(self.folder, "data.pkl"), self.names)
        # As if a cell loaded it: some values (statsmodels' models) evaluate formulas in the frame of their caller.
        return eval("load()", self.names, {"load": self._unpickler.load})  # noqa: S307


def _shown(lines: list[str], shown: Names) -> str:
    """A cell as its user wrote it: `shown` has the lines that are no Python."""
    return "".join(shown.get(str(number), line) for number, line in enumerate(lines, 1))


def _alone(folder: str) -> str:
    """A folder with this job's `kube_magics` and nothing else of ours: for torchrun's workers, a script's process."""
    place = os.path.join(folder, "alone")
    try:
        os.mkdir(place)
        os.symlink(os.path.join(folder, "kube_magics"), os.path.join(place, "kube_magics"))
    except OSError:
        return ""  # a full disk
    return place


def run(names: Names) -> None:
    """What main.py calls: all of the program if it is the program, in a worker process its definitions only."""
    folder = os.path.dirname(os.path.abspath(names["__file__"]))
    names.pop("run", None)
    line_buffered()
    display.install()
    if os.environ.get("KUBE_MAGICS_PACKAGES"):
        import site

        for place in os.environ["KUBE_MAGICS_PACKAGES"].split(os.pathsep):
            site.addsitedir(place)  # on sys.path it is already: for its .pth files
    if names["__name__"] != "__main__":
        Program(folder, names).define()
        return
    sys.path.insert(1, "")  # the working folder, as in a notebook
    # In the environment for the processes that the user starts (workers of multiprocessing get sys.path anyway).
    places = [os.environ.get("PYTHONPATH") or "", _alone(folder)]
    modules = os.path.join(folder, "modules")
    if os.path.isdir(modules):
        # Before this folder too, whose main.py is no module of the user's.
        sys.path.insert(0, modules)
        places.insert(0, modules)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    os.environ["PYTHONUNBUFFERED"] = "1"
    results = os.environ.pop("KUBE_MAGICS_RESULTS", "") or os.path.join(folder, "results")
    spec = quickjson.read_file(os.path.join(folder, "spec.json"))
    pid = os.getpid()
    spare = os.open(os.devnull, os.O_RDONLY)
    display.begin(folder)
    program = None
    try:
        program = _begun(spec, folder, names)
        program.define()
        program.execute()
        display.show_open_figures()
    except BaseException as error:  # noqa: BLE001  (whatever ends the user's program is told, then ends it)
        _make_ready(spare)
        _end_by(error, folder, results if os.getpid() == pid else "")
    if program is not None and (program.returns or program.values) and os.getpid() == pid:
        _make_ready(spare)
        _keep(program, spec, results)


def _end_by(error: BaseException, folder: str, results: str) -> None:
    try:
        from .failure import ended_by
    except (ImportError, OSError) as problem:
        sys.exit(lastword.unkept(error, problem))

    display.show_open_figures()
    code = ended_by(error, folder, results)
    if code:
        sys.exit(code)


def _keep(program: Program, spec: dict[str, Any], results: str) -> None:
    try:
        from .keep import keep
    except (ImportError, OSError) as problem:
        sys.exit(lastword.unkept(None, problem))

    keep(
        program.returns,
        program.names,
        program.values,
        results,
        None if spec.get("artifacts") else spec.get("result_limit_bytes"),
        notebook_python=spec.get("notebook_python") or "",
        compare=bool(spec.get("sharing")),
    )


def _make_ready(spare: int) -> None:
    """For what follows the program. `spare` is a descriptor that is kept for it: a program may have used up all others.

    A limit that the program has raised would let what is nested as deep overflow the stack of pickling: the process
    would be killed, instead of one value missing.
    """
    os.closerange(spare, spare + 1)  # which does not mind that the program has closed it
    if sys.getrecursionlimit() > 1000:
        import resource

        stack_bytes = resource.getrlimit(resource.RLIMIT_STACK)[0]
        deepest = DEEPEST if stack_bytes == resource.RLIM_INFINITY else min(DEEPEST, stack_bytes // DEEP_BYTES)
        sys.setrecursionlimit(min(sys.getrecursionlimit(), deepest))


def _begun(spec: dict[str, Any], folder: str, names: Names) -> Program:
    """The program, once this interpreter is found to be one that can run it; raises what stands in the way."""
    from .imports import introduce, may_be_installed, missing_error

    installs = bool((spec.get("install") or {}).get("auto"))
    missing, versions = introduce(spec.get("imports") or {}, folder if installs else None)
    if missing:
        raise missing_error(missing, tried=installs and may_be_installed(missing))
    if spec.get("bytecode"):
        from .skew import mismatch

        problem = mismatch(spec)
        if problem is not None:
            raise problem
    program = Program(folder, names)
    if spec.get("pickled"):
        program.compare(spec["pickled"], versions)
    return program


def line_buffered() -> None:
    """Lines leave as lines: whole, at once, with one write each. Also where the image asks for unbuffered output."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        errors = "backslashreplace" if name == "stderr" else stream.errors or "strict"
        if isinstance(stream.buffer, io.RawIOBase):
            stream = open(stream.fileno(), "w", buffering=1, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        else:
            stream.reconfigure(encoding="utf-8", errors=errors, line_buffering=True)
