"""A cell, or a call, becomes a program: what runs, in which order, with which data."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FunctionType, ModuleType
from typing import Any

from kube_magics.cells import bytecode, cautions, modules
from kube_magics.cells.absent import check_absent, check_definitions
from kube_magics.cells.cargo import Cargo
from kube_magics.cells.checks import chains, check_modules, check_names, check_own_imports, check_returns
from kube_magics.cells.closure import Closure, Step, Travel
from kube_magics.cells.credentials import refuse
from kube_magics.cells.data import Data
from kube_magics.cells.digests import digest
from kube_magics.cells.exposure import in_code, in_definitions, in_modules, in_value
from kube_magics.cells.files import Files
from kube_magics.cells.imports import Wanted, imports
from kube_magics.cells.jobcode import Definitions
from kube_magics.cells.localmodules import LocalImports, LocalModules
from kube_magics.cells.modules import submodules
from kube_magics.cells.notebook import Cell, Notebook
from kube_magics.cells.program import Written, program_of_call, program_of_cell
from kube_magics.cells.promotion import promoted
from kube_magics.cells.reads import Outside
from kube_magics.cells.scopes import analyze
from kube_magics.cells.settings import attributes, forgotten
from kube_magics.cells.syntax import parse_cell
from kube_magics.errors import CaptureError
from kube_magics.spec.quantities import human_bytes


@dataclass(frozen=True)
class Capture:
    """All that a job needs from the notebook."""

    program: dict[str, Any]
    "program.json"
    data: Data
    "data.pkl"
    imports: dict[str, str | None]
    'top-level modules -> the distribution that brings it, as in the notebook: {"sklearn": "scikit-learn==1.9.1"}'
    travels: tuple[Travel, ...]
    cell_digest: str
    "SHA-256 of the cell's text and of all that it uses, in hexadecimal: equal for an equal job"
    module: str
    "the __module__ of what the notebook's cells define"
    incomparable: tuple[str, ...]
    "names whose values are not in the digest"
    left_out: tuple[str, ...]
    "names that only a loop which never runs could need, and that would cost too much or cannot travel"
    filenames: dict[str, str]
    "name of a cell's code in the job -> its name in this notebook, the job's own cell excepted"
    own: str | None
    "name of the job's own cell in the job: <In [5]>; None for a call"
    requirements: tuple[str, ...] = ()
    "what the cell's %pip install lines ask for: installed before it runs, besides what --pip says"
    pickled: Mapping[str, str] = field(default_factory=dict)
    "of `imports`, those that pickled values refer to, where they have versions"
    bytecode: tuple[tuple[str, str], ...] = ()
    "what only the notebook's Python minor can load, and what it is: (('cfg[\"k\"]', 'a lambda'),)"
    shipped: frozenset[str] = frozenset()
    "modules of the runner that only captures like this one need, as fields of spec.json"
    warnings: tuple[str, ...] = ()
    "what the user should know although the job runs: sentences of one line"
    cargo: Cargo = field(default_factory=Cargo)
    "local modules, and the files of --files"

    def files(self, file: str | None) -> dict[str, str]:
        """Names of the cells' code in the job -> in this notebook; `file` is the job's own cell's name here."""
        own = {self.own: file} if self.own is not None and file is not None else {}
        return {**self.cargo.filenames(), **self.filenames, **own}

    def definitions(self, file: str | None) -> Definitions:
        """What `load_result` needs for this job's values; `file` as above."""
        return Definitions(self.program, self.files(file), self.module)

    def summary(self) -> str:
        """One line for the user: `travels: Net, train_step, cfg (312 B), X (1.4 MB)`."""
        shown = [
            travel.name if travel.size_bytes is None else f"{travel.name} ({human_bytes(travel.size_bytes)})"
            for travel in self.travels
            if travel.kind != "import"
        ]
        return "travels: " + (", ".join([*shown, *self.cargo.summary()]) or "only this cell")

    def with_files(self, found: Files) -> Capture:
        """The same with the files of `--files`, which are part of what makes two jobs equal."""
        if not found.files and not found.left_out:
            return self
        cargo = replace(self.cargo, files=found.files)
        both = json.dumps([self.cell_digest, cargo.digests()]).encode()
        return replace(
            self,
            cargo=cargo,
            cell_digest=hashlib.sha256(both).hexdigest(),
            warnings=(*self.warnings, *found.warnings()),
        )


def capture(
    source: str, notebook: Notebook, *, returns: Sequence[str] = (), allowed: Collection[str] = (), gpus: int = 0
) -> Capture:
    """What a cell needs to run elsewhere; `source` begins with its %%kubetrain line; names in `allowed` travel although
    their values look like credentials.

    Raises CellError (the cell itself cannot be a job) and CaptureError (something that it uses cannot travel).
    """
    check_returns(returns)
    parsed = parse_cell(source, notebook.label, notebook.python)
    closure = Closure(notebook, gpus=gpus > 0)
    nodes = [node for unit in parsed.units for node in unit.nodes]
    future = parsed.future or notebook.future(None)
    names = analyze(
        nodes, future=future, outside=Outside(closure.later, closure.harmless, _star_names), returns=returns
    )
    check_names(names, closure, returns)
    for name, need in names.needs.items():
        if closure.has(name):
            closure.add(name, weak=need.weak)
    closure.follow(names.needs, names.bindings)
    closure.settle()
    check_absent(nodes, names, closure)
    refuse(in_code(nodes, parsed.written.split("\n"), "Line {}"), allowed)
    refuse(in_definitions(closure), allowed)
    chosen = promoted(parsed.units, names, closure.standing, closure.later)
    check_own_imports([*nodes, *_sources(closure)])
    check_modules(closure, [*nodes, *_sources(closure)])
    own = Cell("<cell>", notebook.label or "cell", parsed.text)
    used = _chains(closure, nodes)
    written = program_of_cell(closure, parsed, chosen, own, future=future, chains=used, returns=returns)
    early = [node for unit, early in zip(parsed.units, chosen, strict=True) if early for node in unit.nodes]
    found = _capture(closure, written, text=parsed.written, nodes=nodes, early=early)
    refuse(in_modules(found.cargo.modules), allowed)
    warnings = (*cautions.only_defines(nodes, names, returns), *cautions.undefined(nodes, names, closure))
    warnings = (*warnings, *cautions.patched(nodes, closure))
    warnings = (*parsed.warnings, *warnings, *_settings(closure, nodes), *found.warnings)
    return replace(found, requirements=parsed.pip, warnings=warnings)


def capture_call(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    notebook: Notebook,
    *,
    allowed: Collection[str] = (),
    gpus: int = 0,
) -> Capture:
    """What `fn(*args, **kwargs)` needs to run elsewhere; its value is the result named "@value"."""
    if not callable(fn):
        raise CaptureError(f"train() got {fn!r}, which cannot be called.", hint="pass a function: train(fn, args=…)")
    closure = Closure(notebook, gpus=gpus > 0)
    size = closure.add_value("", (fn, tuple(args), dict(kwargs)))
    check_definitions(closure)
    for path, value in (("fn", fn), ("args", args), ("kwargs", kwargs)):
        refuse(in_value(path, value), allowed)
    refuse(in_definitions(closure), allowed)
    check_own_imports(_sources(closure))
    check_modules(closure, _sources(closure))
    written = program_of_call(closure, chains=_chains(closure, ()))
    name = getattr(fn, "__qualname__", type(fn).__qualname__)
    call = digest((name, tuple(args), dict(kwargs)), closure.dumper.contents)
    found = _capture(closure, written, text=f"call {name} {call}")
    refuse(in_modules(found.cargo.modules), allowed)
    arguments = (Travel("arguments", "data", size),) if args or kwargs else ()
    incomparable = (*found.incomparable, "arguments") if call is None else found.incomparable
    warnings = (*_settings(closure, ()), *cautions.patched((), closure), *found.warnings)
    return replace(found, travels=(*found.travels, *arguments), incomparable=incomparable, warnings=warnings)


def _capture(
    closure: Closure, written: Written, *, text: str, nodes: Sequence[ast.stmt] = (), early: Sequence[ast.stmt] = ()
) -> Capture:
    local = _local_modules(closure, nodes, early)
    cargo = Cargo(local.files)
    found, incomparable = _digest(closure, text, written.program["returns"], cargo)
    brought = _versions(closure, early, local.imports)
    held = {modules.key(name) for name in closure.dumper.modules}
    return Capture(
        program=written.program,
        data=closure.dumper.data,
        imports=brought,
        pickled={name: known for name, known in brought.items() if known and name in held},
        travels=_travels(closure.steps),
        cell_digest=found,
        module=closure.notebook.module,
        incomparable=tuple(incomparable),
        left_out=tuple(closure.left_out),
        filenames=written.filenames,
        own=written.own,
        warnings=local.warnings,
        cargo=cargo,
        bytecode=tuple(place for dumped in closure.dumped for place in dumped.bytecode),
        shipped=_shipped(closure, written.program["returns"], [*nodes, *_sources(closure)]),
    )


def _local_modules(closure: Closure, nodes: Sequence[ast.stmt], early: Sequence[ast.stmt]) -> LocalModules:
    """Those that the cell, its captured names and their values need."""
    local = LocalImports()
    local.add((replace(each, sure=False) for each in imports(nodes)), "Line {line}: the cell's import")
    local.add(imports(early), "Line {line}: the cell's import")
    used = _chains(closure, nodes)
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


def _settings(closure: Closure, nodes: Sequence[ast.stmt]) -> Iterator[str]:
    imported = [step.name for step in closure.steps if step.item.kind == "import"]
    return forgotten(closure.notebook, [*nodes, *_sources(closure)], imported, closure.dumper.modules)


def _sources(closure: Closure) -> list[ast.stmt]:
    return [step.item.source.node for step in closure.steps if step.item.source is not None]


def _shipped(closure: Closure, returns: Sequence[str], nodes: Sequence[ast.stmt]) -> frozenset[str]:
    """Modules of the runner that load the captured values, and take apart what comes back."""
    found = set(closure.dumper.shipped)
    if returns or any(step.item.change for step in closure.steps):
        found.add("rebuild")
    if len(returns) > 1:
        found.add("sharing")
    if returns:
        found.add("byvalue")
        functions = [part for node in nodes for part in ast.walk(node) if isinstance(part, ast.FunctionDef)]
        if any(isinstance(part, ast.ClassDef) for function in functions for part in ast.walk(function)):
            found.add("cloudpickle")
    return frozenset(found)


def _travels(steps: Sequence[Step]) -> tuple[Travel, ...]:
    found: dict[str, Travel] = {}
    for step in steps:
        size = step.dumped.size_bytes if step.dumped else None
        if step.item.kind != "change":
            found[step.name] = Travel(step.name, step.item.kind, size)
        elif size is not None:  # what it has been given since its statement
            so_far = found[step.name]
            found[step.name] = replace(so_far, size_bytes=(so_far.size_bytes or 0) + size)
    return tuple(found.values())


def _functions(closure: Closure) -> list[FunctionType]:
    """Those that travel as bytecode."""
    return [function for dumped in closure.dumped for function in dumped.functions]


def _chains(closure: Closure, nodes: Sequence[ast.stmt]) -> dict[str, set[tuple[str, ...]]]:
    found = chains([*nodes, *_sources(closure)])
    for name, used in bytecode.chains(_functions(closure), closure.notebook.namespace).items():
        found.setdefault(name, set()).update(used)
    return found


def _star_names(node: ast.ImportFrom) -> frozenset[str] | None:
    module = None if node.level else sys.modules.get(node.module or "")
    return None if module is None else modules.public(module)


def _versions(closure: Closure, early: Sequence[ast.stmt], more: Iterable[str]) -> dict[str, str | None]:
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


def _digest(closure: Closure, text: str, returns: Sequence[str], cargo: Cargo) -> tuple[str, list[str]]:
    parts: list[Any] = ["cell", text, list(returns), cargo.digests()]
    incomparable = []
    for step in sorted(closure.steps, key=lambda step: step.name):
        content = _content(step, closure)
        if content is None:
            incomparable.append(step.name)
        parts.append([step.name, step.item.kind, content])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest(), incomparable


def _content(step: Step, closure: Closure) -> str | None:
    if step.item.kind == "import":
        return step.item.statement
    if step.item.source is not None:
        return "\n".join(step.item.source.lines)
    change = step.item.change
    if change is not None:
        content = digest(change.value, closure.dumper.contents)
        return None if content is None else f"{change.how} {change.path} {content}"
    return digest(closure.notebook.namespace[step.name], closure.dumper.contents)
