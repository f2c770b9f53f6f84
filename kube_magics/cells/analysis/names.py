"""Which names Python code binds and reads, by the compiler's rules, without its flow: the words of `scopes`.

Guarantees: names are mangled inside classes as the compiler mangles them; a function's locals are what its code binds
minus what it declares global or nonlocal; comprehensions have scopes of their own on every Python version (PEP 709
changed how they are compiled, not what they mean).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["module", "class", "function", "comprehension", "types"]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass
class Later:
    """What function bodies look up in the module when they are called."""

    reads: set[str] = field(default_factory=set)
    hints: set[str] = field(default_factory=set)
    "names in annotations that are not evaluated, which typing.get_type_hints may still ask for, and in formulas"
    stores: set[str] = field(default_factory=set)
    "names bound through `global`"

    def add(self, other: Later) -> None:
        self.reads |= other.reads
        self.hints |= other.hints
        self.stores |= other.stores


@dataclass
class Scope:
    kind: Kind
    locals: frozenset[str] = frozenset()
    globals: frozenset[str] = frozenset()
    bound: set[str] = field(default_factory=set)
    "module and class: bound, or deleted, for certain at this point"
    assumed: set[str] = field(default_factory=set)
    "bound if every loop so far ran at least once"
    pending: dict[str, list[Later]] = field(default_factory=dict)
    "what the functions and classes bound here will look up once they are called"


def mangle(name: str, owner: str | None) -> str:
    """`__x` inside class `_Net` is `_Net__x` (Python reference, "Private name mangling")."""
    if owner is None or not name.startswith("__") or name.endswith("__") or "." in name:
        return name
    stripped = owner.lstrip("_")
    return f"_{stripped}{name}" if stripped else name


def import_name(alias: ast.alias) -> str:
    """The name that `import a.b`, `import a.b as c` or `from a import b as c` binds."""
    return alias.asname or alias.name.partition(".")[0]


def parameters(args: ast.arguments) -> list[ast.arg]:
    extra = [arg for arg in (args.vararg, args.kwarg) if arg is not None]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *extra]


def function_scope(node: Function | ast.Lambda, owner: str | None) -> Scope:
    found = Bindings(owner)
    for arg in parameters(node.args):
        found.bind(arg.arg)
    for part in [node.body] if isinstance(node, ast.Lambda) else node.body:
        found.visit(part)
    return Scope("function", found.locals(), frozenset(found.globals))


def class_scope(node: ast.ClassDef) -> Scope:
    found = Bindings(node.name)
    for part in node.body:
        found.visit(part)
    implicit = {"__module__", "__qualname__", "__firstlineno__"}
    return Scope("class", found.locals(), frozenset(found.globals), bound=set(implicit), assumed=set(implicit))


def comprehension_scope(node: Comprehension, owner: str | None) -> Scope:
    targets = [name for generator in node.generators for name in ast.walk(generator.target)]
    stored = [name.id for name in targets if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)]
    return Scope("comprehension", frozenset(mangle(name, owner) for name in stored))


def types_scope(params: Iterable[ast.AST], owner: str | None) -> Scope:
    """The scope of PEP 695 type parameters."""
    return Scope("types", frozenset(mangle(param.name, owner) for param in params))  # type: ignore[attr-defined]


_WRAPPING = frozenset({"wraps", "update_wrapper", "callable", "isinstance", "getattr", "hasattr", "id", "type"})


_CHANGING = frozenset(
    "add append appendleft clear discard extend insert pop popitem popleft remove setdefault update".split()
)


def changed(node: ast.AST) -> set[str]:
    """Names through which a definition's code puts something into a value, or takes it out: NAMES.append(x), and
    names = NAMES before it."""
    found = set()
    other: dict[str, set[str]] = {}
    for part in ast.walk(node):
        target: ast.AST | None = None
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in _CHANGING:
            target = part.func.value
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "next" and part.args:
            target = part.args[0]
        elif isinstance(part, ast.Subscript | ast.Attribute) and not isinstance(part.ctx, ast.Load):
            target = part.value
        elif isinstance(part, ast.AugAssign):
            target = part.target
        elif isinstance(part, ast.Assign | ast.NamedExpr | ast.For):
            of = _root(part.iter if isinstance(part, ast.For) else part.value)
            for bound in part.targets if isinstance(part, ast.Assign) else [part.target]:
                for name in _stored(bound):
                    other.setdefault(name, set()).update({of} if of is not None else ())
        root = _root(target)
        if root is not None:
            found.add(root)
    todo = list(found)
    while todo:
        more = other.pop(todo.pop(), set()) - found
        found |= more
        todo += more
    return found


def _stored(target: ast.AST) -> list[str]:
    return [part.id for part in ast.walk(target) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]


def _root(target: ast.AST | None) -> str | None:
    """The name that an expression begins with."""
    while isinstance(target, ast.Subscript | ast.Attribute | ast.Call):
        target = target.func if isinstance(target, ast.Call) else target.value
    return target.id if isinstance(target, ast.Name) else None


def may_call(node: ast.AST) -> bool:
    """Whether a function, used as a decorator, may call what it decorates before it returns: it, or a function that it
    makes of one argument, calls that argument or hands it on."""
    found = [part for part in ast.walk(node) if isinstance(part, Function)]
    return any(len(parameters(part.args)) == 1 and _hands_on(part, parameters(part.args)[0].arg) for part in found)


def _hands_on(node: Function, parameter: str) -> bool:
    stack: list[ast.AST] = list(node.body)
    while stack:
        part = stack.pop()
        if isinstance(part, ast.Call):
            called = part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, "id", "")
            inside = (
                [part.func] if called in _WRAPPING else [part.func, *part.args, *(item.value for item in part.keywords)]
            )
            if any(isinstance(item, ast.Name) and item.id == parameter for item in inside):
                return True
        if isinstance(part, Function):
            stack += part.decorator_list
        elif not isinstance(part, ast.Lambda):
            stack += ast.iter_child_nodes(part)
    return False


class Bindings(ast.NodeVisitor):
    """Collects what one scope binds; never looks into the scopes inside it, but for walruses in comprehensions."""

    def __init__(self, owner: str | None = None) -> None:
        self.names: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self._owner = owner
        self._inside_comprehension = 0

    def locals(self) -> frozenset[str]:
        return frozenset(self.names - self.globals - self.nonlocals)

    def bind(self, name: str) -> None:
        self.names.add(mangle(name, self._owner))

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load) and not self._inside_comprehension:
            self.bind(node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.bind(node.target.id)
        self.visit(node.value)

    def _function(self, node: Function) -> None:
        self.bind(node.name)
        for part in [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]:
            if part is not None:
                self.visit(part)

    visit_FunctionDef = _function
    visit_AsyncFunctionDef = _function

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for part in [*node.args.defaults, *node.args.kw_defaults]:
            if part is not None:
                self.visit(part)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bind(node.name)
        for part in [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]:
            self.visit(part)

    def _comprehension(self, node: Comprehension) -> None:
        self._inside_comprehension += 1
        self.generic_visit(node)
        self._inside_comprehension -= 1

    visit_ListComp = _comprehension
    visit_SetComp = _comprehension
    visit_DictComp = _comprehension
    visit_GeneratorExp = _comprehension

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name != "*":
                self.bind(import_name(alias))

    visit_Import = _import
    visit_ImportFrom = _import

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.bind(node.name)
        self.generic_visit(node)

    def _pattern(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.bind(node.name)
        self.generic_visit(node)

    visit_MatchAs = _pattern
    visit_MatchStar = _pattern

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.bind(node.rest)
        self.generic_visit(node)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        self.visit(node.name)  # type: ignore[attr-defined]

    def visit_Global(self, node: ast.Global) -> None:
        self.globals |= {mangle(name, self._owner) for name in node.names}

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.nonlocals |= {mangle(name, self._owner) for name in node.names}
