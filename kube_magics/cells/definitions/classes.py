"""In what a live class is not what its statement says.

Methods are compared by their code; class attributes where `compare.verdict` can tell; what was added since is found.
"""

from __future__ import annotations

import abc
import ast
import enum
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from types import CodeType, FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import Any

from kube_magics.cells.definitions.changes import Difference, hints, labels
from kube_magics.cells.definitions.compare import (
    PLAIN,
    SCALAR,
    Context,
    codes,
    compiled,
    defaults,
    evaluate,
    functions_inside,
    is_data,
    same_code,
    static,
    verdict,
)
from kube_magics.cells.definitions.computed import made_otherwise

_BY_HAND = (property, staticmethod, classmethod, cached_property)
_MADE_BY_PYTHON = frozenset(
    "__module__ __qualname__ __doc__ __dict__ __weakref__ __annotations__ __annotate__ __annotate_func__ __slots__"
    " __slotnames__"  # copyreg keeps it there once an instance has been pickled
    " __firstlineno__ __static_attributes__ __orig_bases__ __parameters__ __type_params__ __classcell__ __hash__"
    " __annotations_cache__ __classdictcell__ __abstractmethods__ _abc_impl __dataclass_fields__ __dataclass_params__"
    " __match_args__ _is_protocol __protocol_attrs__ __non_callable_proto_members__".split()
)


def class_differences(
    value: type, node: ast.ClassDef, namespace: Mapping[str, Any], context: Context
) -> list[Difference] | None:
    """None: this statement cannot have made the class."""
    if not _same_bases(value, node, namespace):
        return None
    found = [
        list({each.path: each for each in _differences(value, node, namespace, variant)}.values())
        for variant in context.variants()
    ]
    return min(found, key=len)


def _differences(
    value: type, node: ast.ClassDef, namespace: Mapping[str, Any], context: Context
) -> Iterator[Difference]:
    body = _class_code(node, context)
    written = {code.co_name: code for code in body.co_consts if isinstance(code, CodeType)}
    inner = {**namespace, **value.__dict__}
    bound: set[str] = set()
    computed: set[str] = set()
    if not (_made_with_help(value) or node.decorator_list):
        yield from (Difference(label, live) for label, live in labels(value, node))
        yield from (Difference(label, live, sure=False) for label, live in hints(value, node))
    for statement in _plain_statements(node.body):
        for name, expression in _assigned(statement, node.name):
            bound.add(name)
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                if _has_strange_accessor(value, name, body):
                    yield Difference(name, vars(value)[name], code=True)
                else:
                    yield from _method(value, name, statement, written.get(statement.name), inner, computed=computed)
            elif isinstance(statement, ast.ClassDef):
                yield from _inner_class(value, name, statement, inner, context)
            elif expression is not None:
                again = any(isinstance(part, ast.Name) and part.id in computed for part in ast.walk(expression))
                for found in _attribute(value, name, expression, inner, computed=again):
                    computed |= {name} - ({name} if found.sure else set())
                    yield found
                if "__dataclass_fields__" in vars(value):
                    yield from _field(value, name, expression, inner)
    yield from _added(value, node, set(body.co_names) | bound)
    yield from made_otherwise(value, node, bound, namespace)


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


def _method(
    value: type,
    name: str,
    node: ast.FunctionDef | ast.AsyncFunctionDef,
    code: CodeType | None,
    namespace: Mapping[str, Any],
    *,
    computed: set[str],
) -> Iterator[Difference]:
    if name not in value.__dict__:
        yield Difference(name, gone=True, code=True)
        return
    if code is None:
        return
    live = value.__dict__[name]
    found = list(functions_inside(live))
    same = [function for function in found if same_code(function.__code__, code)]
    if same and not node.decorator_list and isinstance(live, FunctionType) and live is not same[0]:
        by_library = live.__globals__ is not same[0].__globals__ and (_made_with_help(value) or _has_hook(value))
        if not by_library:  # sklearn's TransformerMixin wraps each transform()
            yield Difference(name, live, code=True)
        return
    if not same and (found or not node.decorator_list or type(live) in PLAIN):
        yield Difference(name, live, code=True)
    elif same:
        found_now = defaults(same[0], node, namespace)
        again = any(isinstance(part, ast.Name) and part.id in computed for part in ast.walk(node.args))
        if found_now == "changed":
            yield from _live_defaults(name, live, same[0])
        elif (again or found_now == "unknown") and is_data((same[0].__defaults__, same[0].__kwdefaults__)):
            yield from (replace(each, sure=False) for each in _live_defaults(name, live, same[0]) if not each.code)
        if live is same[0] and not node.decorator_list:
            yield from (Difference(f"{name}.{each}", item) for each, item in (*vars(live).items(), *labels(live, node)))


def _has_strange_accessor(value: type, name: str, body: CodeType) -> bool:
    """Whether a property has been given a function that the class statement does not have."""
    live = vars(value).get(name)
    if type(live) is not property:
        return False
    written = [code for code in body.co_consts if isinstance(code, CodeType)]
    accessors = [each for each in (live.fget, live.fset, live.fdel) if isinstance(each, FunctionType)]
    inside = [[function.__code__ for function in functions_inside(each)] for each in accessors]
    return not all(any(same_code(one, code) for one in found for code in written) for found in inside)


def _live_defaults(name: str, live: object, function: FunctionType) -> Iterator[Difference]:
    within = [each for each in ("", ".__wrapped__", ".__func__", ".fget") if _reached(live, each) is function]
    if within:
        yield Difference(f"{name}{within[0]}.__defaults__", function.__defaults__)
        yield Difference(f"{name}{within[0]}.__kwdefaults__", function.__kwdefaults__)
    else:
        yield Difference(name, live, code=True)


def _reached(live: object, path: str) -> object:
    return static(live, path.removeprefix(".")) if path else live


def _inner_class(
    value: type, name: str, node: ast.ClassDef, namespace: Mapping[str, Any], context: Context
) -> Iterator[Difference]:
    live = value.__dict__.get(name)
    if not isinstance(live, type):
        if not node.decorator_list:
            yield Difference(name, live, gone=name not in value.__dict__, code=True)
        return
    found = class_differences(live, node, namespace, context)
    if found is None:
        yield Difference(name, live, code=True)
    else:
        yield from (replace(each, path=f"{name}.{each.path}") for each in found)


def _attribute(
    value: type, name: str, expression: ast.expr, namespace: Mapping[str, Any], *, computed: bool
) -> Iterator[Difference]:
    """`computed`: the expression reads what a call gave."""
    if name in ("__slots__", "__doc__", "__annotations__") or _made_with_help(value):
        return
    if name not in value.__dict__:
        taken_by_decorator = hasattr(value, "__dataclass_fields__") or hasattr(value, "__attrs_attrs__")
        if not taken_by_decorator:
            yield Difference(name, gone=True)
        return
    live = value.__dict__[name]
    if hasattr(type(live), "__get__") and not isinstance(live, (FunctionType, *_BY_HAND)):
        return  # what a field's default became: a slot, the item of a named tuple
    found = "unknown" if computed else verdict(expression, live, namespace)
    if found == "changed" or (found == "unknown" and is_data(live)):
        # What a call gave once, a random number or the time, it need not give again.
        yield Difference(name, live, sure=found == "changed")


def _field(value: type, name: str, expression: ast.expr, namespace: Mapping[str, Any]) -> Iterator[Difference]:
    """A default that a call gave stands in a dataclass's __init__ too, with slots only there."""
    field, init = vars(value)["__dataclass_fields__"].get(name), vars(value).get("__init__")
    if field is None or not isinstance(init, FunctionType) or not is_data(field.default):
        return
    if verdict(expression, field.default, namespace) == "unknown":
        yield Difference("__init__.__defaults__", init.__defaults__, sure=False)


def _made_with_help(value: type) -> bool:
    """Whether a metaclass has a say in what stands in the class, or NamedTuple, which leaves none behind."""
    return type(value) not in (type, abc.ABCMeta) or (issubclass(value, tuple) and "_fields" in vars(value))


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


def _added(value: type, node: ast.ClassDef, written: set[str]) -> Iterator[Difference]:
    """What stands in the class and neither its statement nor Python nor a decorator, base or metaclass put there.

    Where one of these could have, only functions made elsewhere and plain public values count.
    """
    alone = not (_made_with_help(value) or node.decorator_list or _has_hook(value))
    for name, live in value.__dict__.items():
        if name in written or name in _MADE_BY_PYTHON:
            continue
        if isinstance(live, FunctionType):
            ours = live.__module__ == value.__module__ and not (node.decorator_list and "<locals>" in live.__qualname__)
            if _by_hand(live, value) and (ours or alone):
                yield Difference(name, live, code=True)
        elif not isinstance(live, MemberDescriptorType | GetSetDescriptorType):
            plain = isinstance(live, SCALAR) and not name.startswith("_")
            # Enum's metaclass writes members, which stand in the statement, and names with underscores.
            public = isinstance(value, enum.EnumMeta) and not name.startswith("_")
            if alone or public or (plain and not _made_with_help(value)):
                yield Difference(name, live)


def _has_hook(value: type) -> bool:
    """Whether a base class is told of its subclasses, and may write into them."""
    bases = [base for base in value.__mro__[1:] if base.__module__ not in ("builtins", "typing", "abc")]
    return any("__init_subclass__" in vars(base) for base in bases)


def _by_hand(function: FunctionType, owner: type) -> bool:
    """Not generated by a decorator (dataclass compiles "<string>") and not made for this class."""
    filename = function.__code__.co_filename
    generated = filename.startswith("<string>") or "attrs generated" in filename
    return not generated and not function.__qualname__.startswith(owner.__qualname__ + ".")
