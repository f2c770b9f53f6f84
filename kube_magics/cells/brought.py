"""What a capture brings besides its names and values: local modules, versions of libraries, modules of the runner."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import FunctionType, ModuleType

from kube_magics.cells.analysis.imports import Wanted, imports
from kube_magics.cells.checks.refused import chains
from kube_magics.cells.checks.settings import attributes
from kube_magics.cells.checks.variables import variables
from kube_magics.cells.closure.closure import Closure
from kube_magics.cells.definitions import bytecode, modules
from kube_magics.cells.definitions.modules import submodules
from kube_magics.cells.files.localmodules import LocalImports, LocalModules


def local_modules(closure: Closure, nodes: Sequence[ast.stmt], early: Sequence[ast.stmt]) -> LocalModules:
    """Those that the cell, its captured names and their values need."""
    local = LocalImports()
    local.add((replace(each, sure=False) for each in imports(nodes)), "Line {line}: the cell's import")
    local.add(imports(early), "Line {line}: the cell's import")
    used = chains_of(closure, nodes)
    for step in closure.steps:
        if step.item.kind == "import":
            local.add(imports(ast.parse(step.item.statement).body), step.name)
            value = closure.notebook.namespace[step.name]
            inner = submodules(value, used.get(step.name, ())) if isinstance(value, ModuleType) else []
            local.add((Wanted(name, sure=True) for name in inner), step.name)
        elif step.item.source is not None:
            local.add((replace(each, sure=False) for each in imports([step.item.source.node])), step.name)
    local.add((Wanted(name, sure=True) for name in sorted(closure.dumper.modules)), "a captured value")
    inside = bytecode.imported(_functions(closure))
    local.add((Wanted(name, sure=False) for name in sorted(inside)), "a captured function")
    return local.result(attributes(closure.notebook))


def read_variables(closure: Closure, nodes: Sequence[ast.stmt], local: LocalModules) -> dict[str, str]:
    """Environment variables that what the job runs reads, and a cell has set."""
    codes = [function.__code__ for function in _functions(closure)]
    texts = [each.data.decode("utf-8", "replace") for each in local.files]
    return variables(closure.notebook, [*nodes, *sources_of(closure)], codes, texts)


def sources_of(closure: Closure) -> list[ast.stmt]:
    return [step.item.source.node for step in closure.steps if step.item.source is not None]


def shipped(closure: Closure, returns: Sequence[str], nodes: Sequence[ast.stmt]) -> frozenset[str]:
    """Modules of the runner that load the captured values, and take apart what comes back."""
    found = set(closure.dumper.shipped)
    if returns or "cloudpickle" in found or any(step.item.change for step in closure.steps):
        found.add("rebuild")
    if returns:
        found |= {"byvalue", "sharing"}
        functions = [part for node in nodes for part in ast.walk(node) if isinstance(part, ast.FunctionDef)]
        if any(isinstance(part, ast.ClassDef) for function in functions for part in ast.walk(function)):
            found.add("cloudpickle")
    return frozenset(found)


def _functions(closure: Closure) -> list[FunctionType]:
    """Those that travel as bytecode."""
    return [function for dumped in closure.dumped for function in dumped.functions]


def chains_of(closure: Closure, nodes: Sequence[ast.stmt]) -> dict[str, set[tuple[str, ...]]]:
    found = chains([*nodes, *sources_of(closure)])
    for name, used in bytecode.chains(_functions(closure), closure.notebook.namespace).items():
        found.setdefault(name, set()).update(used)
    return found


def star_names(node: ast.ImportFrom) -> frozenset[str] | None:
    module = None if node.level else sys.modules.get(node.module or "")
    return None if module is None else modules.public(module)


def versions(closure: Closure, early: Sequence[ast.stmt], more: Iterable[str]) -> dict[str, str | None]:
    written = [step.item.statement for step in closure.steps if step.item.kind == "import"]
    statements = [node for text in written for node in ast.parse(text).body]
    found = {*closure.dumper.modules, *more}
    for node in [*statements, *early]:
        if isinstance(node, ast.ImportFrom) and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if node.module else set()
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    named = sorted({modules.key(name) for name in found if modules.kind(name) in ("installed", "missing")})
    return {name: modules.provider(name) for name in named if name not in ("", closure.notebook.module, "__future__")}
