"""What a job ran, for its results: its statements by the names they bind, and whether the notebook has the same."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube_magics.cells.analysis.names import import_name
from kube_magics.cells.analysis.syntax import normal
from kube_magics.cells.definitions.classes import class_differences
from kube_magics.cells.definitions.compare import Context, functions_inside, made_by
from kube_magics.cells.definitions.sources import Definition, statements
from kube_magics.cells.notebook import Cell


@dataclass(frozen=True)
class Definitions:
    """What a job ran, for the classes and functions that its results refer to."""

    program: Mapping[str, Any]
    "program.json"
    files: Mapping[str, str] = field(default_factory=dict)
    "name of a cell's code in the job -> its name in this notebook"
    module: str = "__main__"
    versions: Mapping[str, str] = field(default_factory=dict)
    "modules -> versions that the job had"


@dataclass(frozen=True)
class Statement:
    node: Definition | ast.Import | ast.ImportFrom | ast.Assign
    cell: Cell
    context: Context


def by_name(definitions: Definitions) -> Iterator[tuple[str, Statement]]:
    """Definitions and imports of the program, by name; a later one of the same name counts."""
    program = definitions.program
    for step in [*program["definitions"], *program["statements"]]:
        if step["do"] == "import":
            yield from _named(ast.parse(step["source"]).body, Cell("<import>", "import", step["source"]), Context())
        elif step["do"] == "exec":
            name = step["cell"]
            entry = program["cells"][name]
            cell = Cell(definitions.files.get(name, name), entry["label"], entry["source"])
            context = Context("annotations" in entry["future"], frozenset(entry["imported"]))
            lines = normal(entry["source"]).split("\n")
            text = "\n" * (step["first"] - 1) + "\n".join(lines[step["first"] - 1 : step["last"]])
            yield from _named(ast.parse(text).body, cell, context)


def _named(body: list[ast.stmt], cell: Cell, context: Context) -> Iterator[tuple[str, Statement]]:
    for node in statements(body):
        if isinstance(node, Definition):
            yield node.name, Statement(node, cell, context)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _name(node.value.func) in _MAKERS:
            yield from ((_name(target), Statement(node, cell, context)) for target in node.targets[:1])
        elif isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") != "__future__":
            for alias in node.names:
                if alias.name != "*":
                    yield import_name(alias), Statement(node, cell, context)


_MAKERS = frozenset("namedtuple NamedTuple TypedDict Enum IntEnum StrEnum Flag IntFlag make_dataclass".split())
"Calls that make a class and do nothing else."


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _alike(live: Any, node: ast.Assign, namespace: Mapping[str, Any]) -> bool:
    """Whether a class is what its call makes now, as far as fields and members tell."""
    scratch = dict(namespace)
    exec(compile(ast.Module([node], []), "<result>", "exec"), scratch)  # noqa: S102 - a call of _MAKERS
    made = scratch[_name(node.targets[0])]
    fields = [tuple(getattr(each, "_fields", ())) for each in (live, made)]
    members = [[(m.name, m.value) for m in getattr(each, "__members__", {}).values()] for each in (live, made)]
    hints = [getattr(each, "__annotations__", {}) for each in (live, made)]
    return isinstance(live, type) and fields[0] == fields[1] and members[0] == members[1] and hints[0] == hints[1]


def is_same(live: Any, statement: Statement, namespace: Mapping[str, Any], changed: Collection[str]) -> bool:
    """Whether the notebook's value is what the job's statement makes, with what the notebook has changed since
    (`changed`: paths that travelled); values that change in use are not compared."""
    node = statement.node
    if isinstance(node, ast.ClassDef):
        found = class_differences(live, node, namespace, statement.context) if isinstance(live, type) else None
        return found is not None and all(each.path in changed for each in found if each.code)
    if isinstance(node, Definition):
        return any(made_by(function.__code__, node, statement.context) for function in functions_inside(live))
    if isinstance(node, ast.Assign):
        return _alike(live, node, namespace)
    return True  # an import: whatever the notebook has under this name, its own cells use it so
