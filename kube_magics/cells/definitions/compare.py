"""Whether a live function still is what its statement says.

Code is compared as compiled, without lines and file names. Values (defaults, class attributes) are compared where the
statement's expression can be evaluated without calling anything; what a call once gave is taken to be what it gives.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import itertools
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import CodeType, FunctionType
from typing import Any, Literal, TypeVar

T = TypeVar("T")
FUTURE = __future__.annotations.compiler_flag
PLAIN = (bool, int, float, complex, str, bytes, type(None), tuple, list, dict, set, frozenset)
SCALAR = bool | int | float | complex | str | bytes | None
_CONTAINERS = (dict, list, set, frozenset, tuple, bytearray, defaultdict, deque, Counter, OrderedDict)
"Making one of plain values calls nothing of the user's."
_LIBRARIES = frozenset("array datetime decimal fractions numpy pandas pathlib random torch uuid".split())
"What they hold is data, as far as it is no class, function or description."
_OPERANDS = (bool, int, float, complex, str, bytes)


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
            inner += [static(current, name) for name in ("__wrapped__", "__func__", "func", "fget", "fset", "fdel")]
        stack += [(item, left - 1) for item in inner if callable(item) or isinstance(item, property)]


def static(value: object, name: str) -> object:
    """An attribute of anybody's object, or None."""
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - a property of the user's that fails says nothing
        return None


def first(values: Iterable[T], most: int) -> list[T]:
    """The first few items of anybody's container, also of one that another thread is adding to."""
    try:
        return list(itertools.islice(values, most))
    except RuntimeError:  # it changed size meanwhile: copied as a whole, which no other thread comes between
        return list(values)[:most]


Verdict = Literal["same", "changed", "unknown"]


def defaults(
    value: FunctionType, node: ast.FunctionDef | ast.AsyncFunctionDef, namespace: Mapping[str, Any]
) -> Verdict:
    """Whether the live default values are what their expressions give now; unknown where these call something."""
    names = [arg.arg for arg in [*node.args.posonlyargs, *node.args.args]]
    live = dict(zip(reversed(names), reversed(value.__defaults__ or ()), strict=False))
    written: dict[str, ast.expr] = dict(zip(reversed(names), reversed(node.args.defaults), strict=False))
    live.update(value.__kwdefaults__ or {})
    written.update(
        {arg.arg: default for arg, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default}
    )
    if live.keys() != written.keys():
        return "changed"
    found = {verdict(expression, live[name], namespace) for name, expression in written.items()}
    return "changed" if "changed" in found else "unknown" if "unknown" in found else "same"


def is_data(value: object, depth: int = 4) -> bool:
    """Whether a value is numbers, text, arrays, times and their like, and containers of such."""
    if isinstance(value, SCALAR):
        return type(value) in PLAIN
    if type(value) in (*PLAIN, *_CONTAINERS):
        items = [*value, *value.values()] if isinstance(value, dict) else value
        return depth > 0 and all(is_data(each, depth - 1) for each in items)  # type: ignore[attr-defined]
    place = type(value).__module__.partition(".")[0]
    if isinstance(value, itertools.count):
        return True
    return place in _LIBRARIES and not callable(value) and not hasattr(type(value), "__get__")


class _Unknown(Exception):
    """The expression calls something, or needs what is not there."""


def verdict(expression: ast.expr, live: object, namespace: Mapping[str, Any]) -> Verdict:
    """Whether an expression, evaluated now, gives `live`; unknown if it calls something, or fails."""
    if isinstance(expression, ast.Lambda):
        return "same" if isinstance(live, FunctionType) and _is_lambda(live.__code__, expression) else "changed"
    try:
        now = evaluate(expression, namespace)
    except Exception:  # noqa: BLE001 - whatever the user's attributes raise: nothing is known
        return "unknown"
    return "same" if _same(now, live) else "changed"


def _is_lambda(code: CodeType, node: ast.Lambda) -> bool:
    """By what it names and holds: its instructions depend on what stands around it."""
    whole = compile(ast.Expression(node), "<source>", "eval", dont_inherit=True)
    return any(
        (each.co_name, each.co_names, each.co_varnames) == (code.co_name, code.co_names, code.co_varnames)
        and len(each.co_consts) == len(code.co_consts)
        and all(_same_consts(*pair) for pair in zip(each.co_consts, code.co_consts, strict=True) if _plain(pair))
        for each in codes(whole)
    )


def _plain(pair: tuple[object, object]) -> bool:
    return not any(isinstance(each, CodeType) for each in pair)


def evaluate(node: ast.expr, namespace: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one return a kind
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            if name in namespace:
                return namespace[name]
            return getattr(builtins, name)
        case ast.Attribute(value=inner, attr=name):
            return getattr(evaluate(inner, namespace), name)
        case ast.Subscript(value=inner, slice=index):
            return evaluate(inner, namespace)[evaluate(index, namespace)]
        case ast.Tuple(elts=elements):
            return tuple(evaluate(each, namespace) for each in elements)
        case ast.List(elts=elements):
            return [evaluate(each, namespace) for each in elements]
        case ast.Dict(keys=keys, values=values) if all(key is not None for key in keys):
            return {evaluate(k, namespace): evaluate(v, namespace) for k, v in zip(keys, values, strict=True) if k}
        case ast.Set(elts=elements):
            return {evaluate(each, namespace) for each in elements}
        case ast.UnaryOp() | ast.BinOp():
            return _operation(node, namespace)
        case ast.Call(func=function, args=arguments, keywords=[]):
            return _container(function, arguments, namespace)
    raise _Unknown


def _container(function: ast.expr, arguments: Sequence[ast.expr], namespace: Mapping[str, Any]) -> Any:
    made: Any = evaluate(function, namespace)
    values = [evaluate(each, namespace) for each in arguments]
    if any(made is each for each in _CONTAINERS) and all(type(each) in (type, *PLAIN) for each in values):
        return made(*values)
    raise _Unknown


def _operation(node: ast.UnaryOp | ast.BinOp, namespace: Mapping[str, Any]) -> Any:
    """Arithmetic of plain values, done by the compiler's own rules."""
    parts = [node.operand] if isinstance(node, ast.UnaryOp) else [node.left, node.right]
    values = {f"v{number}": evaluate(part, namespace) for number, part in enumerate(parts)}
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
    if type(one) is not type(other) or type(one) not in (*PLAIN, *_CONTAINERS):
        return False
    if isinstance(one, tuple | list | deque) and isinstance(other, tuple | list | deque):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        if getattr(one, "default_factory", None) is not getattr(other, "default_factory", None):
            return False
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other) or repr(one) == repr(other) == "nan"
