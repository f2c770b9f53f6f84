"""Whether a live class still is what its statement says: the first difference found, in words, or None.

Methods are compared by their code; class attributes where `compare.changed` can tell; what was added since is found.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from kube_magics.cells.compare import (
    PLAIN,
    Context,
    changed,
    codes,
    compiled,
    defaults_difference,
    evaluate,
    functions_inside,
    same_code,
)

_MADE_BY_PYTHON = frozenset(
    "__module__ __qualname__ __doc__ __dict__ __weakref__ __annotations__ __annotate__ __annotate_func__ __slots__"
    " __firstlineno__ __static_attributes__ __orig_bases__ __parameters__ __type_params__ __classcell__ __hash__"
    " __annotations_cache__ __classdictcell__".split()
)


def class_difference(
    value: type, node: ast.ClassDef, namespace: Mapping[str, Any], context: Context, *, values: bool = True
) -> str | None:
    """`values`: also compare class attributes, not only code."""
    found = [_class_difference(value, node, namespace, variant, values=values) for variant in context.variants()]
    return None if None in found else found[0]


def _class_difference(
    value: type, node: ast.ClassDef, namespace: Mapping[str, Any], context: Context, *, values: bool
) -> str | None:
    body = _class_code(node, context)
    written = {code.co_name: code for code in body.co_consts if isinstance(code, CodeType)}
    bound: set[str] = set()
    for statement in _plain_statements(node.body):
        for name, expression in _assigned(statement, node.name):
            bound.add(name)
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                difference = _method_difference(value, name, statement, written, namespace)
            elif isinstance(statement, ast.ClassDef):
                difference = _inner_difference(value, name, statement, namespace, context, values=values)
            elif values and expression is not None and type(value) is type:
                difference = _attribute_difference(value, name, expression, namespace)
            else:
                continue
            if difference is not None:
                return difference
    if not _same_bases(value, node, namespace):
        return "its base classes are not those of its class statement"
    return _added(value, node, set(body.co_names) | bound) if values else None


def _class_code(node: ast.ClassDef, context: Context) -> CodeType:
    found = [code for code in codes(compiled(node, context)) if code.co_name == node.name]
    decorators = {code for code in found if code.co_firstlineno < node.lineno and node.decorator_list}
    return next(iter([code for code in found if code not in decorators] or found))


def _plain_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The last binding of a name decides; statements in branches are not looked at."""
    last: dict[str, ast.stmt] = {}
    for node in body:
        for name, _ in _assigned(node, ""):
            last[name] = node
    yield from dict.fromkeys(last.values())


def _assigned(node: ast.stmt, owner: str) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name) and node.value is not None:
                yield _private(target.id, owner), node.value
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield _private(node.name, owner), None


def _private(name: str, owner: str) -> str:
    hidden = name.startswith("__") and not name.endswith("__") and owner.strip("_")
    return f"_{owner.lstrip('_')}{name}" if hidden else name


def _method_difference(
    value: type,
    name: str,
    node: ast.FunctionDef | ast.AsyncFunctionDef,
    written: Mapping[str, CodeType],
    namespace: Mapping[str, Any],
) -> str | None:
    live = value.__dict__.get(name)
    if live is None:
        return f"{name} was deleted since"
    code = written.get(node.name)
    if code is None:
        return None
    found = list(functions_inside(live))
    same = [function for function in found if same_code(function.__code__, code)]
    if not same:
        return f"{name} was replaced since" if found or not node.decorator_list else None
    if not node.decorator_list and isinstance(live, FunctionType) and live is not same[0]:
        return f"{name} was wrapped since"
    difference = defaults_difference(same[0], node, {**namespace, **value.__dict__})
    return difference and f"{name}: {difference}"


def _inner_difference(
    value: type, name: str, node: ast.ClassDef, namespace: Mapping[str, Any], context: Context, *, values: bool
) -> str | None:
    live = value.__dict__.get(name)
    if not isinstance(live, type):
        return None if node.decorator_list else f"{name} was replaced since"
    difference = class_difference(live, node, {**namespace, **value.__dict__}, context, values=values)
    return difference and f"{name}: {difference}"


def _attribute_difference(value: type, name: str, expression: ast.expr, namespace: Mapping[str, Any]) -> str | None:
    if name in ("__slots__", "__doc__", "__annotations__"):
        return None
    if name not in value.__dict__:
        taken_by_decorator = hasattr(value, "__dataclass_fields__") or hasattr(value, "__attrs_attrs__")
        return None if taken_by_decorator else f"the attribute {name} was deleted since"
    live = value.__dict__[name]
    if hasattr(type(live), "__get__") and not isinstance(live, FunctionType):
        return None  # what a field's default became: a slot, the item of a named tuple
    if changed(expression, live, {**namespace, **value.__dict__}):
        return f"the attribute {name} is not what its class statement gives: it was changed since"
    return None


def _same_bases(value: type, node: ast.ClassDef, namespace: Mapping[str, Any]) -> bool:
    if any(isinstance(base, ast.Starred) for base in node.bases):
        return True
    live = list(value.__dict__.get("__orig_bases__", value.__bases__))
    for base in node.bases:
        try:
            now = evaluate(base, namespace)
        except Exception:  # noqa: BLE001 - a call, or a name gone since: nothing is known
            return True
        if isinstance(now, type) and now not in live and now not in value.__mro__:
            return False
    return True


def _added(value: type, node: ast.ClassDef, written: set[str]) -> str | None:
    """Something that stands in the class and that neither its statement nor Python nor a decorator put there."""
    for name, live in value.__dict__.items():
        if name in written or name in _MADE_BY_PYTHON:
            continue
        by_notebook = isinstance(live, FunctionType) and live.__module__ == value.__module__ and _by_hand(live, value)
        by_notebook = by_notebook and not (node.decorator_list and "<locals>" in live.__qualname__)
        plain = not name.startswith("_") and type(live) in PLAIN
        if by_notebook or (plain and type(value) is type and not node.decorator_list):
            return f"{name} was added to it since"
    return None


def _by_hand(function: FunctionType, owner: type) -> bool:
    """Not generated by a decorator (dataclass compiles "<string>") and not made for this class."""
    filename = function.__code__.co_filename
    generated = filename.startswith("<string>") or "attrs generated" in filename
    return not generated and not function.__qualname__.startswith(owner.__qualname__ + ".")
