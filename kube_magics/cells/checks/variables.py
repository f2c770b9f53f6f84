"""Environment variables that earlier cells have set and the job reads: a process elsewhere does not inherit them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from types import CodeType

from kube_magics.cells.checks.settings import bodies
from kube_magics.cells.definitions.compare import codes
from kube_magics.cells.definitions.sources import statements
from kube_magics.cells.notebook import Notebook

_SET = ("setdefault", "putenv")
_READ = ("get", "getenv", "pop", "setdefault")


def variables(
    notebook: Notebook, nodes: Sequence[ast.stmt], functions: Iterable[CodeType], texts: Iterable[str]
) -> dict[str, str]:
    """Name -> the cell that set it; `nodes`, `functions` and `texts` (of local modules) are what the job runs."""
    found: dict[str, str] = {}
    for label, body in bodies(notebook):
        for node in statements(body):
            found.update(dict.fromkeys(_set(node), label))
            for name in _deleted(node):
                found.pop(name, None)
    if not found:
        return {}
    read = set(_read(nodes, found))
    for code in functions:
        for each in [code, *codes(code)]:
            if {"environ", "getenv"} & set(each.co_names):
                read |= {name for name in found if name in each.co_consts} or set(found)
    for text in texts:
        if "environ" in text or "getenv" in text:
            read |= {name for name in found if f'"{name}"' in text or f"'{name}'" in text}
    own = {name for node in nodes for part in ast.walk(node) if isinstance(part, ast.stmt) for name in _set(part)}
    return {name: label for name, label in found.items() if name in read - own}


def _set(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Assign(targets=[ast.Subscript(value=of, slice=ast.Constant(str(name)))]) if _is_environ(of):
            yield name
        case ast.Expr(ast.Call(ast.Attribute(of, "update"), arguments, keywords)) if _is_environ(of):
            yield from (each.arg for each in keywords if each.arg)
            keys = [key for each in arguments if isinstance(each, ast.Dict) for key in each.keys]
            yield from (key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
        case ast.Expr(ast.Call(ast.Attribute(of, method), [ast.Constant(str(name)), _])) if method in _SET:
            yield from [name] if _is_environ(of) or method == "putenv" else []
        case ast.Expr(
            ast.Call(ast.Attribute(attr="run_line_magic"), [ast.Constant("env" | "set_env"), ast.Constant(t)])
        ):
            words = str(t).replace("=", " ", 1).split()
            yield from words[:1] if len(words) > 1 else []


def _deleted(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Delete(targets=[ast.Subscript(value=of, slice=ast.Constant(str(name)))]) if _is_environ(of):
            yield name
        case ast.Expr(ast.Call(ast.Attribute(of, "pop"), [ast.Constant(str(name)), *_])) if _is_environ(of):
            yield name


def _read(nodes: Sequence[ast.stmt], found: Iterable[str]) -> Iterator[str]:
    """All, where the environment is used in another way than by a name that stands there."""
    for node in nodes:
        named = []
        for part in ast.walk(node):
            match part:
                case ast.Subscript(value=of, slice=ast.Constant(str(name))) if _is_environ(of):
                    named.append(of)
                    yield name
                case ast.Call(ast.Attribute(of, method), [ast.Constant(str(name)), *_]) if method in _READ:
                    named.append(of)
                    yield from [name] if _is_environ(of) or method == "getenv" else []
                case ast.Call(ast.Name("getenv"), [ast.Constant(str(name)), *_]):
                    yield name
                case ast.Compare(ast.Constant(str(name)), comparators=[of]) if _is_environ(of):
                    named.append(of)
                    yield name
        parts = [part for part in ast.walk(node) if isinstance(part, ast.expr) and _is_environ(part)]
        if any(part not in named for part in parts):
            yield from found


def _is_environ(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(ast.Name(), "environ") | ast.Name("environ"):
            return True
    return False
