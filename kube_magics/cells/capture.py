"""A cell, or a call, becomes a program: what runs, in which order, with which data."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from kube_magics.cells.analysis.reads import CellNames, Outside
from kube_magics.cells.analysis.scopes import analyze
from kube_magics.cells.analysis.seeds import seeds
from kube_magics.cells.analysis.syntax import parse_cell
from kube_magics.cells.brought import (
    chains_of,
    local_modules,
    read_variables,
    shipped,
    sources_of,
    star_names,
    versions,
)
from kube_magics.cells.checks import cautions
from kube_magics.cells.checks.absent import check_absent, check_definitions
from kube_magics.cells.checks.credentials import refuse
from kube_magics.cells.checks.exposure import in_code, in_definitions, in_modules, in_value
from kube_magics.cells.checks.refused import check_modules, check_names, check_own_imports, check_returns
from kube_magics.cells.checks.settings import forgotten
from kube_magics.cells.closure.closure import Closure
from kube_magics.cells.closure.program import Written, program_of_call, program_of_cell
from kube_magics.cells.closure.promotion import promoted
from kube_magics.cells.closure.steps import Before, Step, Travel
from kube_magics.cells.definitions import modules
from kube_magics.cells.definitions.computed import is_hooked
from kube_magics.cells.definitions.jobcode import Definitions
from kube_magics.cells.files.cargo import Cargo
from kube_magics.cells.files.chosen import Files
from kube_magics.cells.notebook import Cell, Notebook
from kube_magics.cells.values.data import Data
from kube_magics.cells.values.digests import digest
from kube_magics.errors import CaptureError
from kube_magics.spec.quantities import human_bytes

T = TypeVar("T")


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
    variables: Mapping[str, str] = field(default_factory=dict)
    'environment variables that the job reads and a cell has set -> that cell: {"MODE": "In [3]"}'
    seeds: Mapping[str, int] = field(default_factory=dict)
    'that its code sets, as far as its text tells: {"numpy.random.seed": 0}'
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
    nodes = [node for unit in parsed.units for node in unit.nodes]
    future = parsed.future or notebook.future(None)

    def needed(closure: Closure) -> CellNames:
        outside = Outside(closure.later, closure.harmless, star_names)
        names = analyze(nodes, future=future, outside=outside, returns=returns)
        check_names(names, closure, returns)
        for name, need in names.needs.items():
            if closure.has(name):
                closure.add(name, weak=need.weak)
        closure.follow(names.needs, names.bindings)
        closure.settle()
        return names

    closure, names, apart = _sharing(needed, notebook, gpus)
    check_absent(nodes, names, closure)
    refuse(in_code(nodes, parsed.written.split("\n"), "Line {}"), allowed)
    refuse(in_definitions(closure), allowed)
    space = notebook.namespace
    chosen = promoted(
        parsed.units, names, closure.standing, closure.later, lambda name: is_hooked(space.get(name), notebook.module)
    )
    check_own_imports([*nodes, *sources_of(closure)])
    check_modules(closure, [*nodes, *sources_of(closure)])
    own = Cell("<cell>", notebook.label or "cell", parsed.text)
    used = chains_of(closure, nodes)
    written = program_of_cell(closure, parsed, chosen, own, future=future, chains=used, returns=returns)
    early = [node for unit, early in zip(parsed.units, chosen, strict=True) if early for node in unit.nodes]
    found = _capture(closure, written, text=parsed.written, nodes=nodes, early=early)
    refuse(in_modules(found.cargo.modules), allowed)
    warnings = (*cautions.only_defines(nodes, names, returns), *cautions.undefined(nodes, names, closure))
    warnings = (*warnings, *cautions.patched(nodes, closure))
    warnings = (*parsed.warnings, *warnings, *_settings(closure, nodes), *apart, *found.warnings)
    return replace(found, requirements=parsed.pip, warnings=warnings, seeds=_seeds(closure, nodes))


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
    called = (fn, tuple(args), dict(kwargs))
    closure, size, apart = _sharing(lambda closure: closure.add_value("", called), notebook, gpus)
    check_definitions(closure)
    for path, value in (("fn", fn), ("args", args), ("kwargs", kwargs)):
        refuse(in_value(path, value), allowed)
    refuse(in_definitions(closure), allowed)
    check_own_imports(sources_of(closure))
    check_modules(closure, sources_of(closure))
    written = program_of_call(closure, chains=chains_of(closure, ()))
    name = getattr(fn, "__qualname__", type(fn).__qualname__)
    call = digest((name, tuple(args), dict(kwargs)), closure.dumper.contents)
    found = _capture(closure, written, text=f"call {name} {call}")
    refuse(in_modules(found.cargo.modules), allowed)
    arguments = (Travel("arguments", "data", size),) if args or kwargs else ()
    incomparable = (*found.incomparable, "arguments") if call is None else found.incomparable
    warnings = (*_settings(closure, ()), *cautions.patched((), closure), *apart, *found.warnings)
    return replace(
        found,
        travels=(*found.travels, *arguments),
        incomparable=incomparable,
        warnings=warnings,
        seeds=_seeds(closure, [_call(name, args, kwargs)]),
    )


def _sharing(fill: Callable[[Closure], T], notebook: Notebook, gpus: int) -> tuple[Closure, T, list[str]]:
    """What `fill` puts into a closure: twice, where it finds that arrays share memory. And what to say of that."""
    closure = Closure(notebook, gpus=gpus)
    found = fill(closure)
    shared, apart = closure.dumper.views.found()
    if shared:
        closure = Closure(notebook, gpus=gpus, before=Before(shared, closure.dumper.contents))
        found = fill(closure)
    return closure, found, [cautions.apart(apart)] if apart else []


def _capture(
    closure: Closure, written: Written, *, text: str, nodes: Sequence[ast.stmt] = (), early: Sequence[ast.stmt] = ()
) -> Capture:
    local = local_modules(closure, nodes, early)
    cargo = Cargo(local.files)
    found, incomparable = _digest(closure, text, written.program["returns"], cargo)
    brought = versions(closure, early, local.imports)
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
        variables=read_variables(closure, nodes, local),
        shipped=shipped(closure, written.program["returns"], [*nodes, *sources_of(closure)]),
    )


def _settings(closure: Closure, nodes: Sequence[ast.stmt]) -> Iterator[str]:
    imported = [step.name for step in closure.steps if step.item.kind == "import"]
    return forgotten(closure.notebook, [*nodes, *sources_of(closure)], imported, closure.dumper.modules)


def _seeds(closure: Closure, nodes: Sequence[ast.stmt]) -> dict[str, int]:
    imports = [step.item.statement for step in closure.steps if step.item.kind == "import"]
    values = {step.name: closure.notebook.namespace[step.name] for step in closure.steps if step.item.kind == "data"}
    numbers = {name: value if type(value) is int else None for name, value in values.items()}
    return seeds([*ast.parse("\n".join(imports)).body, *sources_of(closure), *nodes], numbers)


def _call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> ast.Expr:
    """As a cell would write it, with the numbers among the arguments."""
    given: list[ast.expr] = [ast.Constant(value if type(value) is int else None) for value in (*args, *kwargs.values())]
    named = [ast.keyword(key, value) for key, value in zip(kwargs, given[len(args) :], strict=True)]
    return ast.Expr(ast.Call(ast.Name(name, ast.Load()), given[: len(args)], named))


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
