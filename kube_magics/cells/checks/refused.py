"""What is refused before anything travels: wrong returns, undefined names, imports that cannot work in a job."""

from __future__ import annotations

import ast
import builtins
import difflib
import keyword
from collections.abc import Iterable, Sequence

from kube_magics.cells.analysis.imports import imports
from kube_magics.cells.analysis.reads import CellNames
from kube_magics.cells.closure.closure import Closure
from kube_magics.cells.closure.items import OF_IPYTHON, OF_THE_MODULE
from kube_magics.cells.definitions import modules
from kube_magics.errors import CaptureError, CellError, UndefinedName

MISTYPED = 0.7
"""How much alike two names must be for one to be meant by the other: `socre` is 0.8 like `score`, `never` is 0.6 like
`reversed`."""


def check_returns(returns: Sequence[str]) -> None:
    for number, name in enumerate(returns):
        if not name.isidentifier() or keyword.iskeyword(name):
            raise CellError(f"--returns {name}: not a name.", hint="write names, with commas: --returns model,score")
        if name in returns[:number]:
            raise CellError(f"--returns has {name} twice.", hint="--returns " + ",".join(dict.fromkeys(returns)))


def check_names(names: CellNames, closure: Closure, returns: Sequence[str]) -> None:
    for name, need in names.needs.items():
        if need.sure and not names.dynamic and not known(name, closure):
            raise _undefined(name, need.line, names, closure)
    for name in returns:
        if not (names.dynamic or names.bindings[name] or closure.has(name) or name in names.stores):
            raise CellError(
                f"--returns {name}: the cell never sets {name}, and the notebook does not have it.",
                hint=f"set {name} in the cell, or take it out of --returns" + _similar(name, _own(names, closure)),
            )


def known(name: str, closure: Closure) -> bool:
    """Whether a job has this name without the cell's help."""
    return (
        closure.has(name)
        or hasattr(builtins, name)
        or name in OF_THE_MODULE
        or name in OF_IPYTHON
        or name == "_exit_code"
    )


def _undefined(name: str, line: int, names: CellNames, closure: Closure) -> CaptureError:
    error = UndefinedName(
        f"Line {line}: name '{name}' is not defined, neither in this cell before that line nor in the notebook.",
        hint=f"run the cell that defines {name}, then this one"
        + _similar(name, [*_own(names, closure), *dir(builtins)]),
    )
    error.name = name
    return error


def _own(names: CellNames, closure: Closure) -> list[str]:
    """What the cell and the notebook have defined."""
    return [*names.bindings, *(each for each in closure.notebook.namespace if not each.startswith("_"))]


def _similar(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, [each for each in known if each != name], 1, MISTYPED)
    return f" (or did you mean {close[0]}?)" if close else ""


def check_own_imports(nodes: Iterable[ast.AST]) -> None:
    """`from kube_magics import …` may only ask for what a job has of it."""
    for wanted in imports(nodes):
        if wanted.module == modules.OURS and not wanted.optional:
            _check_ours(wanted.names)


def check_modules(closure: Closure, nodes: Iterable[ast.AST]) -> None:
    """`import kube_magics` may travel, for what a job has of it."""
    used = chains(nodes)
    for step in closure.steps:
        if step.item.statement.partition(" as ")[0] == f"import {modules.OURS}":
            _check_ours(sorted(chain[0] for chain in used.get(step.name, ())))


def _check_ours(names: Iterable[str]) -> None:
    for name in names:
        if name not in modules.IN_JOBS:
            raise CaptureError(
                f"{name} cannot travel: of kube_magics only report and should_stop work inside a job.",
                hint=f"use {name} in the notebook, around the job",
            )


def chains(nodes: Iterable[ast.AST]) -> dict[str, set[tuple[str, ...]]]:
    """Dotted uses of names: {"sklearn": {("linear_model", "Ridge")}}."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for node in nodes:
        for part in ast.walk(node):
            attributes: list[str] = []
            while isinstance(part, ast.Attribute):
                attributes.insert(0, part.attr)
                part = part.value  # noqa: PLW2901 - one way down a chain
            if attributes and isinstance(part, ast.Name):
                found.setdefault(part.id, set()).add(tuple(attributes))
    return found
