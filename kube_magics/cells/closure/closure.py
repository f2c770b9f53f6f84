"""From names to steps: what each name of the notebook needs in turn, and the order in which all can stand.

A definition comes after what its statement evaluates (decorators, defaults, base classes, class attributes) and after
everything that evaluating it may call; what its functions look up later may come after it, cycles included. A value
comes after the definitions that it refers to.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from types import FunctionType
from typing import Any

from kube_magics.cells.analysis.names import Later, changed
from kube_magics.cells.closure.items import Item, Items
from kube_magics.cells.closure.steps import Before, Circle, Step
from kube_magics.cells.definitions import bytecode, changes
from kube_magics.cells.definitions.changes import Change, fillings
from kube_magics.cells.definitions.compare import SCALAR
from kube_magics.cells.definitions.texts import Texts
from kube_magics.cells.notebook import Notebook
from kube_magics.cells.values.pickler import NeedsFirst, Standing
from kube_magics.cells.values.pickles import Dumped, Dumper, TooLarge
from kube_magics.errors import CaptureError
from kube_magics.runner.views import Views

PRECAUTION_BYTES = 16 * 1024
"What is taken only in case a loop runs zero times may cost this much."


class Closure(Items):
    """The names that travel, in an order in which all can stand."""

    def __init__(self, notebook: Notebook, *, gpus: int | None = None, before: Before | None = None) -> None:
        """`before`: what an earlier pass over the same names has found."""
        super().__init__(notebook)
        self.steps: list[Step] = []
        self.left_out: list[str] = []
        "precautions that would have cost too much"
        self.texts = Texts(notebook)
        self._unnamed: list[Dumped] = []
        self._standing: set[str] = set()
        self._underway: list[str] = []
        self._postponed: list[tuple[str, Change]] = []
        self._held: list[tuple[str, str, str]] = []
        self._given: set[str] = set()
        self._counting: dict[tuple[str, str], Any] = {}
        "(name, path) -> a value that definitions may change when they run again in the job; a path is of an attribute"
        standing = Standing(
            self._standing.__contains__,
            self._value_underway,
            self._given.__contains__,
            gpus,
            self.texts.file,
            Views(before.shared if before else ()),
        )
        self.dumper = Dumper(notebook, standing, before.contents if before else None)

    def add(self, name: str, *, weak: bool = False) -> None:
        """Makes the name travel, with all that it needs at once; a weak one only if that costs little."""
        if not weak:
            self._stand(name)
            return
        mark, steps, standing = self.dumper.mark(), list(self.steps), set(self._standing)
        underway = list(self._underway)
        try:
            self._stand(name, limit=PRECAUTION_BYTES)
        except (CaptureError, TooLarge):
            self.dumper.back(mark)
            self.steps[:] = steps
            self._standing.intersection_update(standing)
            self._underway[:] = underway
            self.left_out.append(name)

    def add_value(self, path: str, value: object) -> int:
        """Dumps a value that has no name in the notebook, after the definitions it refers to."""
        dumped = self._dump(path, value, None)
        if (
            dumped.functions or self._counting or self._more_to_follow()
        ):  # the job loads in the order of the pickle, and this last
            self.dumper.take_back()
            self._follow(self._of_functions(dumped), frozenset())
            self.follow()
            self.settle()
            dumped = self._dump(path, value, None)
        self._unnamed.append(dumped)
        return dumped.size_bytes

    def settle(self) -> None:
        """Behind all definitions: what they have counted, or put into a captured list, was in it already."""
        counting, self._counting = self._counting, {}
        for (name, path), value in counting.items():
            if name not in self._standing:
                continue
            if isinstance(value, SCALAR | itertools.count):
                again = Item("change", change=Change("set", path, value)) if path else self.item(name)
                self.steps.append(Step(name, again, self._dump(path or name, copy.copy(value), None)))
            for change in fillings(value, self.notebook.module):
                self._change(name, change, None)

    def _more_to_follow(self) -> bool:
        laters = [self.names(step.name).later for step in self.steps]
        needed = {name for later in laters for name in later.reads | later.hints}
        return any(self.has(name) for name in needed - self._standing)

    @property
    def dumped(self) -> list[Dumped]:
        """All values of the pickle."""
        return [*(step.dumped for step in self.steps if step.dumped is not None), *self._unnamed]

    def follow(self, known: Iterable[str] = (), cell_binds: Iterable[str] = ()) -> None:
        """Adds what the definitions look up when they are called, those of `known` names excepted: the cell's own
        analysis has asked for theirs. What the cell binds itself is then only a precaution."""
        done, binds = set(known), frozenset(cell_binds)
        for name in sorted(done):
            self._follow(self._hidden(name), binds)
        while todo := [step.name for step in self.steps if step.name not in done]:
            for name in todo:
                done.add(name)
                self._follow(self.names(name).later, binds)
                self._follow(self._hidden(name), binds)

    def _follow(self, later: Later, binds: frozenset[str]) -> None:
        for needed in sorted(later.reads | later.hints):
            if needed not in self._standing and self.has(needed):
                self.add(needed, weak=needed in binds or needed not in later.reads)

    def _hidden(self, name: str) -> Later:
        """What functions look up that the analysis did not find in a value, and the pickle did."""
        found = [self._of_functions(step.dumped) for step in self.steps if step.name == name and step.dumped]
        asked = self.later(name) if found else None  # of an object of the notebook's class: what its methods look up
        known = asked.reads if asked else set()
        return Later(reads={read for later in found for read in later.reads} - known)

    def _of_functions(self, dumped: Dumped) -> Later:
        return bytecode.later(dumped.functions, self.notebook.namespace)

    def _value_underway(self, name: str) -> bool:
        return name in self._underway and self.item(name).kind == "data"

    def _stand(self, name: str, limit: int | None = None) -> None:
        if name in self._standing:
            return
        item = self.item(name)
        if name in self._underway:
            circle = self._underway[self._underway.index(name) :]
            raise Circle(
                f"{' and '.join(circle)} cannot travel: each needs the other first.",
                hint=f"take the value of {name} out of the definition, or pass it as an argument",
            )
        self._underway.append(name)
        if item.kind == "data":
            self._formulas(name)
        dumped = self._dump(name, self.notebook.namespace[name], limit) if item.kind == "data" else None
        if item.source is not None:
            self._before(name, limit)
            item = self.item(name)
        self._underway.pop()
        self._standing.add(name)
        self.steps.append(Step(name, item, dumped))
        since = item.source.changes if item.source is not None else ()
        self._given.update(f"{name}.{change.path}" for change in since)
        for change in since:
            self._change(name, change, limit)
        if not self._underway:
            held, self._held = self._held, []
            for holder, attribute, needed in held:
                self._stand(needed, limit)
                self._change(holder, Change("set", attribute, self.notebook.namespace[needed]), limit)
            postponed, self._postponed = self._postponed, []
            for waiting, change in postponed:
                self._change(waiting, change, limit)

    def _change(self, name: str, change: Change, limit: int | None) -> None:
        """Stands behind the definition, which the new value may refer to."""
        underway = list(self._underway)
        try:
            dumped = self._dump(f"{name}.{change.path}", change.value, limit) if change.how != "delete" else None
        except CaptureError as error:
            circle = isinstance(error, Circle) and underway
            if change.sure and not circle:
                raise
            self._underway[:] = underway
            if circle:  # the value refers to what waits for this definition: then the change comes behind that
                self._postponed.append((name, change))
            return
        if dumped is not None and dumped.functions and not change.sure:
            self.dumper.take_back()
            return
        self.steps.append(Step(name, Item("change", change=change), dumped))

    def _formulas(self, name: str) -> None:
        """What the formulas in a value name stands before it: some are evaluated again when the value is loaded."""
        for needed in sorted(self.names(name).later.hints):
            if self.has(needed) and needed not in self._underway:
                self.add(needed, weak=True)

    def _dump(self, path: str, value: object, limit: int | None) -> Dumped:
        while True:
            try:
                return self.dumper.dump(path, value, limit)
            except NeedsFirst as needed:
                self._stand(needed.name, limit)
                self._callable(needed.name, limit)

    def _before(self, name: str, limit: int | None) -> None:
        """All that the definition's statement evaluates, and may call while it does. Where a decorator's object holds
        the definition, that object is what it is, and the definition goes without the decorator."""
        underway = list(self._underway)
        try:
            self._evaluate(name, limit)
        except Circle:
            if not self.undecorate(name):
                raise
            self._underway[:] = underway
            self._evaluate(name, limit)

    def _evaluate(self, name: str, limit: int | None) -> None:
        for needed in self.names(name).eager:
            if self.has(needed):
                self._evaluated(name, needed, limit)
                self._callable(needed, limit)

    def _evaluated(self, name: str, needed: str, limit: int | None) -> None:
        """A registry that a class only has as an attribute may hold the class: it begins empty, and comes behind."""
        underway = list(self._underway)
        try:
            self._stand(needed, limit)
        except Circle:
            source = self.source(name)
            attributes = changes.plain_uses(source.node, needed) if source else []
            if not attributes or type(self.notebook.namespace[needed]) not in changes.REGISTRIES:
                raise
            self._underway[:] = underway
            self._empty(needed)
            self._held += [(name, attribute, needed) for attribute in attributes]

    def _callable(self, name: str, limit: int | None) -> None:
        """All that calling a definition may look up stands too, as far as that is possible already."""
        seen = {name, *self._underway}
        stack = [name]
        while stack:
            calling = stack.pop()
            later = self.later(calling)
            self._counts(calling, later)
            for needed in sorted(later.reads if later else ()):
                if needed in self._underway and self.has(needed):
                    self._empty(needed)
                if needed not in seen and self.has(needed):
                    seen.add(needed)
                    self._registry(needed, limit)
                    stack.append(needed)

    def _counts(self, calling: str, later: Later | None) -> None:
        """Notes what a call of this definition may put something into."""
        source = self.source(calling)
        if later is None or source is None:
            self._counting |= {(calling, ""): self.notebook.namespace[calling]} if self._collects(calling) else {}
            return
        changing = changed(source.node)
        own = {name for name in changing | later.stores if self.has(name) and not self.source(name)}
        self._counting |= {(name, ""): self.notebook.namespace[name] for name in own}
        if changing:
            self._counting |= {(calling, each.path): each.value for each in source.changes if each.how == "set"}

    def _collects(self, name: str) -> bool:
        """Whether calling a value may change it: a closure, or an object whose class says so."""
        value = self.notebook.namespace.get(name) if self.has(name) else None
        source = self.source(type(value).__name__)
        return isinstance(value, FunctionType) or (source is not None and bool(changed(source.node)))

    def _registry(self, name: str, limit: int | None) -> None:
        """A value that may hold what waits for it begins empty, and comes behind."""
        underway = list(self._underway)
        try:
            self._stand(name, limit)
        except Circle:
            if type(self.notebook.namespace[name]) not in changes.REGISTRIES:
                raise
            self._underway[:] = underway
            self._empty(name)

    def _empty(self, name: str) -> None:
        """A registry, before what registers itself in it: the value itself comes behind, with all that it holds."""
        value = self.notebook.namespace[name]
        if type(value) in changes.REGISTRIES and not any(step.name == name for step in self.steps):
            self.steps.append(Step(name, Item("import", f"{name} = {changes.emptied(value)}")))

    @property
    def standing(self) -> set[str]:
        return set(self._standing)
