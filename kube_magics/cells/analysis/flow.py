"""Branches, loops and handlers: which names are bound for certain where their ways meet again.

A visitor that `scopes` completes with what reading and binding mean. A loop's body may run zero times: what it binds is
afterwards only *assumed* bound. A branch that ends by raising, leaving the loop or the program does not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kube_magics.cells.analysis.names import Scope

State = list[tuple[set[str], set[str]]]
LEAVES = (ast.Raise, ast.Return, ast.Break, ast.Continue)


class Flow(ast.NodeVisitor):
    def __init__(self) -> None:
        self.module = Scope("module")
        self.scopes = [self.module]
        self.sure = True
        "whether what is visited now is evaluated whenever the cell runs"

    def store(self, name: str) -> None:
        raise NotImplementedError

    # States

    def _state(self) -> State:
        return [(set(scope.bound), set(scope.assumed)) for scope in self.scopes]

    def _resume(self, state: State) -> None:
        for scope, (bound, assumed) in zip(self.scopes, state, strict=True):
            scope.bound, scope.assumed = set(bound), set(assumed)

    def _join(self, states: Sequence[State]) -> None:
        """Goes on with what holds in every one of the states; with none of them the code below is unreachable."""
        if not states:
            return
        for number, scope in enumerate(self.scopes):
            scope.bound = set.intersection(*(state[number][0] for state in states))
            scope.assumed = set.intersection(*(state[number][1] for state in states))

    def _way(self, body: Sequence[ast.AST]) -> list[State]:
        """Visits one of several ways: its final state, or nothing if it leads elsewhere."""
        self.visit_body(body)
        return [] if body and isinstance(body[-1], LEAVES) else [self._state()]

    @contextmanager
    def unsure(self) -> Iterator[None]:
        before, self.sure = self.sure, False
        yield
        self.sure = before

    @contextmanager
    def maybe(self) -> Iterator[None]:
        """Code that may run or not: what it binds is only assumed afterwards."""
        state = self._state()
        with self.unsure():
            yield
        for scope, (bound, _) in zip(self.scopes, state, strict=True):
            scope.bound = bound

    def visit_body(self, body: Sequence[ast.AST]) -> None:
        for node in body:
            self.visit(node)

    # Statements

    def _branches(self, ways: Sequence[Sequence[ast.AST]]) -> None:
        before = self._state()
        ends: list[State] = []
        with self.unsure():
            for way in ways:
                self._resume(before)
                ends += self._way(way)
        self._join(ends)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branches([node.body, node.orelse])

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self._branches([[node.body], [node.orelse]])

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        with self.maybe():
            self.visit(node.target)
            self.visit_body(node.body)
        with self.maybe():
            self.visit_body(node.orelse)

    visit_For = _for
    visit_AsyncFor = _for

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        with self.maybe():
            self.visit_body(node.body)
        with self.maybe():
            self.visit_body(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        with self.unsure():  # the context may swallow the NameError
            self.visit_body(node.body)

    visit_With = _with
    visit_AsyncWith = _with

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        before, sure = self._state(), self.sure
        self.sure = sure and not node.handlers
        self.visit_body(node.body)
        ends = self._way(node.orelse) if not (node.body and isinstance(node.body[-1], LEAVES)) else []
        self.sure = False
        for handler in node.handlers:
            self._resume(before)
            if handler.type is not None:
                self.visit(handler.type)
            if handler.name:
                self.store(handler.name)
            ends += self._way(handler.body)
        self.sure = sure
        self._join(ends)
        if node.finalbody:
            self._finally(node.finalbody, before)

    visit_Try = _try
    visit_TryStar = _try

    def _finally(self, body: Sequence[ast.stmt], before: State) -> None:
        """Runs also when the exception struck first: nothing that the body binds is certain in it."""
        after = self._state()
        for scope, (bound, _) in zip(self.scopes, before, strict=True):
            scope.bound = set(bound)
        self.visit_body(body)
        for scope, (bound, _) in zip(self.scopes, after, strict=True):
            scope.bound |= bound

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before = self._state()
        ends: list[State] = []
        complete = False
        with self.unsure():
            for case in node.cases:
                self._resume(before)
                self.visit(case.pattern)
                if case.guard is not None:
                    self.visit(case.guard)
                ends += self._way(case.body)
                plain = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
                complete = complete or (plain and case.guard is None)
        self._join(ends if complete else [*ends, before])

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.generic_visit(node)
        if node.name:
            self.store(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.store(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest:
            self.store(node.rest)

    def visit_Assert(self, node: ast.Assert) -> None:
        self.visit(node.test)
        if node.msg is not None:
            with self.maybe():
                self.visit(node.msg)

    # Expressions

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        first, *others = node.values
        self.visit(first)
        with self.maybe():
            self.visit_body(others)

    def visit_Compare(self, node: ast.Compare) -> None:
        first, *others = node.comparators
        self.visit(node.left)
        self.visit(first)
        with self.maybe():
            self.visit_body(others)
