"""A cell's text: parsed, in its own line numbers (the %%kubetrain line is line 1), or refused by line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kube_magics.errors import CellError

_SHELL = re.compile(r"^\s*(?:[\w.,\s\[\]\"']+=\s*)?!")
_MAGIC = re.compile(r"^\s*(?:[\w.,\s\[\]\"']+=\s*)?%{1,2}[A-Za-z]")
_HELP = re.compile(r"^\s*\?{1,2}[\w.*]+\s*;?\s*$|^\s*[\w.*%]+\?{1,2}\s*;?\s*$")
_ABSENT = {
    "get_ipython": "a job has no notebook around it: leave get_ipython() to another cell",
    "input": "nobody can answer a job: set the value in a cell before this one",
}


@dataclass(frozen=True)
class Unit:
    """Statements that share lines (`a = 1; b = 2`) and so can only be run together."""

    nodes: tuple[ast.stmt, ...]
    first: int
    last: int


@dataclass(frozen=True)
class Parsed:
    text: str
    "the cell with its first line blank"
    units: tuple[Unit, ...]
    future: bool
    "has `from __future__ import annotations` itself"
    shows_last: bool
    "the last statement is an expression whose value a notebook would show"


def normal(source: str) -> str:
    """Line ends as the compiler counts them."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def first_line(node: ast.stmt) -> int:
    """Where the statement begins, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def units(body: Sequence[ast.stmt]) -> tuple[Unit, ...]:
    groups: list[list[ast.stmt]] = []
    for node in body:
        if groups and first_line(node) <= (groups[-1][-1].end_lineno or 0):
            groups[-1].append(node)
        else:
            groups.append([node])
    return tuple(Unit(tuple(group), first_line(group[0]), group[-1].end_lineno or 0) for group in groups)


def parse_cell(source: str, label: str | None) -> Parsed:
    """Raises CellError: the cell is empty, is no Python, or has what only a notebook understands."""
    lines = normal(source).split("\n")
    if lines[0].startswith("%%"):
        lines[0] = ""
    text = "\n".join(lines)
    filename = f"<{label or 'cell'}>"
    try:
        tree = ast.parse(text, filename)
    except SyntaxError as error:
        raise _refuse(error, lines) from error
    except ValueError as error:  # null bytes
        raise CellError(f"The cell is not Python text: {error}.", hint="remove the null character") from error
    if not tree.body:
        raise CellError("The cell is empty: there is nothing to run as a job.", hint="write code below the first line")
    for line, sentence in _asynchronous(tree.body):
        raise CellError(f"Line {line}: {sentence}", hint="write: import asyncio; asyncio.run(main())")
    try:
        compile(tree, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _refuse(error, lines) from error
    return Parsed(text, units(tree.body), imports_future(tree.body), _shows_last(tree.body[-1], lines))


def imports_future(body: Sequence[ast.stmt]) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in body
    )


def absent_in_jobs(name: str, line: int) -> CellError | None:
    """The error for a name that a notebook has and a job has not."""
    if name not in _ABSENT:
        return None
    return CellError(f"Line {line}: {name}() does not work in a job.", hint=_ABSENT[name])


def _refuse(error: SyntaxError, lines: Sequence[str]) -> CellError:
    number = error.lineno or 1
    text = lines[number - 1].strip() if number <= len(lines) else ""
    if _SHELL.match(text):
        what, hint = "a shell command does not work in a job's cell yet", "run it in a cell of its own before this one"
    elif _MAGIC.match(text):
        what, hint = "a magic does not work in a job's cell yet", "move it to a cell of its own before this one"
    elif _HELP.match(text):
        what, hint = "a question does not work in a job's cell", "ask in a cell of its own"
    else:
        if error.text is None and text:
            error.text = lines[number - 1]
        return CellError(f"Line {number}: {error.msg}: {text}", hint=f"correct line {number} and run the cell again")
    return CellError(f"Line {number}: {what}: {text}", hint=hint)


def _asynchronous(body: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    """`await` and its kin outside of any function."""
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield node.lineno, "await outside a function does not work in a job's cell yet."
        elif isinstance(node, ast.comprehension) and node.is_async:
            yield node.target.lineno, "an asynchronous comprehension does not work in a job's cell yet."
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inner: list[ast.AST] = [*node.args.defaults, *(part for part in node.args.kw_defaults if part is not None)]
            inner += getattr(node, "decorator_list", [])
        else:
            inner = list(ast.iter_child_nodes(node))
        stack += reversed(inner)


def _shows_last(last: ast.stmt, lines: Sequence[str]) -> bool:
    if not isinstance(last, ast.Expr) or last.end_lineno is None or last.end_col_offset is None:
        return False
    line = lines[last.end_lineno - 1].encode()[last.end_col_offset :].decode()
    return not line.lstrip(" \t\f)").startswith(";")
