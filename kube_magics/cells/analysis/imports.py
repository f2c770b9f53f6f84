"""Which modules some code imports, wherever in it: at the top, in branches, in functions, and by a literal name."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)


@dataclass(frozen=True)
class Wanted:
    """One import."""

    module: str
    "dotted and absolute"
    names: tuple[str, ...] = ()
    "of `from module import names`: each may be a submodule"
    line: int = 1
    sure: bool = False
    "it runs whenever the code does: no branch, loop, function or handler around it"
    optional: bool = False
    "the code is prepared to go without: in a `try` with handlers, or for type checkers only"


def imports(nodes: Iterable[ast.AST], package: str = "", *, calls: bool = True) -> Iterator[Wanted]:
    """The imports of some statements; `package` is what relative ones are relative to.

    Without `calls` those by a literal name are left out, and expressions are not looked at, which are most of any code.
    """
    stack = [(node, True, False) for node in reversed(list(nodes))]
    while stack:
        node, sure, optional = stack.pop()
        yield from _written(node, package, sure=sure, optional=optional)
        inside = _inside(node, sure=sure, optional=optional)
        stack += reversed([each for each in inside if calls or isinstance(each[0], _STATEMENTS)])


def _written(node: ast.AST, package: str, *, sure: bool, optional: bool) -> Iterator[Wanted]:
    if isinstance(node, ast.Import):
        yield from (Wanted(alias.name, (), node.lineno, sure, optional) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = absolute(node.module or "", node.level, package)
        if module:
            yield Wanted(module, tuple(alias.name for alias in node.names), node.lineno, sure, optional)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        name = node.args[0].value
        if function in ("import_module", "__import__") and isinstance(name, str):
            dots = len(name) - len(name.lstrip("."))
            module = absolute(name[dots:], dots, package)
            if module:
                yield Wanted(module, (), node.lineno, sure=False, optional=optional)


def absolute(module: str, level: int, package: str) -> str:
    """`module` of a `from` import with `level` dots inside `package`; "" where there is no such package."""
    if not level:
        return module
    parts = package.split(".") if package else []
    if level > len(parts):
        return ""
    return ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])


def _inside(node: ast.AST, *, sure: bool, optional: bool) -> Iterator[tuple[ast.AST, bool, bool]]:
    if isinstance(node, ast.Try) and node.handlers:
        yield from ((each, False, True) for each in [*node.body, *node.handlers])
        yield from ((each, False, optional) for each in [*node.orelse, *node.finalbody])
        return
    if isinstance(node, ast.If) and _for_type_checkers(node.test):
        yield from ((each, False, True) for each in node.body)
        yield from ((each, sure, optional) for each in node.orelse)
        return
    inside = sure and isinstance(
        node, ast.ClassDef | ast.With | ast.Try | ast.expr | ast.Expr | ast.Assign | ast.Module
    )
    yield from ((each, inside, optional) for each in ast.iter_child_nodes(node))


def _for_type_checkers(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))
