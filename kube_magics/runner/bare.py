"""Sources as a pod needs them: without comments, docstrings and annotations, hardly indented, every line where it was.
Does not travel.

A bundle has to fit into 64 KiB of an environment variable, and the less of that the runner takes, the more of the
user's data gets a pod without a volume, 300 ms earlier. A pod also compiles whatever it imports, annotations too.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator

Place = tuple[int, int]
"""Line, from 0, and byte in it."""
Cut = tuple[Place, Place, bytes]
"""From, to, and what stands there instead."""
NOTHING = b'""'
"""A statement that does nothing, compiled to nothing."""


def bare(source: str, *, typed: bool = True) -> str:
    """`source` without what only its readers need. Others' annotations stay (not `typed`): they may look at them."""
    lines = source.encode().splitlines()  # bytes, as ast counts
    tree = ast.parse(source)
    cuts = [*_comments(source), *_docstrings(tree), *(_types(tree, lines) if typed else ())]
    for (top, left), (bottom, right), instead in reversed(_outermost(cuts)):
        whole = lines[top][:left] + instead + lines[bottom][right:]
        lines[top : bottom + 1] = [whole] + [b""] * (bottom - top)
    return _narrow(b"\n".join(lines).decode() + "\n")


def _narrow(source: str) -> str:
    """`source`, indented by one blank a level, and not at all within brackets."""
    lines = source.split("\n")
    level, begins = 0, True
    seen: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        row = token.start[0]
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            level += 1 if token.type == tokenize.INDENT else -1
        elif token.type == tokenize.NEWLINE:
            begins = True
        elif token.type not in (tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER):
            if row not in seen:
                lines[row - 1] = " " * level * begins + lines[row - 1].lstrip()
            seen.update(range(row, token.end[0] + 1))  # a string of several lines is left as it is
            begins = False
    return "\n".join(lines)


def _outermost(cuts: Iterable[Cut]) -> list[Cut]:
    found: list[Cut] = []
    for cut in sorted(cuts, key=lambda cut: (cut[0], (-cut[1][0], -cut[1][1]))):
        if not found or cut[0] >= found[-1][1]:
            found.append(cut)
    return found


def _comments(source: str) -> Iterator[Cut]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            before = token.line[:column].rstrip()
            end = len(token.line.rstrip("\n").encode())
            yield (row - 1, len(before.encode())), (row - 1, end), b""


def _docstrings(tree: ast.AST) -> Iterator[Cut]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield _begin(node), _end(node), NOTHING


def _types(tree: ast.AST, lines: list[bytes]) -> Iterator[Cut]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            top, left = _begin(node)
            yield (top, left + len(node.arg.encode())), _end(node.annotation), b""
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            top, left = _begin(node.returns)
            yield (top, len(lines[top][: lines[top].rindex(b"->", 0, left)].rstrip())), _end(node.returns), b""
        elif isinstance(node, ast.AnnAssign):
            yield (
                (_begin(node), _end(node), NOTHING)
                if node.value is None
                else (
                    _end(node.target),
                    _end(node.annotation),
                    b"",
                )
            )
        elif _only_for_types(node):
            yield _begin(node), _end(node), NOTHING


def _only_for_types(node: ast.AST) -> bool:
    """`from __future__ import annotations` and what type checkers alone run."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__" and [each.name for each in node.names] == ["annotations"]
    if not isinstance(node, ast.If) or node.orelse:
        return False
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _begin(node: ast.AST) -> Place:
    return node.lineno - 1, node.col_offset  # type: ignore[attr-defined]


def _end(node: ast.AST) -> Place:
    return node.end_lineno - 1, node.end_col_offset  # type: ignore[attr-defined]
