"""What a name of the notebook travels as: an import statement, the source of a definition, or data."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

from kube_magics.cells.analysis import quoted
from kube_magics.cells.analysis.names import Later, class_scope, may_call
from kube_magics.cells.analysis.reads import Names
from kube_magics.cells.analysis.scopes import analyze, statement_names
from kube_magics.cells.definitions import bytecode, history, modules
from kube_magics.cells.definitions.changes import Change
from kube_magics.cells.definitions.compare import functions_inside, static
from kube_magics.cells.definitions.sources import Source, find_class, find_function, is_ours, parsed, undecorated
from kube_magics.cells.notebook import Notebook
from kube_magics.cells.values.pickler import lookup
from kube_magics.errors import CaptureError
from kube_magics.runner.syntax import NAME

OF_THE_MODULE = frozenset(
    "__name__ __doc__ __package__ __loader__ __spec__ __builtins__ __builtin__ __file__ __debug__ __annotations__"
    f" __cached__ {NAME}".split()
)
OF_IPYTHON = frozenset({"display", "open", "exit", "quit", "get_ipython"})


@dataclass(frozen=True)
class Item:
    """What a name travels as: an import statement, a definition's source, a change to it since, or its value."""

    kind: Literal["import", "function", "class", "data", "change"]
    statement: str = ""
    source: Source | None = None
    change: Change | None = None


class Items:
    """The names of one notebook, each looked into once."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self._items: dict[str, Item | CaptureError] = {}
        self._names: dict[str, Names] = {}
        self._imports: dict[str, list[tuple[str, object]]] | None = None
        self._starred: list[ModuleType] | None = None

    def has(self, name: str) -> bool:
        """Whether the notebook gives this name a value that is its own, not the builtin."""
        if name not in self.notebook.namespace or name in OF_THE_MODULE:
            return False
        value = self.notebook.namespace[name]
        module = static(value, "__module__") or type(value).__module__
        return not (name in OF_IPYTHON and str(module).partition(".")[0] in ("IPython", "ipykernel", "io", "_io"))

    def item(self, name: str) -> Item:
        """Raises CaptureError: the value can be neither imported, nor found as source, nor is it data."""
        if name not in self._items:
            try:
                self._items[name] = self._classify(name, self.notebook.namespace[name])
            except CaptureError as error:
                self._items[name] = error
        found = self._items[name]
        if isinstance(found, CaptureError):
            raise found
        return found

    def source(self, name: str) -> Source | None:
        """The statement of a name that travels as its definition."""
        try:
            return self.item(name).source if self.has(name) else None
        except CaptureError:
            return None

    def undecorate(self, name: str) -> bool:
        """From now on the definition is taken without its decorators, if that is possible."""
        source = self.source(name)
        bare = undecorated(source, self.notebook.namespace[name], self.notebook) if source else None
        if bare is None:
            return False
        self._items[name] = replace(self.item(name), source=bare)
        self._names.pop(name, None)
        return True

    def names(self, name: str) -> Names:
        """What the definition of a name reads; of a value, what its functions look up and its formulas may."""
        if name not in self._names:
            item = self.item(name)
            if item.source:
                found = statement_names(item.source.node, future=item.source.context.future)
                for change in item.source.changes:
                    found.later.add(self._of_value(change.value))
                self._names[name] = found
            else:
                self._names[name] = Names(later=self._of_value(self.notebook.namespace[name]))
        return self._names[name]

    def _of_value(self, value: object) -> Later:
        functions = bytecode.functions_in(value, self.notebook.module)
        found = bytecode.later(functions, self.notebook.namespace)
        found.hints |= set(quoted.in_value(value))
        return found

    def later(self, name: str) -> Later | None:
        """What the notebook's value of that name may look up when it is called; None if that cannot be told."""
        if not self.has(name):
            return None
        value = self.notebook.namespace[name]
        defined = _defined_name(value, self.notebook)
        if defined is None and type(value).__module__ == self.notebook.module:
            defined = _defined_name(type(value), self.notebook)
        try:
            return self.names(defined or name).later
        except CaptureError:
            return None  # raised again, with its reason, when the name really has to travel

    def harmless(self, name: str) -> bool:
        """Whether a decorator of that name does not call what it decorates: those of libraries do not."""
        if not self.has(name):
            return hasattr(builtins, name)
        value = self.notebook.namespace[name]
        if isinstance(value, ModuleType):
            return True
        if static(value, "__module__") not in (None, self.notebook.module):
            return True
        try:
            source = self.item(name).source
        except CaptureError:
            return False
        return source is not None and not isinstance(source.node, ast.ClassDef) and not may_call(source.node)

    def _classify(self, name: str, value: Any) -> Item:
        if isinstance(value, ModuleType):
            return self._module(name, value)
        if isinstance(value, type):
            return self._class(name, value)
        if _defined_name(value, self.notebook) not in (None, name):
            return Item("data")  # another name of a function, pickled by reference to its own
        if any(function.__module__ == self.notebook.module for function in functions_inside(value)):
            return self._function(name, value)
        module = static(value, "__module__")
        elsewhere = callable(value) and module not in (None, self.notebook.module)
        if elsewhere and isinstance(static(value, "__name__"), str):
            return self._importable(name, value)
        # What has items may have been changed since.
        starred = None if hasattr(type(value), "__setitem__") else self._by_star(name, value)
        return Item("import", starred) if starred else Item("data")

    def _function(self, name: str, value: Any) -> Item:
        source = find_function(name, value, self.notebook)
        return Item("function", source=source) if self._can_run(source) else Item("data")

    def _class(self, name: str, value: type) -> Item:
        if value.__module__ != self.notebook.module:
            return self._importable(name, value)
        if _defined_name(value, self.notebook) not in (None, name) or "." in value.__qualname__:
            return Item("data")
        source = find_class(name, value, self.notebook)
        if self._can_run(source):
            return Item("class", source=source)
        if source is not None and any(keyword.arg != "metaclass" for keyword in source.node.keywords):  # type: ignore[union-attr]
            raise CaptureError(
                f"{name} cannot travel: what its statement needs was set again since, or is gone.",
                hint=f"run the cell with `class {name}` again, then this one",
            )
        return Item("data")

    def _can_run(self, source: Source | None) -> bool:
        """Whether all that the statement evaluates still is what it was: no name is gone, set again, or its own."""
        if source is None:
            return False
        names = analyze([source.node], future=source.context.future)
        own = class_scope(source.node).locals if isinstance(source.node, ast.ClassDef) else frozenset()
        sure = [name for name, need in names.needs.items() if need.sure and name not in own]
        known = all(self.has(name) or hasattr(builtins, name) or name in OF_THE_MODULE or name == NAME for name in sure)
        return known and source.name not in names.statements[0].eager and not self._overtaken(source)

    def _overtaken(self, source: Source) -> bool:
        """Whether the statement would give something else now, which comparing it with what lives does not show."""
        value = self.notebook.namespace.get(source.name)
        plain = type(value) is type and not issubclass(value, tuple)
        silent = statement_names(history.silent(source.node, plain=plain), future=source.context.future).eager
        return any(history.rebound(name, source.cell, source.node, self.notebook) for name in silent)

    def _module(self, name: str, value: ModuleType) -> Item:
        statement = self._as_imported(name, value) or modules.import_of_module(name, value)
        if statement is None:
            raise CaptureError(
                f"{name} cannot travel: importing {value.__name__} does not give this module.",
                hint=f"write the import of {name} into the cell",
            )
        return Item("import", statement)

    def _importable(self, name: str, value: Any) -> Item:
        if is_ours(value):
            exported = static(value, "__name__")
            if exported in modules.IN_JOBS:
                return Item("import", modules.from_import(modules.OURS, exported, name))
            raise CaptureError(
                f"{name} cannot travel: of kube_magics only report and should_stop work inside a job.",
                hint=f"use {name} in the notebook, around the job",
            )
        statement = (
            self._as_imported(name, value) or self._by_star(name, value) or modules.import_of_object(name, value)
        )
        return Item("import", statement) if statement else Item("data")

    def _as_imported(self, name: str, value: object) -> str | None:
        """The notebook's own import statement for the name, if it still gives this value: the last one wins."""
        if self._imports is None:
            self._imports = {}
            for cell in self.notebook.latest.values():
                tree = parsed(cell.source) if "import" in cell.source else None
                for bound, statement, imported in modules.statements(ast.walk(tree) if tree else ()):
                    self._imports.setdefault(bound, []).append((statement, imported))
        for statement, imported in reversed(self._imports.get(name, [])):
            if imported is value:
                return statement
        return None

    def _by_star(self, name: str, value: object) -> str | None:
        """The import of what `from … import *` brought, from an installed module that still gives this value."""
        if self._starred is None:
            trees = (parsed(cell.source) for cell in self.notebook.latest.values() if "*" in cell.source)
            self._starred = list(modules.starred(node for tree in trees if tree for node in ast.walk(tree)))
        for module in reversed(self._starred):
            known = modules.kind(module.__name__) in ("stdlib", "installed") and name in modules.public(module)
            if known and getattr(module, name, None) is value:
                return modules.from_import(module.__name__, name, name)
        return None


def _defined_name(value: object, notebook: Notebook) -> str | None:
    """The top-level name under which the notebook has this function or class, by its own account."""
    name = static(value, "__qualname__")
    if not isinstance(name, str) or static(value, "__module__") != notebook.module:
        return None
    return name if "." not in name and lookup(notebook.namespace, name) is value else None
