"""Where credentials would travel: in captured values, in literals of the cell and of the notebook's definitions.

Values are looked into breadth first and not further than a budget: what a credential hides in is small, and 2 GB of
data must cost nothing.
"""

from __future__ import annotations

import ast
import functools
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import FunctionType, MethodType, ModuleType
from typing import Any

from kube_magics.cells.checks.credentials import Finding
from kube_magics.cells.closure.closure import Closure
from kube_magics.cells.definitions.compare import first
from kube_magics.cells.files.cargo import Carried
from kube_magics.runner.syntax import NAME
from kube_magics.spec.credentials import LOOKED_AT, kind, named, suspicion

BUDGET = 2000
"Parts of one value that are looked at."
BUDGET_CHARACTERS = 300_000
"Of their text."
EACH = 1000
"Items of one container."
TEXT = 4096
"Bytes of a bytes object that are looked at."
_SETS = frozenset({"setdefault", "putenv", "setenv", "setattr", "__setitem__", "add_header"})
_ASSIGNED = re.compile(r"(?:^|\s|;)(?:export\s+)?([A-Za-z_]\w*)=(?:\"([^\"]*)\"|'([^']*)'|([^\s;&|]+))")
_WRITTEN = re.compile(r"""(\w+)["']?\]?\s*(?::\s*\w+\s*)?[=:]\s*[rbuRBU]?["']([^"']{8,})["']""")
_SAID = re.compile(r"token|secret|passw|passphrase|api.?key", re.IGNORECASE)
Named = tuple[tuple[str, ...], str]


def in_modules(files: Iterable[Carried]) -> Iterator[Finding]:
    """What must not travel in local modules."""
    for each in files:
        if each.path.endswith(".py"):
            parts = each.path.removesuffix(".py").removesuffix("/__init__").split("/")
            place = each.path.replace("{", "{{").replace("}", "}}") + ", line {}"
            yield from in_text(each.data.decode("utf-8", "replace"), place, [parts[-1], parts[0]])


def in_definitions(closure: Closure) -> Iterator[Finding]:
    """What must not travel in the names that a job takes from the notebook."""
    for step in closure.steps:
        source = step.item.source
        if source is not None:
            lines = [""] * (source.first - 1) + list(source.lines)
            place = f"{step.name} ({source.cell.label}, line {{}})"
            yield from in_code([source.node], lines, place, [step.name])
        elif step.item.kind == "data":
            yield from in_value(step.name, closure.notebook.namespace[step.name])
        elif step.item.change is not None:
            yield from in_value(f"{step.name}.{step.item.change.path}", step.item.change.value)


def in_value(path: str, value: object) -> Iterator[Finding]:
    """What must not travel inside a value, which is the notebook's `path`."""
    own, *_, last = re.split(r"\W+", path + "." + path)
    seen = {id(value)}
    left, characters = BUDGET, BUDGET_CHARACTERS
    todo: deque[tuple[str, str, object]] = deque([(path, last, value)])
    while todo and left and characters > 0:
        left -= 1
        where, name, part = todo.popleft()
        text = _text(part)
        if text is not None:
            characters -= min(len(text), LOOKED_AT)
            found = suspicion(name, text) or ("a secret by its type" if _hides(part) else None)
            if found is not None:
                names = (name, own) if named(name) else (own, name)
                place = where if text not in where else f"a part of {path}"  # a value that is also a key
                yield Finding(place, found, tuple(dict.fromkeys(each for each in names if each.isidentifier())))
            continue
        for suffix, inner_name, inner in _known_parts(name, part):
            if isinstance(inner, str | bytes | bytearray) or id(inner) not in seen:
                seen.add(id(inner))
                todo.append((where + suffix, inner_name, inner))


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return bytes(value[:TEXT]).decode("latin-1")
    return "" if _hides(value) else None


def _hides(value: object) -> bool:
    """As pydantic's SecretStr does, whose pickle has the value."""
    return hasattr(type(value), "get_secret_value")


def _known_parts(name: str, value: Any) -> list[tuple[str, str, object]]:
    try:
        return list(_parts(name, value))
    except Exception:  # noqa: BLE001 - an attribute of anybody's may raise anything, and is then not looked into
        return []


def _parts(name: str, value: Any) -> Iterator[tuple[str, str, object]]:
    """What a value is made of: the code that leads there, the name it has there, and the part."""
    if isinstance(value, ModuleType | type | int | float | complex | None):
        return
    if isinstance(value, dict):  # other mappings may compute, or read a disk, when they are asked for their items
        inherited = "" if named(name) in ("", "token") else name
        for number, (key, item) in enumerate(first(dict.items(value), EACH)):
            said = key if isinstance(key, str) else ""
            hidden = len(said) > 60 or not said.isprintable() or '"' in said or kind(said) is not None
            shown = f'["{said}"]' if said and not hidden else f"[key {number}]"
            yield shown, said if named(said) or not inherited else inherited, item
            if hidden:
                yield f".keys()[{number}]", "", key
    elif isinstance(value, list | tuple | set | frozenset | deque):
        names = getattr(value, "_fields", ())
        for number, item in enumerate(first(value, EACH)):
            here = names[number] if number < len(names) else ""
            yield (f".{here}" if here else f"[{number}]"), here or name, item
    yield from _held(value)


def _held(value: Any) -> Iterator[tuple[str, str, object]]:
    if isinstance(value, functools.partial):
        yield from ((f".args[{number}]", "", item) for number, item in enumerate(value.args))
        yield from ((f".keywords[{key!r}]", key, item) for key, item in value.keywords.items())
        yield ".func", "", value.func
    elif isinstance(value, MethodType):
        yield ".__self__", "", value.__self__
    elif isinstance(value, FunctionType):
        yield from _in_function(value)
    else:
        for name, item in first((getattr(value, "__dict__", None) or {}).items(), EACH):
            yield f".{name}", str(name), item
        for owner in type(value).__mro__:
            slots = owner.__dict__.get("__slots__", ())
            for slot in [slots] if isinstance(slots, str) else slots:
                if hasattr(value, slot) and slot not in ("__dict__", "__weakref__"):
                    yield f".{slot}", slot, getattr(value, slot)


def _in_function(value: FunctionType) -> Iterator[tuple[str, str, object]]:
    code = value.__code__
    defaults = value.__defaults__ or ()
    positional = code.co_varnames[: code.co_argcount][code.co_argcount - len(defaults) :]
    pairs = [*zip(positional, defaults, strict=False), *(value.__kwdefaults__ or {}).items()]
    for cell, name in zip(value.__closure__ or (), code.co_freevars, strict=False):
        try:
            pairs.append((name, cell.cell_contents))
        except ValueError:  # not set yet
            continue
    yield from ((f" ({name})", name, item) for name, item in pairs)


def in_code(nodes: Sequence[ast.AST], lines: Sequence[str], place: str, also: Sequence[str] = ()) -> Iterator[Finding]:
    """What must not travel in some code; `place` has room for a line: "Line {}"; `also` are further names for
    --capture. `lines` are its text, by number: comments travel too."""
    told: set[int] = set()
    for names, text, line in _literals(nodes):
        for name in names or ("",):
            found = suspicion(name, text)
            if found is not None and line not in told:
                told.add(line)
                allowed = tuple(dict.fromkeys(each for each in (*names, *also) if each.isidentifier()))
                where = f"{place.format(line)}: {name}" if name and text not in name else place.format(line)
                yield Finding(where, found, allowed)
    for number, text in enumerate(lines, 1):
        found = kind(text) if number not in told and len(text) >= 16 else None
        if found is not None:
            yield Finding(place.format(number), found, tuple(also))


def in_text(text: str, place: str, also: Sequence[str]) -> Iterator[Finding]:
    """What must not travel in the text of a module, which may be one of hundreds: by lines, without parsing it."""
    formed = kind(text) is not None
    for number, line in enumerate(text.splitlines(), 1):
        found, name = kind(line) if formed else None, ""
        for each, value in _WRITTEN.findall(line) if not found and _SAID.search(line) else ():
            found, name = found or suspicion(each, value), name or each
        if found is not None:
            yield Finding(place.format(number), found, tuple(each for each in (name, *also) if each.isidentifier()))


def _literals(nodes: Sequence[ast.AST]) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Every string of the code, with the names it is given there, and its line."""
    stack: list[tuple[ast.AST, tuple[str, ...]]] = [(node, ()) for node in reversed(nodes)]
    while stack:
        node, names = stack.pop()
        for text in _folded(node):
            yield names, text, getattr(node, "lineno", 1)
        yield from ((each, text, getattr(node, "lineno", 1)) for each, text in _in_command(node))
        stack += reversed(list(_children(node, names)))


def _folded(node: ast.AST) -> Iterator[str]:
    """The text of a literal: a string, the constant parts of an f-string, strings put together by `+`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        found = [text for side in (node.left, node.right) for text in _folded(side)]
        if len(found) > 1:
            yield "".join(found)


def _children(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """The parts of a node, each with the names that its value gets there."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from ((target, ()) for target in targets)
        if node.value is not None:
            yield node.value, tuple(name for target in targets for name in _target(target))
    elif isinstance(node, ast.keyword):
        yield node.value, (node.arg,) if node.arg else ()
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield value, _key(key) or tuple(name for name in names if named(name) not in ("", "token"))
            if key is not None:
                yield key, ()
    elif isinstance(node, ast.arguments):
        yield from _defaults(node)
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.BinOp | ast.JoinedStr | ast.IfExp | ast.BoolOp):
        yield from ((part, names) for part in ast.iter_child_nodes(node))
    else:
        yield from ((part, ()) for part in ast.iter_child_nodes(node))


def _target(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Subscript):
        yield from _key(node.slice)
    elif isinstance(node, ast.Tuple | ast.List):
        for part in node.elts:
            yield from _target(part)


def _key(node: ast.AST | None) -> tuple[str, ...]:
    return (node.value,) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ()


def _defaults(node: ast.arguments) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    positional = [*node.posonlyargs, *node.args]
    pairs = [*zip(reversed(positional), reversed(node.defaults), strict=False)]
    pairs += [(arg, value) for arg, value in zip(node.kwonlyargs, node.kw_defaults, strict=True) if value is not None]
    yield from ((value, (arg.arg,)) for arg, value in pairs)
    yield from ((arg, ()) for arg in ast.iter_child_nodes(node) if isinstance(arg, ast.arg))


def _call(node: ast.Call) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    name: tuple[str, ...] = ()
    for number, arg in enumerate(node.args):
        yield arg, name if called in _SETS else ()
        name = _key(arg) if number < 2 else ()
    option = next((text.lstrip("-") for arg in node.args[:1] for text in _key(arg) if text.startswith("-")), "")
    for keyword in node.keywords:
        yield keyword.value, tuple(each for each in (keyword.arg, option if keyword.arg == "default" else "") if each)
    yield node.func, ()


def _in_command(node: ast.AST) -> Iterator[Named]:
    """`%env NAME=value`, and `NAME=value` in a command."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
        return
    text = next(iter(_key(node.args[0])), "")
    if not (isinstance(node.func.value, ast.Name) and node.func.value.id == NAME and text):
        return
    if node.func.attr in ("env", "set_env"):
        name, _, value = text.partition("=" if "=" in text else " ")
        yield (name.strip(),), value.strip()
    else:
        for name, *values in _ASSIGNED.findall(text):
            yield (name,), next(filter(None, values), "")
