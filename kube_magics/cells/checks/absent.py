"""What a notebook has and a job has not: `input()`, `breakpoint()`, `get_ipython()`.

They are refused wherever the cell may come to them.

Where a `try` prepares for their failure, they fail in the job as they do in a script, and nothing is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from types import FunctionType

from kube_magics.cells.analysis.reads import CellNames, Names
from kube_magics.cells.closure.closure import Closure
from kube_magics.cells.definitions import bytecode
from kube_magics.errors import CaptureError, CellError

_HINTS = {
    "breakpoint": "nobody can answer a job: print() what you want to see, or debug a small case in the notebook",
    "get_ipython": "a job has no notebook around it: leave get_ipython() to another cell",
    "input": "nobody can answer a job: set the value in a cell before this one",
}


def check_absent(nodes: Sequence[ast.stmt], names: CellNames, closure: Closure) -> None:
    """Raises CellError for the cell's own statements, CaptureError for definitions of the notebook."""
    made = {name for name in _HINTS if names.bindings[name] or closure.has(name)}
    for node, found in zip(nodes, names.statements, strict=True):
        for name, line in _uses(node, found, made):
            raise CellError(f"Line {line}: {name}() does not work in a job.", hint=_HINTS[name])
    check_definitions(closure, made)


def check_definitions(closure: Closure, made: Iterable[str] = ()) -> None:
    for step in closure.steps:
        source = step.item.source
        for name, line in _uses(source.node, closure.names(step.name), made) if source else ():
            place = f"{step.name} ({source.cell.label}, line {line})" if source else step.name
            raise CaptureError(f"{place}: {name}() does not work in a job.", hint=_HINTS[name])
    for function in (function for dumped in closure.dumped for function in dumped.functions):
        if function.__globals__ is closure.notebook.namespace:
            _check_code(function, made)


def _check_code(function: FunctionType, made: Iterable[str]) -> None:
    """A function that travels without its source, in which commands and magics are calls of get_ipython() for good."""
    code = function.__code__
    for name in sorted((bytecode.looked_up(code)[0] & _HINTS.keys()).difference(made)):
        if not code.co_exceptiontable:
            what = "get_ipython(), a command or a magic does" if name == "get_ipython" else f"{name}() does"
            raise CaptureError(
                f"{function.__qualname__} (line {code.co_firstlineno} of its cell): {what} not work in what travels "
                "without its source.",
                hint="write it with def at the top level of a cell" if name == "get_ipython" else _HINTS[name],
            )


def _uses(node: ast.stmt, found: Names, made: Iterable[str]) -> Iterator[tuple[str, int]]:
    read = {name for name in _HINTS if name in found.eager or name in found.later.reads}.difference(made)
    for part in _unprepared(node):
        if isinstance(part, ast.Name) and part.id in read:
            yield part.id, part.lineno
        elif isinstance(part, ast.ImportFrom) and (part.module or "").partition(".")[0] == "IPython":
            yield from (("get_ipython", part.lineno) for alias in part.names if alias.name == "get_ipython")
        elif isinstance(part, ast.Attribute) and part.attr == "get_ipython" and isinstance(part.value, ast.Name):
            yield from (("get_ipython", part.lineno) for _ in [part] if part.value.id == "IPython")


def _unprepared(node: ast.AST) -> Iterator[ast.AST]:
    """All parts in their order, but for what stands in a `try` that has handlers."""
    yield node
    for part in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Try) and node.handlers and part in node.body):
            yield from _unprepared(part)
