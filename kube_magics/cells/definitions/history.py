"""When the notebook's names got their values: which cells bind a name, and whether one did after a definition."""

from __future__ import annotations

import ast
import copy
import re
from functools import lru_cache

from kube_magics.cells.analysis.scopes import statement_names
from kube_magics.cells.definitions.sources import parsed
from kube_magics.cells.notebook import Cell, Notebook

_RETURNS = re.compile(r"^%%.*?--returns[= ](\S+)")


def silent(node: ast.stmt, *, plain: bool) -> ast.stmt:
    """A definition without the parts whose outcome `classes` and `changes` find again in the live object: defaults of
    arguments, and attributes of a plain class."""
    return _Silent(plain).visit(copy.deepcopy(node))  # type: ignore[no-any-return]


class _Silent(ast.NodeTransformer):
    def __init__(self, plain: bool) -> None:
        self._plain = plain

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.args.defaults = [_NOTHING for _ in node.args.defaults]
        node.args.kw_defaults = [each and _NOTHING for each in node.args.kw_defaults]
        return node

    visit_FunctionDef = _function
    visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        attributes = self._plain and not node.decorator_list
        for part in node.body:
            if attributes and isinstance(part, ast.Assign | ast.AnnAssign) and part.value is not None:
                part.value = part.value if _computed(part.value) else _NOTHING
            elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.visit(part)
        return node


def _computed(value: ast.expr) -> bool:
    """Whether it is not evaluated once more for the comparison: calls may do anything."""
    calling = ast.Call | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    return any(isinstance(part, calling) for part in ast.walk(value))


_NOTHING = ast.Constant(None)


def rebound(name: str, cell: Cell, node: ast.stmt, notebook: Notebook) -> bool:
    """Whether a statement that ran after `node` of `cell` bound `name`, and another one had before.

    With one statement alone that binds it, the cell ran again, and the value is taken for the same.
    """
    binders: list[tuple[int, int, str]] = []
    place = (0, 0)
    for number, each in enumerate(notebook.latest.values()):
        if each.filename == cell.filename:
            place = (number, node.end_lineno or node.lineno)
        binders += [(number, line, text) for line, text in _binders(each.source).get(name, ())]
    after = any((number, line) > place for number, line, _ in binders)
    return after and len({text for _, _, text in binders}) > 1


@lru_cache(maxsize=512)
def _binders(source: str) -> dict[str, list[tuple[int, str]]]:
    """name -> (line, text) of the statements of a cell that bind it; of a job's cell, what it brought back."""
    found: dict[str, list[tuple[int, str]]] = {}
    if source.startswith("%%"):
        back = _RETURNS.match(source)
        return {name: [(1, source)] for name in back[1].split(",")} if back else {}
    tree = parsed(source)
    for node in tree.body if tree else ():
        # However often a module is imported, it is the same.
        text = "import" if isinstance(node, ast.Import | ast.ImportFrom) else ast.dump(node)
        for name in statement_names(node).binds:
            found.setdefault(name, []).append((node.lineno, text))
    return found
