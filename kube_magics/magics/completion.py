"""Tab on the lines of our magics, in a notebook as in a terminal."""

from __future__ import annotations

import ast
import glob
from pathlib import Path
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult

from kube_magics.jobs import defaults, known
from kube_magics.spec.completion import CELL, LINE, wanted
from kube_magics.spec.job import image_of

MOST_FILES = 200


def matches(context: CompletionContext, namespace: dict[str, Any]) -> SimpleMatcherResult:
    """For IPython; nothing on a line that is not ours."""
    line = context.line_with_cursor
    ours = context.cursor_line == 0 if line.startswith(CELL) else line.lstrip().startswith(LINE)
    found = wanted(context.text_until_cursor) if ours else None
    if found is None:
        return SimpleMatcherResult(completions=[])
    words: list[str] = []
    for word in found.words:
        words += _list(word, found.fragment, context.full_text, namespace) if word.startswith("<") else [word]
    fits = [SimpleCompletion(text=word) for word in dict.fromkeys(words) if word.startswith(found.fragment)]
    # The notebook's names and files, which IPython would offer, are right only where the table says so.
    return SimpleMatcherResult(completions=fits, suppress=True, matched_fragment=found.fragment)


def _list(name: str, fragment: str, cell: str, namespace: dict[str, Any]) -> list[str]:
    kind = name.strip("<>")
    if kind == "files":
        return _files(fragment)
    if kind == "names":
        return sorted(each for each in namespace if not each.startswith("_"))
    if kind == "cell":
        return _set_by(cell)
    if kind == "images":
        return [image_of(defaults.spec({}, ("image",)))]
    return known.names(kind)


def _files(fragment: str) -> list[str]:
    found = sorted(glob.glob(glob.escape(fragment) + "*"))[:MOST_FILES]  # noqa: PTH207 - `./` and `~` stay as typed
    return [f"{path}/" if Path(path).is_dir() else path for path in found]


def _set_by(cell: str) -> list[str]:
    """Names that the cell below the line binds at its top level, as far as it can be read."""
    _, _, body = cell.partition("\n")
    try:
        statements = ast.parse(body).body
    except SyntaxError:
        return []
    found: list[str] = []
    for statement in statements:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.append(statement.name)
        else:
            found += [
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            ]
    return list(dict.fromkeys(found))
