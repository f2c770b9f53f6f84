"""What a pod gets of a source: the same program, small."""

from __future__ import annotations

import ast

import pytest

from kube_magics.runner import shipped
from kube_magics.runner.bare import bare

SOURCES = sorted({path.name for path in shipped.HERE.glob("*.py")} - {"bare.py", "boot.py", "shipped.py"})
"""Of what may travel."""
SOURCE = '''\
"""A docstring
of two lines."""

from __future__ import annotations

import os  # why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Names = dict[str, Any]

if TYPE_CHECKING:
    import signal as signals
else:
    import _signal as signals

mark = "# no comment, -> no type: x"


class Line:
    """One."""

    kept: int
    """Of it."""

    def __init__(self, é: str, *rest: dict[str, int], most: int = 3, **others: Any) -> None:
        self.text: str = é + "ü"  # as it came
        self.rest: tuple[
            int, ...
        ] = rest

    async def read(
        self,
        size: dict[
            str, int
        ],
        /,
    ) -> tuple[
        int, str
    ]:
        """Only this."""
'''

BARE = """\
""


""

import os

TYPE_CHECKING = False
""




if TYPE_CHECKING:
 import signal as signals
else:
 import _signal as signals

mark = "# no comment, -> no type: x"


class Line:
 ""

 ""
 ""

 def __init__(self, é, *rest, most = 3, **others):
  self.text = é + "ü"
  self.rest = rest



 async def read(
self,
size,


/,
):


  ""
"""


def test_comments_docstrings_and_annotations_go_and_lines_stay() -> None:
    assert bare(SOURCE) == BARE


def test_the_annotations_of_others_stay() -> None:
    assert "dict[str, int]" in bare(SOURCE, typed=False)
    assert "# as it came" not in bare(SOURCE, typed=False)


@pytest.mark.parametrize("name", SOURCES)
def test_what_travels_is_the_code_of_its_source(name: str) -> None:
    source = (shipped.HERE / name).read_text("utf-8")
    path = {"main.py": "main.py", "paced.py": "kube_magics/__init__.py"}.get(name, f"{shipped.PACKAGE}/{name}")
    travels = shipped.files(dict.fromkeys(shipped.ONLY_WITH.values(), True) | {"reports": True})[path].decode()
    assert ast.dump(_Untyped().visit(ast.parse(source)), include_attributes=False) == ast.dump(
        _Untyped().visit(ast.parse(travels, feature_version=(3, 8)))
    )
    assert len(travels.splitlines()) == len(source.splitlines())


class _Untyped(ast.NodeTransformer):
    """A program without what it does not run."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return self.generic_visit(ast.Assign([node.target], node.value)) if node.value is not None else None

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse else self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if ast.unparse(node) == "from __future__ import annotations" else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        said = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if said else self.generic_visit(node)
