"""What a user is told although the job runs: sentences, each of one line, for `Capture.warnings`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

from kube_magics.cells.analysis.reads import CellNames
from kube_magics.cells.checks.refused import known
from kube_magics.cells.closure.closure import Closure
from kube_magics.cells.definitions.compare import static

_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_COMPUTE_NOTHING = (ast.Import, ast.ImportFrom, ast.Pass, *_DEFINITIONS.__args__)


def only_defines(nodes: Sequence[ast.stmt], names: CellNames, returns: Sequence[str]) -> Iterator[str]:
    """A cell whose statements leave nothing behind but functions and classes that nobody calls."""
    made = [node.name for node in nodes if isinstance(node, _DEFINITIONS)]
    called = any(statement.at_once for statement in names.statements)
    if made and not called and not returns and all(_computes_nothing(node) for node in nodes):
        yield f"this cell only defines {_listed(made)}: the job will compute nothing"


def undefined(nodes: Sequence[ast.stmt], names: CellNames, closure: Closure) -> Iterator[str]:
    """Names that nobody has and nothing binds, read where it is not certain that the cell comes to it."""
    if names.dynamic:
        return
    for name, need in names.needs.items():
        if not need.sure and not need.weak and not names.bindings[name] and not known(name, closure):
            place = _place(name, nodes, names, closure)
            if place:
                yield f"{place}: name '{name}' is not defined here; the job fails if it comes to that line"


def patched(nodes: Sequence[ast.stmt], closure: Closure) -> Iterator[str]:
    """What the notebook put into modules, and classes of modules, that travel by import: the job has the originals."""
    found: dict[int, tuple[str, object]] = {}
    for step in closure.steps:
        if step.item.kind == "import":
            value = closure.notebook.namespace[step.name]
            found[id(value)] = (step.name, value)
    for name, value in _imported(nodes):
        found.setdefault(id(value), (name, value))
    for name, value in found.values():
        ours = closure.notebook.module
        if isinstance(value, ModuleType | type) and value.__name__ != ours:
            put = [key for key, item in vars(value).items() if static(item, "__module__") == ours]
            if put:
                yield f"{_listed([f'{name}.{key}' for key in put])} was replaced here: the job has the original"


def apart(names: Sequence[str]) -> str:
    """Of arrays that share memory, and whose memory cannot travel as one."""
    what = f"arrays in {names[0]}" if len(names) == 1 else _listed(names)
    return f"{what} share memory here, not in the job: there, to change one changes no other"


def _imported(nodes: Sequence[ast.stmt]) -> Iterator[tuple[str, object]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, sys.modules.get(alias.name)) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = sys.modules.get(node.module or "")
            yield from ((alias.asname or alias.name, getattr(module, alias.name, None)) for alias in node.names)


def _computes_nothing(node: ast.stmt) -> bool:
    plain = isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
    return plain or isinstance(node, _COMPUTE_NOTHING)


def _listed(made: Sequence[str]) -> str:
    few = list(dict.fromkeys(made))
    return ", ".join(few[:3]) + (f" and {len(few) - 3} more" if len(few) > 3 else "")


def _place(name: str, nodes: Sequence[ast.stmt], names: CellNames, closure: Closure) -> str | None:
    for node, found in zip(nodes, names.statements, strict=True):
        line = _line(node, name) if name in found.eager or name in found.later.reads else None
        if line is not None:
            return f"line {line}"
    for step in closure.steps:
        source = step.item.source
        if source is not None and name in closure.names(step.name).later.reads:
            line = _line(source.node, name)
            return None if line is None else f"{step.name} ({source.cell.label}, line {line})"
    return None


def _line(node: ast.stmt, name: str) -> int | None:
    """Of the first part that reads the name; None: only where its absence is foreseen."""
    if not any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node)):
        return node.lineno  # mangled by its class
    parts = [part for part in _unforeseen(node) if isinstance(part, ast.Name) and part.id == name]
    return min((part.lineno for part in parts), default=None)


def _unforeseen(node: ast.AST) -> Iterator[ast.AST]:
    """All parts but the `$name` of a command, which may go without, and what a `try` is prepared to miss."""
    stack = [node]
    while stack:
        part = stack.pop()
        if hasattr(part, "perhaps"):
            continue
        yield part
        prepared = isinstance(part, ast.Try) and any(_catches(handler) for handler in part.handlers)
        missed = part.body if isinstance(part, ast.Try) and prepared else []
        stack += [inner for inner in ast.iter_child_nodes(part) if inner not in missed]


def _catches(handler: ast.ExceptHandler) -> bool:
    words = {part.id for part in ast.walk(handler.type) if isinstance(part, ast.Name)} if handler.type else set()
    return handler.type is None or bool(words & {"NameError", "Exception", "BaseException"})
