"""What earlier cells have set in libraries, and a job starts without: `np.random.seed(0)`, `plt.rcParams[…] = …`.

Such a setting is no name and no value: it is the state of this process. Run again in the job it would not give what it
gave here (a seed would make every run of the cell the same), so it is said, not sent.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from kube_magics.cells.checks import chains
from kube_magics.cells.notebook import Notebook
from kube_magics.cells.sources import parsed, statements

_CALLS = frozenset(
    "seed manual_seed manual_seed_all seed_everything set_seed basicConfig dictConfig filterwarnings simplefilter"
    " set_option set_printoptions seterr set_theme set_style set_palette set_context set_config set_verbosity"
    " set_default_dtype set_default_device set_num_threads set_float32_matmul_precision set_grad_enabled"
    " use_deterministic_algorithms setrecursionlimit setlocale rc rcParams.update style.use".split()
)
_FEW = 3


def forgotten(
    notebook: Notebook, nodes: Sequence[ast.stmt], imported: Iterable[str], modules: Iterable[str]
) -> Iterator[str]:
    """One sentence, if the job uses a library that a cell has set; `nodes`: the job's statements, `imported`: its names
    that are imports, `modules`: those that its values come from."""
    uses = set(modules) | {_full(name, (), notebook) for name in imported} | _all_full(nodes, notebook)
    bound = _all_full((target for node in nodes for target in _bound(node)), notebook)
    found = {}
    for label, written, full, owner, kept in _of_cells(notebook):
        near = any(use == owner or use.startswith(f"{owner}.") for use in uses)
        # To read an attribute is not to set it; a call sets again, and so may whatever is done with a mapping.
        again = bound if kept else uses
        if near and not any(use == full or use.startswith(f"{full}.") for use in again):
            found[full] = f"{written} ({label})"
    if found:
        names = list(found.values())
        listed = ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")
        yield f"set here, not in the job: {listed}; what the job needs of it, repeat in this cell"


def attributes(notebook: Notebook) -> set[str]:
    """Attributes of modules that cells have set: `{"helpers.RATE"}`."""
    return {full for _, _, full, _, kept in _of_cells(notebook) if kept}


def _of_cells(notebook: Notebook) -> Iterator[tuple[str, str, str, str, bool]]:
    for cell in notebook.latest.values():
        tree = None if cell.source.startswith("%%") else parsed(cell.source)
        for setting in _settings(tree.body if tree else [], notebook):
            yield (cell.label, *setting)


def _settings(body: list[ast.stmt], notebook: Notebook) -> Iterator[tuple[str, str, str, bool]]:
    """(as written, in full, the module or the like that it belongs to, whether it is an attribute) of each setting."""
    for node in statements(body):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            name, chain = _dotted(node.value.func)
            ending = next((n for n in (2, 1) if chain and ".".join(chain[-n:]) in _CALLS), 0)
            if ending and _is_module(name, notebook):
                owner = _full(name, chain[:-ending], notebook)
                yield ".".join((name, *chain)), _full(name, chain, notebook), owner, False
        for target in _targets(node):
            name, chain = _dotted(target.value if isinstance(target, ast.Subscript) else target)
            if chain and _is_module(name, notebook):
                # Everything uses os; of its variables little is meant for the job.
                owner = _full(name, chain if chain == ("environ",) else (), notebook)
                yield ".".join((name, *chain)), _full(name, chain, notebook), owner, isinstance(target, ast.Attribute)


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []


def _all_full(nodes: Iterable[ast.AST], notebook: Notebook) -> set[str]:
    return {_full(name, chain, notebook) for name, used in chains(nodes).items() for chain in used}


def _bound(node: ast.AST) -> Iterator[ast.AST]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
            yield part


def _dotted(node: ast.expr) -> tuple[str, tuple[str, ...]]:
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.insert(0, node.attr)
        node = node.value
    return (node.id, tuple(chain)) if isinstance(node, ast.Name) else ("", ())


def _is_module(name: str, notebook: Notebook) -> bool:
    return isinstance(notebook.namespace.get(name), ModuleType)


def _full(name: str, chain: tuple[str, ...], notebook: Notebook) -> str:
    value: Any = notebook.namespace.get(name)
    first = value.__name__ if isinstance(value, ModuleType) else f"{getattr(value, '__module__', '')}.{name}"
    return ".".join((first, *chain))
