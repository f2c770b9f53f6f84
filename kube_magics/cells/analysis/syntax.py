"""A cell's text: parsed, in its own line numbers (the %%kubetrain line is line 1), or refused by line."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kube_magics.cells.analysis import ipython
from kube_magics.errors import CellError
from kube_magics.runner.syntax import Expander, Magic, magic


@dataclass(frozen=True)
class Unit:
    """Statements that share lines (`a = 1; b = 2`) and so can only be run together."""

    nodes: tuple[ast.stmt, ...]
    first: int
    last: int


@dataclass(frozen=True)
class Parsed:
    text: str
    "the cell with its first line blank, and calls of get_ipython() for what is no Python"
    units: tuple[Unit, ...]
    "their nodes as a job runs them"
    future: bool
    "has `from __future__ import annotations` itself"
    shows_last: bool
    "the last statement is an expression whose value a notebook would show"
    awaits: bool = False
    "has `await`, or what needs a running event loop, outside of functions"
    commands: bool = False
    "has what runner/syntax.py turns into Python"
    timed: bool = False
    "under %%time"
    shown: Mapping[str, str] = field(default_factory=dict)
    "number of a line -> the line as its user wrote it, where the text differs"
    pip: tuple[str, ...] = ()
    "what %pip install lines outside of functions and branches ask for"
    warnings: tuple[str, ...] = ()

    @property
    def written(self) -> str:
        """The text as its user wrote it."""
        lines = enumerate(self.text.split("\n"), 1)
        return "\n".join(self.shown.get(str(number), line).rstrip("\n") for number, line in lines)


def normal(source: str) -> str:
    """Line ends as the compiler counts them."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def first_line(node: ast.stmt) -> int:
    """Where the statement begins, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def units(body: Sequence[ast.stmt], expander: Expander) -> tuple[Unit, ...]:
    """The statements in groups that share no line, each with what the job runs in its place."""
    if not body:
        return ()
    places = expander.statements(body)
    if len(places) < len(body):  # all of them under %%timeit
        return (Unit(tuple(places[0]), first_line(body[0]), body[-1].end_lineno or 0),)
    groups: list[tuple[list[ast.stmt], list[ast.stmt]]] = []
    for node, parts in zip(body, places, strict=True):
        if groups and first_line(node) <= (groups[-1][0][-1].end_lineno or 0):
            groups[-1][0].append(node)
            groups[-1][1].extend(parts)
        else:
            groups.append(([node], list(parts)))
    return tuple(Unit(tuple(parts), first_line(own[0]), own[-1].end_lineno or 0) for own, parts in groups)


def parse_cell(source: str, label: str | None, python: Callable[[str], str] = str) -> Parsed:
    """Raises CellError: the cell is empty, is no Python, or has what only a notebook can do.

    `python` turns what IPython alone reads into calls, line by line.
    """
    written = normal(source).split("\n")
    if written[0].startswith("%%"):
        written[0] = ""
    lines, timed = _under_magics(written)
    lines = python("\n".join(lines)).split("\n")
    filename = f"<{label or 'cell'}>"
    try:
        tree = ast.parse("\n".join(lines), filename)
    except SyntaxError as error:
        raise _refuse(error, written) from error
    except ValueError as error:  # null bytes
        raise CellError(f"The cell is not Python text: {error}.", hint="remove the null character") from error
    if not tree.body:
        raise CellError("The cell is empty: there is nothing to run as a job.", hint="write code below the first line")
    body, pip, ignored = _without(tree.body, lines)
    expander = Expander()
    groups = units(copy.deepcopy(body) if ipython.may_hold("\n".join(lines)) else body, expander)
    if expander.refused:
        raise ipython.refuse(expander.refused[0])
    nodes = [node for unit in groups for node in unit.nodes]
    try:
        compile(ast.Module(nodes, []), filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        raise _refuse(error, written) from error
    ignored += expander.ignored
    return Parsed(
        "\n".join(lines),
        groups,
        imports_future(body),
        _shows_last(nodes, body, lines),
        awaits=_awaits(nodes),
        commands=expander.found,
        timed=timed,
        shown={str(number): f"{line}\n" for number, line in enumerate(written, 1) if line != lines[number - 1]},
        pip=pip,
        warnings=ipython.sentences(sorted(ignored, key=lambda each: each.line), pip),
    )


def _under_magics(written: Sequence[str]) -> tuple[list[str], bool]:
    """The lines without the %%time that the cell begins with, and with %%timeit as a call."""
    lines, timed = list(written), False
    for number, line in enumerate(written):
        match = ipython.CELL_MAGIC.fullmatch(line.rstrip())
        if match is None and line.strip():
            break
        if match is None:
            continue
        name, rest = match.groups()
        if name == "timeit":
            lines[number] = f"get_ipython().run_cell_magic('timeit', {rest!r}, '')"
            break
        if name != "time" or rest.strip():
            raise ipython.refuse(Magic("run_cell_magic", [name, rest], number + 1))
        lines[number], timed = "", True
    return lines, timed


def _without(body: Sequence[ast.stmt], lines: list[str]) -> tuple[list[ast.stmt], tuple[str, ...], list[Magic]]:
    """The statements but for those that install packages or only set up a notebook, whose lines become blank."""
    kept: list[ast.stmt] = []
    pip: list[str] = []
    ignored: list[Magic] = []
    for node in body:
        found = magic(node.value) if isinstance(node, ast.Expr) else None
        wanted = ipython.requirements(found) if found is not None else None
        if found is None or (wanted is None and not found.ignored):
            kept.append(node)
            continue
        pip += wanted or ()
        ignored += [found] if wanted is None else []
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            lines[number - 1] = ""
    return kept, tuple(dict.fromkeys(pip)), ignored


def imports_future(body: Sequence[ast.stmt]) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in body
    )


def _refuse(error: SyntaxError, lines: Sequence[str]) -> CellError:
    number = error.lineno or 1
    text = lines[number - 1].strip() if number <= len(lines) else ""
    if text:
        error.text = lines[number - 1]
    hint = f"correct line {number} and run the cell again"
    if re.match(r"(?:pip|conda|uv|cd|ls|pwd)\b", text):
        hint = f"write !{text}" if not text.startswith("pip") else f"write %{text}"
    return CellError(f"Line {number}: {error.msg}: {text}", hint=hint)


_NEED_A_LOOP = frozenset({"create_task", "ensure_future", "get_running_loop"})


def _awaits(body: Sequence[ast.AST]) -> bool:
    """Whether there is `await` or its kin outside of any function, or a call that needs the loop of a notebook."""
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        if isinstance(node, ast.comprehension) and node.is_async:
            return True
        if isinstance(node, ast.Attribute) and node.attr in _NEED_A_LOOP:
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            stack += [*node.args.defaults, *(part for part in node.args.kw_defaults if part is not None)]
            stack += getattr(node, "decorator_list", [])
        else:
            stack += ast.iter_child_nodes(node)
    return False


def _shows_last(nodes: Sequence[ast.stmt], body: Sequence[ast.stmt], lines: Sequence[str]) -> bool:
    if not nodes or not isinstance(nodes[-1], ast.Expr):
        return False
    last = body[-1]
    if last.end_lineno is None or last.end_col_offset is None:
        return False
    found = magic(last.value) if isinstance(last, ast.Expr) else None
    line = lines[last.end_lineno - 1].encode()[last.end_col_offset :].decode()
    return not line.lstrip(" \t\f)").startswith(";") and not (found and found.text.rstrip().endswith(";"))
