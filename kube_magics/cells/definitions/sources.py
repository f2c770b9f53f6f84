"""Where the notebook's functions and classes have their source: the statement, as it stands in the cell that ran it."""

from __future__ import annotations

import ast
import copy
import linecache
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePath
from types import CodeType, FunctionType
from typing import Any

from kube_magics.cells.analysis import ipython
from kube_magics.cells.analysis.names import import_name
from kube_magics.cells.analysis.syntax import first_line, normal
from kube_magics.cells.definitions import changes
from kube_magics.cells.definitions.changes import Change
from kube_magics.cells.definitions.classes import class_differences
from kube_magics.cells.definitions.compare import (
    FUTURE,
    Context,
    codes,
    functions_inside,
    made_by,
    same_code,
    static,
)
from kube_magics.cells.definitions.modules import OURS
from kube_magics.cells.notebook import PLACED, Cell, Notebook
from kube_magics.errors import CaptureError
from kube_magics.runner.syntax import Expander

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Source:
    """A `def` or `class` statement of a cell."""

    name: str
    cell: Cell
    node: Definition
    context: Context
    first: int
    last: int
    lines: tuple[str, ...]
    "the lines first..last that travel"
    commands: bool = False
    "has what runner/syntax.py turns into Python"
    changes: tuple[Change, ...] = ()
    "since the statement ran"


@lru_cache(maxsize=512)
def parsed(source: str) -> ast.Module | None:
    lines = normal(source).split("\n")
    if lines[0].startswith("%%"):
        lines[0] = ""
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError):  # a cell that failed, or has what only IPython reads
        return None


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of the module itself, those in its branches, loops and handlers included."""
    for node in body:
        yield node
        for field in ("body", "orelse", "finalbody"):
            if not isinstance(node, Definition):
                yield from statements(getattr(node, field, []))
        for inner in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            yield from statements(inner.body)


@lru_cache(maxsize=512)
def imported(source: str) -> frozenset[str]:
    """Names that a cell imports at its top level."""
    tree = parsed(source) if "import" in source else None
    found = [node for node in statements(tree.body) if isinstance(node, ast.Import | ast.ImportFrom)] if tree else []
    return frozenset(import_name(alias) for node in found for alias in node.names if alias.name != "*")


def definitions(cell: Cell, name: str) -> list[Definition]:
    """The statements of a cell that define `name`, the last one first."""
    if re.search(rf"\b(?:def|class)\s+{re.escape(name)}\b", cell.source) is None:
        return []
    tree = parsed(cell.source)
    nodes = statements(tree.body) if tree else ()
    return [node for node in nodes if isinstance(node, Definition) and node.name == name][::-1]


def find_class(name: str, value: type, notebook: Notebook) -> Source | None:
    """The class statement that makes the class, with what was changed since; None if no cell has it."""
    changed: Source | None = None
    for cell in _cells(value, notebook):
        for node in definitions(cell, name):
            if not isinstance(node, ast.ClassDef):
                continue
            context = Context(notebook.future(cell), imported(cell.source))
            differences = class_differences(value, node, notebook.namespace, context)
            if differences is None:
                continue
            surely = [each for each in differences if each.sure]
            if not _made_here(value, node, cell) or (surely and changed is not None):
                continue
            since = (*changes.of(differences), *changes.registered(value))
            changed = replace(_source(name, cell, node, notebook, context), changes=since)
            if not surely:
                return changed
    return changed


def _made_here(value: type, node: ast.ClassDef, cell: Cell) -> bool:
    """Whether the statement made this class, as far as its functions tell."""
    lines = range(first_line(node), (node.end_lineno or node.lineno) + 1)
    inside = list(_codes(value))
    here = [code for code in inside if code.co_filename == cell.filename and code.co_firstlineno in lines]
    if any(code.co_qualname.startswith(f"{value.__qualname__}.") and _is_written(code) for code in inside):
        return bool(here)
    return bool(here) or not any(isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in node.body)


def _codes(value: type) -> Iterator[CodeType]:
    """Of the class's functions, and those of the classes in it."""
    for item in vars(value).values():
        yield from (function.__code__ for function in functions_inside(item, 2))
        if isinstance(item, type) and item.__qualname__.startswith(f"{value.__qualname__}."):
            yield from _codes(item)


def _is_written(code: CodeType) -> bool:
    """Not generated: dataclass, attrs and namedtuple compile texts of their own."""
    return bool(linecache.getlines(code.co_filename)) and "generated" not in code.co_filename


def find_function(name: str, value: Any, notebook: Notebook) -> Source | None:
    """The `def` statement that, with its decorators, makes `value`; None if no cell has it."""
    found = list(functions_inside(value))
    for cell in _cells(value, notebook):
        for node in definitions(cell, name):
            if isinstance(node, ast.ClassDef):
                continue
            for function in [function for function in found if _from_cell(function, cell, node)]:
                context = Context(bool(function.__code__.co_flags & FUTURE), imported(cell.source))
                if made_by(function.__code__, node, context) and not _wrapped(value, function, node, notebook):
                    since = changes.of_function(value, function, node, notebook.namespace)
                    if since is not None:
                        return replace(_source(name, cell, node, notebook, context), changes=since)
    return None


def undecorated(source: Source, value: Any, notebook: Notebook) -> Source | None:
    """The statement without its decorators, if these gave back what it made: what else they did is in other values."""
    node = source.node
    if not node.decorator_list or not source.lines[node.lineno - source.first :] or source.lines[0] == "if True:":
        return None
    fields = {field: getattr(node, field) for field in node._fields}
    bare = ast.copy_location(type(node)(**{**fields, "decorator_list": []}), node)
    since: tuple[Change, ...] | None = None
    if isinstance(bare, ast.ClassDef):
        roots = [_root(decorator, notebook) for decorator in node.decorator_list]
        ours = all(notebook.module in (type(root).__module__, static(root, "__module__")) for root in roots)
        if ours and isinstance(value, type) and "__dataclass_fields__" not in vars(value):
            differences = class_differences(value, bare, notebook.namespace, source.context)
            since = None if differences is None else (*changes.of(differences), *changes.registered(value))
    elif isinstance(value, FunctionType) and made_by(value.__code__, bare, source.context):
        since = changes.of_function(value, value, bare, notebook.namespace)
    if since is None:
        return None
    lines = source.lines[node.lineno - source.first :]
    return replace(source, node=bare, first=node.lineno, lines=lines, changes=since)


def _cells(value: object, notebook: Notebook) -> Iterator[Cell]:
    """The cells that may have made a value, the most likely first."""
    placed = PLACED.cell(value)
    if placed is not None:
        yield placed
    known = notebook.latest
    inside: set[str] = set()
    for item in [value, *vars(value).values()] if isinstance(value, type) else [value]:
        inside |= {function.__code__.co_filename for function in functions_inside(item, 2)}
        owner = PLACED.cell(item)
        if owner is not None:
            yield owner
    yield from (cell for cell in reversed(known.values()) if cell.filename in inside)
    for filename in sorted(inside - known.keys()):
        lines = linecache.getlines(filename)  # what %run or a debugger compiled
        if lines:
            yield Cell(filename, PurePath(filename).name.strip("<>"), "".join(lines))
    yield from (cell for cell in reversed(known.values()) if cell.filename not in inside)


def _from_cell(function: FunctionType, cell: Cell, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    code = function.__code__
    return code.co_filename == cell.filename and code.co_name == node.name and code.co_firstlineno == first_line(node)


def _wrapped(
    value: Any, function: FunctionType, node: ast.FunctionDef | ast.AsyncFunctionDef, notebook: Notebook
) -> bool:
    """Whether `value` is not what the statement's decorators make of `function`, as far as that can be seen."""
    if value is function:
        return False
    if not node.decorator_list:
        return True
    if not isinstance(value, FunctionType) or value.__code__.co_filename not in notebook.latest:
        return False  # the wrapper comes from a library
    outermost = _root(node.decorator_list[0], notebook)
    makers = [function.__code__ for function in functions_inside(outermost)]
    if isinstance(outermost, type):
        makers += [inner.__code__ for item in vars(outermost).values() for inner in functions_inside(item)]
    return not any(same_code(value.__code__, code) for maker in makers for code in [maker, *codes(maker)])


def _root(expression: ast.expr, notebook: Notebook) -> Any:
    while isinstance(expression, ast.Call):
        expression = expression.func
    if isinstance(expression, ast.Attribute):
        return getattr(_root(expression.value, notebook), expression.attr, None)
    return notebook.namespace.get(expression.id) if isinstance(expression, ast.Name) else None


def is_ours(value: object) -> bool:
    module = static(value, "__name__" if type(value).__name__ == "module" else "__module__")
    return isinstance(module, str) and module.partition(".")[0] == OURS


def _source(name: str, cell: Cell, node: Definition, notebook: Notebook, context: Context) -> Source:
    lines = normal(cell.source).split("\n")
    first, last = first_line(node), node.end_lineno or node.lineno
    kept = [decorator for decorator in node.decorator_list if not is_ours(_root(decorator, notebook))]
    for decorator in node.decorator_list:
        if decorator not in kept:  # @kube_magics.remote asks for a job; inside the job the function is just called
            for number in range(decorator.lineno, (decorator.end_lineno or decorator.lineno) + 1):
                lines[number - 1] = ""
    if len(kept) != len(node.decorator_list):
        fields = {field: getattr(node, field) for field in node._fields}
        node = ast.copy_location(type(node)(**{**fields, "decorator_list": kept}), node)
        first = first_line(node)
    taken = lines[first - 1 : last]
    if node.col_offset:
        first, taken = _out_of_branch(node, first, taken)
    expander = Expander()
    if ipython.may_hold(cell.source):
        node = expander.visit(copy.deepcopy(node))
    if expander.refused:
        found = expander.refused[0]
        error = ipython.refuse(found, f"{name} ({cell.label}, line {found.line})")
        raise CaptureError(error.message, hint=error.hint)
    return Source(name, cell, node, context, first, last, tuple(taken), expander.found)


def _out_of_branch(node: Definition, first: int, lines: list[str]) -> tuple[int, list[str]]:
    """A definition inside a branch or loop, without it: moved to the left, or under an `if` where moving it would
    change a string that spans lines."""
    moved = [line[node.col_offset :] if not line[: node.col_offset].strip() else line for line in lines]
    try:
        same = ast.dump(ast.parse("\n".join(moved)).body[0]) == ast.dump(node)
    except SyntaxError:
        same = False
    return (first, moved) if same else (first - 1, ["if True:", *lines])
