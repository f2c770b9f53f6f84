"""The package's files and what each of them imports, read and never run."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "kube_magics"


def files(folder: Path = PACKAGE) -> list[Path]:
    """The Python files below `folder`."""
    found = sorted(folder.rglob("*.py"))
    assert found, f"no Python file in {folder}"
    return found


def name(path: Path) -> str:
    """As it stands in messages: `kube_magics/runner/boot.py`."""
    return path.relative_to(CHECKOUT).as_posix()


@functools.cache
def imported(path: Path, *, optional: bool = True) -> list[tuple[int, str]]:
    """(line, top-level module) of every import of other packages in the file, those in functions included.

    Without `optional`, imports in a `try` are left out: the file does without them.
    """
    return list(_imported(ast.parse(path.read_text(encoding="utf-8")), optional=optional))


def _imported(tree: ast.Module, *, optional: bool) -> Iterator[tuple[int, str]]:
    tried = {id(n) for t in ast.walk(tree) if isinstance(t, ast.Try) for part in t.body for n in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in tried and not optional:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.lineno, node.module.partition(".")[0]
