"""program.json: the steps that main.py runs, and the text of the cells that they stand in.

    cells        {"<In [3]>": {"label": "In [3]", "source": "…", "future": ["annotations"], "imported": ["np"],
                               "commands": true, "shown": {"4": "!ls\\n"}}}
    definitions  steps run on every import of main.py
    statements   steps run once, under `if __name__ == "__main__"`

A step is {"do": "exec", "cell", "first", "last"} | {"do": "import", "source", "name"} | {"do": "load", "name"} |
{"do": "call"} | {"do": "time"}: "call" loads a triple (fn, args, kwargs), calls it, and keeps its value as "@value";
after "time" all is under %%time. `future` and `imported` (what the whole cell imports) say how its statements were
compiled: needed to compare them later. `commands`: has what runner/syntax.py turns into Python; `shown` has the lines
that were no Python as their user wrote them. `awaits`: the statements run inside one event loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from kube_magics.cells.analysis.syntax import Parsed
from kube_magics.cells.closure.closure import Closure
from kube_magics.cells.closure.steps import Step
from kube_magics.cells.definitions import modules
from kube_magics.cells.definitions.texts import Texts
from kube_magics.cells.notebook import Cell

VERSION = 1
VALUE = "@value"
FUTURE = {"do": "import", "source": "from __future__ import annotations as _annotations", "name": "_annotations"}
"From here on annotations are not evaluated; as in a notebook, this holds for all that follows."
Chains = Mapping[str, set[tuple[str, ...]]]


@dataclass(frozen=True)
class Written:
    """program.json, and the names of its cells here; `own` is the job's own cell."""

    program: dict[str, Any]
    filenames: dict[str, str]
    own: str | None = None


def program_of_cell(
    closure: Closure,
    parsed: Parsed,
    promoted: Sequence[bool],
    own: Cell,
    *,
    future: bool,
    chains: Chains,
    returns: Sequence[str],
) -> Written:
    """program.json for a cell."""
    cells = closure.texts
    filename = cells.name(own, future=future)
    cells.write(filename, 1, parsed.text.split("\n"))
    cells.texts[filename].update(commands=parsed.commands or parsed.timed, shown=dict(parsed.shown))
    steps = [{"do": "exec", "cell": filename, "first": unit.first, "last": unit.last} for unit in parsed.units]
    own_early = [step for step, early in zip(steps, promoted, strict=True) if early]
    timed = [{"do": "time"}] if parsed.timed else []
    definitions = [*_captured(closure, cells, chains, then_future=future), *timed, *own_early]
    statements = [step for step, early in zip(steps, promoted, strict=True) if not early]
    program = _program(cells, definitions, statements, shows_last=parsed.shows_last, returns=returns)
    program["awaits"] = parsed.awaits
    filenames = {name: there for name, there in cells.filenames.items() if name != filename}
    return Written(program, filenames, filename)


def program_of_call(closure: Closure, *, chains: Chains) -> Written:
    """program.json for a call."""
    cells = closure.texts
    definitions = _captured(closure, cells, chains)
    program = _program(cells, definitions, [{"do": "call"}], shows_last=False, returns=(VALUE,))
    return Written(program, cells.filenames)


def _program(
    cells: Texts,
    definitions: list[dict[str, Any]],
    statements: list[dict[str, Any]],
    *,
    shows_last: bool,
    returns: Sequence[str],
) -> dict[str, Any]:
    return {
        "v": VERSION,
        "cells": cells.texts,
        "definitions": definitions,
        "statements": statements,
        "last_expression": shows_last,
        "returns": list(returns),
    }


def _captured(closure: Closure, cells: Texts, chains: Chains, *, then_future: bool = False) -> list[dict[str, Any]]:
    """Imports first: they need nothing of the notebook, and anything may need them."""
    imports = [step for step in closure.steps if step.item.kind == "import"]
    lines = [line for step in imports for line in _import(step, closure, chains)]
    future = False
    for step in closure.steps:
        if step.item.kind != "import":
            if step.item.source is not None and step.item.source.context.future and not future:
                lines.append(FUTURE)
                future = True
            lines.append(_step(step, cells))
    return [*lines, FUTURE] if then_future and not future else lines


def _import(step: Step, closure: Closure, chains: Chains) -> list[dict[str, Any]]:
    value = closure.notebook.namespace[step.name]
    inner = modules.submodules(value, chains.get(step.name, ())) if isinstance(value, ModuleType) else []
    extra = [f"__import__({name!r})" for name in inner]
    return [
        *({"do": "import", "source": source, "name": step.name} for source in extra),
        {"do": "import", "source": step.item.statement, "name": step.name},
    ]


def _step(step: Step, cells: Texts) -> dict[str, Any]:
    source, change = step.item.source, step.item.change
    if change is not None:
        return {"do": "change", "name": step.name, "path": change.path, "how": change.how}
    if source is None:
        return {"do": "load", "name": step.name}
    name = cells.name(source.cell, future=source.context.future)
    cells.write(name, source.first, source.lines)
    cells.texts[name]["commands"] = cells.texts[name]["commands"] or source.commands
    return {"do": "exec", "cell": name, "first": source.first, "last": source.last}
