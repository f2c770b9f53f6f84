"""Which names a cell needs from the notebook: those it may read before it has bound them itself.

Guarantees
- A name is *needed* if some way through the cell reads it from the module's namespace before the cell binds it.
- What a function's body reads counts from the first moment at which the function can be called: when its name is read,
  when a decorator gets it, or at the cell's end. `def f(): return helper()` needs no `helper` that is defined below it
  and before the first use of `f`.
- `sure` needs are evaluated whenever the cell runs without an exception, and no way to them binds the name; only these
  can be refused when nobody has them.
- `weak` needs arise only if a loop runs zero times, or a decorator calls what it decorates: a precaution, taken when it
  costs nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kube_magics.cells.analysis.names import (
    Comprehension,
    Function,
    Later,
    class_scope,
    comprehension_scope,
    function_scope,
    import_name,
    parameters,
    types_scope,
)
from kube_magics.cells.analysis.reads import CellNames, Names, Outside, Reads

DYNAMIC = frozenset({"exec", "eval", "globals", "locals", "vars"})
"With these, or a star import of an unknown module, nobody can tell what the cell binds."


def analyze(
    body: Sequence[ast.stmt], *, future: bool = False, outside: Outside | None = None, returns: Sequence[str] = ()
) -> CellNames:
    """Walks the statements of a cell in order; `future`: annotations are not evaluated."""
    walker = _Walker(future, outside or Outside())
    statements = [walker.statement(node) for node in body]
    walker.end(returns)
    return CellNames(statements, walker.needs, walker.bindings, walker.dynamic, frozenset(walker.stores))


def statement_names(node: ast.stmt, *, future: bool = False) -> Names:
    """What one statement, taken alone, reads and binds."""
    return analyze([node], future=future).statements[0]


class _Walker(Reads):
    """Visits code in the order of its evaluation, function bodies where they are defined."""

    @contextmanager
    def _type_params(self, node: ast.AST, later: Later) -> Iterator[None]:
        params = getattr(node, "type_params", [])
        if not params:
            yield
            return
        with self._scope(types_scope(params, self._owner)):
            with self._sink() as bounds:
                for param in params:
                    self.generic_visit(param)
            later.add(bounds)
            yield

    def _function(self, node: Function) -> None:
        for part in [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]:
            if part is not None:
                self.visit(part)
        later = Later()
        with self._type_params(node, later):
            for annotation in [*(arg.annotation for arg in parameters(node.args)), node.returns]:
                if annotation is not None:
                    self._annotation(annotation, later)
            with self._scope(function_scope(node, self._owner)), self._sink() as body:
                self.visit_body(node.body)
            later.add(body)
        self._made(node.name, later, decorators=node.decorator_list)
        self._functions.setdefault(node.name, []).append(node)
        self.store(node.name)

    visit_FunctionDef = _function
    visit_AsyncFunctionDef = _function

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._made(None, self._lambda(node))

    def _lambda(self, node: ast.Lambda) -> Later:
        for part in [*node.args.defaults, *node.args.kw_defaults]:
            if part is not None:
                self.visit(part)
        with self._scope(function_scope(node, self._owner)), self._sink() as later:
            self.visit(node.body)
        return later

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in node.decorator_list:
            self.visit(part)
        later = Later()
        with self._type_params(node, later):
            for part in [*node.bases, *(keyword.value for keyword in node.keywords)]:
                self.visit(part)
            owner, self._owner = self._owner, node.name
            self._class_sinks.append(later)
            with self._scope(class_scope(node)):
                self.visit_body(node.body)
            self._class_sinks.pop()
            self._owner = owner
        self._made(node.name, later, decorators=node.decorator_list)
        self.store(node.name)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        later = Later()
        with self._type_params(node, later), self._sink() as value:
            self.visit(node.value)  # type: ignore[attr-defined]
        later.add(value)
        self._made(node.name.id, later)  # type: ignore[attr-defined]
        self.visit(node.name)  # type: ignore[attr-defined]

    def _annotation(self, node: ast.expr, later: Later | None) -> None:
        """An annotation: evaluated, or (PEP 563, PEP 649, inside functions) at most asked for later."""
        if not self._lazy_annotations and self.scopes[-1].kind != "function":
            self.visit(node)
            return
        with self._sink() as hints:
            self.visit(node)
        if later is None:
            later = self._class_sinks[-1] if self._class_sinks and not self._sinks else Later()
        later.hints |= hints.reads

    # Statements and expressions whose order or scope is special

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id, node.lineno)
            self.dynamic = self.dynamic or node.id in DYNAMIC
        elif isinstance(node.ctx, ast.Store):
            self.store(node.id)
        else:
            self.delete(node.id, node.lineno)

    def visit_Assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Lambda) and isinstance(node.targets[0], ast.Name):
            self._made(node.targets[0].id, self._lambda(node.value))
        else:
            self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.read(node.target.id, node.lineno)
            self.visit(node.value)
            self.store(node.target.id)
        else:
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)
        self._annotation(node.annotation, None)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        inner = []
        while self.scopes[-1].kind == "comprehension":
            inner.append(self.scopes.pop())
        self.store(node.target.id)
        self.scopes.extend(reversed(inner))

    def _comprehension(self, node: Comprehension) -> None:
        first, *others = node.generators
        self.visit(first.iter)
        with self.maybe(), self._scope(comprehension_scope(node, self._owner)):
            for generator in node.generators:
                if generator in others:
                    self.visit(generator.iter)
                self.visit(generator.target)
                for condition in generator.ifs:
                    self.visit(condition)
            if isinstance(node, ast.DictComp):
                self.visit(node.key)
                self.visit(node.value)
            else:
                self.visit(node.elt)

    visit_ListComp = _comprehension
    visit_SetComp = _comprehension
    visit_DictComp = _comprehension
    visit_GeneratorExp = _comprehension

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported.add(import_name(alias))
            self.store(import_name(alias))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                names = self._outside.star(node)
                self.dynamic = self.dynamic or names is None
            else:
                names = frozenset({import_name(alias)})
            for name in sorted(names or ()):
                self._imported.add(name)
                self.store(name)
