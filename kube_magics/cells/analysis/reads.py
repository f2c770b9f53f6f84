"""Reading and binding the module's names: which reads the notebook must answer, and when functions can be called."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from kube_magics.cells.analysis import quoted
from kube_magics.cells.analysis.flow import Flow
from kube_magics.cells.analysis.names import Function, Later, Scope, mangle, may_call


@dataclass(frozen=True)
class Need:
    line: int
    sure: bool
    weak: bool


@dataclass
class Names:
    """What one statement of the module reads and binds."""

    eager: dict[str, int] = field(default_factory=dict)
    "read while the statement runs: name -> line"
    later: Later = field(default_factory=Later)
    "read, or bound through `global`, when functions made here are called"
    binds: set[str] = field(default_factory=set)
    at_once: bool = False
    "a decorator may call what is defined here"


@dataclass
class CellNames:
    statements: list[Names]
    needs: dict[str, Need]
    bindings: Counter[str]
    "how many places of the cell bind, or delete, a name of the module"
    dynamic: bool
    "the cell may bind names that its text does not show"
    stores: frozenset[str] = frozenset()
    "names that functions of the notebook, which the cell may call, bind through `global`"


@dataclass(frozen=True)
class Outside:
    """What the analysis asks about the notebook; by default there is none."""

    later: Callable[[str], Later | None] = lambda name: None
    "what the notebook's function or class of that name looks up when it is called"
    harmless: Callable[[str], bool] = lambda name: False
    "whether the notebook's value of that name, used as a decorator, is known not to call what it decorates"
    star: Callable[[ast.ImportFrom], frozenset[str] | None] = lambda node: None
    "what a star import binds, if that can be told"


class Reads(Flow):
    """Visits code in the order of its evaluation, function bodies where they are defined."""

    def __init__(self, future: bool, outside: Outside) -> None:
        super().__init__()
        self.needs: dict[str, Need] = {}
        self.bindings: Counter[str] = Counter()
        self.dynamic = False
        self.stores: set[str] = set()
        self._outside = outside
        self._lazy_annotations = future or sys.version_info >= (3, 14)
        self._sinks: list[Later] = []
        self._class_sinks: list[Later] = []
        self._owner: str | None = None
        self._imported: set[str] = set()
        self._functions: dict[str, list[Function]] = {}
        self._names = Names()

    def statement(self, node: ast.stmt) -> Names:
        self._names = Names()
        self.visit(node)
        return self._names

    def end(self, returns: Sequence[str]) -> None:
        for name in returns:
            self._need(name, 0, sure=False, weak=False)
        for laters in list(self.module.pending.values()):
            for later in laters:
                self._call(later, set(), weak=False)

    # Reading and binding

    def read(self, name: str, line: int) -> None:
        name = mangle(name, self._owner)
        scope = self._resolve(name)
        if scope is not self.module:
            if scope is not None and scope.kind == "class":
                for later in scope.pending.get(name, ()):
                    self._reached(later)
            return
        if self._sinks:
            self._sinks[-1].reads.add(name)
        else:
            self._names.eager.setdefault(name, line)
            # Bound on some way to here (a branch, a handler): only the run can tell.
            self._need(name, line, sure=self.sure and not self.bindings[name], weak=False)

    def visit_Constant(self, node: ast.Constant) -> None:
        for name in sorted(quoted.names(node.value)) if isinstance(node.value, str) else ():
            if self._resolve(name) is not self.module:
                continue
            if self._sinks:
                self._sinks[-1].hints.add(name)
            else:
                self._need(name, node.lineno, sure=False, weak=True)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        with self.unsure():  # as it is where `query` is somebody else's
            for name in sorted(quoted.asked(node)):
                self.read(name, node.lineno)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.visit(node.value)

    def _resolve(self, name: str) -> Scope | None:
        """The scope that a read of `name` looks in: the module, the class being made, or another one (None)."""
        if name == "__class__" and any(scope.kind == "class" for scope in self.scopes):
            return None
        visible = True
        for scope in reversed(self.scopes[1:]):
            if scope.kind != "class" or visible:
                if name in scope.globals:
                    return self.module
                if scope.kind == "class" and name in scope.bound:
                    return scope
                if name in scope.locals:  # in a class: not bound yet, and then the module is asked next
                    return self.module if scope.kind == "class" else None
            visible = visible and scope.kind == "types"
        return self.module

    def store(self, name: str) -> None:
        name = mangle(name, self._owner)
        scope = self.scopes[-1]
        if scope.kind in ("function", "class") and name in scope.globals:
            if self._sinks:
                self._sinks[-1].stores.add(name)
                self.bindings[name] += 1
                return
            scope = self.module
        if scope.kind in ("module", "class"):
            scope.bound.add(name)
            scope.assumed.add(name)
        if scope is self.module:
            self._names.binds.add(name)
            self.bindings[name] += 1

    def delete(self, name: str, line: int) -> None:
        self.read(name, line)
        scope = self.scopes[-1]
        self.store(name)  # deleted: the notebook's value is not wanted any more either
        if scope.kind == "class":
            scope.bound.discard(mangle(name, self._owner))

    def _need(self, name: str, line: int, *, sure: bool, weak: bool) -> None:
        self._note(name, line, sure, weak)
        self._reach(name, set(), weak)

    def _note(self, name: str, line: int, sure: bool, weak: bool) -> None:
        if name in self.module.bound:
            return
        weak = weak or name in self.module.assumed
        old = self.needs.get(name)
        if old is not None:
            line, sure, weak = old.line or line, old.sure or sure, old.weak and weak
        self.needs[name] = Need(line, sure and not weak, weak)

    def _reach(self, name: str, seen: set[str], weak: bool) -> None:
        """The value of `name` was read: from now on, what it is made of may be called."""
        if name in seen:
            return
        seen.add(name)
        for later in list(self.module.pending.get(name, ())):
            self._call(later, seen, weak)
        if name not in self.module.bound:
            outside = self._outside.later(name)
            if outside is not None:
                self._call(outside, seen, weak)

    def _call(self, later: Later, seen: set[str], weak: bool) -> None:
        for name in sorted(later.reads | later.hints):
            hint = name not in later.reads
            self._note(name, 0, False, weak or hint)
            self._reach(name, seen, weak or hint)
        self.module.assumed |= later.stores
        self.stores |= later.stores

    # Functions and classes

    def _reached(self, later: Later) -> None:
        if self._sinks:
            self._sinks[-1].add(later)
        else:
            self._call(later, set(), weak=False)

    def _made(self, name: str | None, later: Later, *, decorators: Sequence[ast.expr] = ()) -> None:
        """A function or class that will look up `later`; a lambda without a name can be called at once."""
        if self._sinks:
            self._sinks[-1].add(later)
            return
        self._names.later.add(later)
        if self._class_sinks:
            self._class_sinks[-1].add(later)
        scope = self.scopes[-1]
        if name is not None and scope.kind in ("module", "class"):
            scope.pending.setdefault(mangle(name, self._owner), []).append(later)
        else:
            self._call(later, set(), weak=bool(self._class_sinks))
        if not all(self._harmless(decorator) for decorator in decorators):
            self._names.at_once = True
            self._call(later, set(), weak=True)

    def _harmless(self, decorator: ast.expr) -> bool:
        while isinstance(decorator, ast.Call | ast.Attribute | ast.Subscript):
            decorator = decorator.func if isinstance(decorator, ast.Call) else decorator.value
        if not isinstance(decorator, ast.Name):
            return False
        if decorator.id in self._functions:
            return not any(may_call(node) for node in self._functions[decorator.id])
        return decorator.id in self._imported or self._outside.harmless(decorator.id)

    @contextmanager
    def _scope(self, scope: Scope) -> Iterator[None]:
        self.scopes.append(scope)
        yield
        self.scopes.pop()

    @contextmanager
    def _sink(self) -> Iterator[Later]:
        later = Later()
        self._sinks.append(later)
        yield later
        self._sinks.pop()
