"""Whether a live function or class still is what its statement says: the first difference found, in words, or None.

Code is compared as compiled, without lines and file names. Values (defaults, class attributes) are compared where the
statement's expression can be evaluated without calling anything; what a call once gave is taken to be what it gives.
"""

from __future__ import annotations
import __future__

import ast
import builtins
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import CodeType, FunctionType
from typing import Any

FUTURE = __future__.annotations.compiler_flag
_PLAIN = (bool, int, float, complex, str, bytes, type(None), tuple, list, dict, set, frozenset)
_OPERANDS = (bool, int, float, complex, str, bytes)
_MADE_BY_PYTHON = frozenset(
    "__module__ __qualname__ __doc__ __dict__ __weakref__ __annotations__ __annotate__ __annotate_func__ __slots__"
    " __firstlineno__ __static_attributes__ __orig_bases__ __parameters__ __type_params__ __classcell__ __hash__"
    " __annotations_cache__ __classdictcell__".split()
)


@dataclass(frozen=True)
class Context:
    """What the compiler knew besides the statement itself."""

    future: bool = False
    "annotations were not evaluated"
    imported: frozenset[str] = frozenset()
    "names imported by the same cell: from 3.11 on, calls of their attributes are compiled differently"

    def variants(self) -> list[Context]:
        """The statement may also have been compiled alone, without the imports around it."""
        return [self, replace(self, imported=frozenset())] if self.imported else [self]


def compiled(node: ast.stmt, context: Context) -> CodeType:
    body = [node]
    if context.imported:
        imports = ast.Import([ast.alias(name, lineno=1, col_offset=0) for name in sorted(context.imported)])
        body.insert(0, ast.copy_location(imports, node))
    module, future = ast.Module(body, []), context.future
    code: CodeType = compile(module, "<source>", "exec", flags=FUTURE if future else 0, dont_inherit=True)
    return code


def codes(code: CodeType) -> Iterator[CodeType]:
    """All code objects inside one."""
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield const
            yield from codes(const)


def made_by(code: CodeType, node: ast.FunctionDef | ast.AsyncFunctionDef, context: Context) -> bool:
    """Whether this is the code of the function that a `def` statement makes."""
    return any(same_code(code, code_of(node, variant)) for variant in context.variants())


def code_of(node: ast.FunctionDef | ast.AsyncFunctionDef, context: Context) -> CodeType:
    bare = type(node)(**{**{field: getattr(node, field) for field in node._fields}, "decorator_list": []})
    ast.copy_location(bare, node)
    return next(code for code in codes(compiled(bare, context)) if code.co_name == node.name)


def same_code(one: CodeType, other: CodeType) -> bool:
    attributes = (
        "co_name co_argcount co_posonlyargcount co_kwonlyargcount co_flags co_names co_varnames co_freevars co_cellvars"
        " co_code co_exceptiontable"
    ).split()
    return all(getattr(one, name) == getattr(other, name) for name in attributes) and _same_consts(
        one.co_consts, other.co_consts
    )


def _same_consts(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, CodeType):
        return same_code(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same_consts, one, other))
    if isinstance(one, frozenset):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    return repr(one) == repr(other)  # 0.0 and -0.0, nan and nan


# Functions


def functions_inside(value: object, depth: int = 6) -> Iterator[FunctionType]:
    """The function itself and those it wraps: __wrapped__, closures, methods, properties, partials."""
    seen: set[int] = set()
    stack: list[tuple[object, int]] = [(value, depth)]
    while stack:
        current, left = stack.pop()
        if id(current) in seen or left < 0:
            continue
        seen.add(id(current))
        inner: list[object] = []
        if isinstance(current, FunctionType):
            yield current
            for cell in current.__closure__ or ():
                try:
                    inner.append(cell.cell_contents)
                except ValueError:  # empty
                    continue
        if not isinstance(current, type):
            inner += [_static(current, name) for name in ("__wrapped__", "__func__", "func", "fget", "fset", "fdel")]
        stack += [(item, left - 1) for item in inner if callable(item) or isinstance(item, property)]


def _static(value: object, name: str) -> object:
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - a property of the user's that fails says nothing
        return None


def function_difference(
    value: FunctionType, node: ast.FunctionDef | ast.AsyncFunctionDef, namespace: Mapping[str, Any], context: Context
) -> str | None:
    if not made_by(value.__code__, node, context):
        return "its code is not that of its def statement"
    return _defaults_difference(value, node, namespace)


def _defaults_difference(
    value: FunctionType, node: ast.FunctionDef | ast.AsyncFunctionDef, namespace: Mapping[str, Any]
) -> str | None:
    names = [arg.arg for arg in [*node.args.posonlyargs, *node.args.args]]
    live = dict(zip(reversed(names), reversed(value.__defaults__ or ()), strict=False))
    written: dict[str, ast.expr] = dict(zip(reversed(names), reversed(node.args.defaults), strict=False))
    live.update(value.__kwdefaults__ or {})
    written.update(
        {arg.arg: default for arg, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default}
    )
    if live.keys() != written.keys():
        return "its default values were replaced since"
    for name, expression in written.items():
        if changed(expression, live[name], namespace):
            return f"the default value of {name} is not what {ast.unparse(expression)} gives now"
    return None


class _Unknown(Exception):
    """The expression calls something, or needs what is not there."""


def changed(expression: ast.expr, live: object, namespace: Mapping[str, Any]) -> bool:
    """Whether an expression, evaluated now, is known to give something else than `live`."""
    try:
        now = _evaluate(expression, namespace)
    except Exception:  # noqa: BLE001 - whatever the user's attributes raise: nothing is known
        return False
    return not _same(now, live)


def _evaluate(node: ast.expr, namespace: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one return a kind
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            if name in namespace:
                return namespace[name]
            return getattr(builtins, name)
        case ast.Attribute(value=inner, attr=name):
            return getattr(_evaluate(inner, namespace), name)
        case ast.Subscript(value=inner, slice=index):
            return _evaluate(inner, namespace)[_evaluate(index, namespace)]
        case ast.Tuple(elts=elements):
            return tuple(_evaluate(each, namespace) for each in elements)
        case ast.List(elts=elements):
            return [_evaluate(each, namespace) for each in elements]
        case ast.Dict(keys=keys, values=values) if all(key is not None for key in keys):
            return {_evaluate(k, namespace): _evaluate(v, namespace) for k, v in zip(keys, values, strict=True) if k}
        case ast.UnaryOp() | ast.BinOp():
            return _operation(node, namespace)
    raise _Unknown


def _operation(node: ast.UnaryOp | ast.BinOp, namespace: Mapping[str, Any]) -> Any:
    """Arithmetic of plain values, done by the compiler's own rules."""
    parts = [node.operand] if isinstance(node, ast.UnaryOp) else [node.left, node.right]
    values = {f"v{number}": _evaluate(part, namespace) for number, part in enumerate(parts)}
    if not all(type(value) in _OPERANDS for value in values.values()):
        raise _Unknown
    names: list[ast.expr] = [ast.Name(name, ast.Load()) for name in values]
    bare: ast.expr = (
        ast.UnaryOp(node.op, names[0]) if isinstance(node, ast.UnaryOp) else ast.BinOp(names[0], node.op, names[1])
    )
    return eval(compile(ast.fix_missing_locations(ast.Expression(bare)), "<default>", "eval"), {}, values)  # noqa: S307


def _same(one: object, other: object) -> bool:
    if one is other:
        return True
    if type(one) is not type(other) or type(one) not in _PLAIN:
        return False
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other) or repr(one) == repr(other) == "nan"


# Classes


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
    difference = _defaults_difference(same[0], node, {**namespace, **value.__dict__})
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
            now = _evaluate(base, namespace)
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
        plain = not name.startswith("_") and type(live) in _PLAIN
        if by_notebook or (plain and type(value) is type and not node.decorator_list):
            return f"{name} was added to it since"
    return None


def _by_hand(function: FunctionType, owner: type) -> bool:
    """Not generated by a decorator (dataclass compiles "<string>") and not made for this class."""
    filename = function.__code__.co_filename
    generated = filename.startswith("<string>") or "attrs generated" in filename
    return not generated and not function.__qualname__.startswith(owner.__qualname__ + ".")
