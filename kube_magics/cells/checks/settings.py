"""What earlier cells have set in libraries, and a job starts without: `np.random.seed(0)`, `plt.rcParams[…] = …`.

Such a setting is no name and no value: it is the state of this process. Run again in the job it would not give what it
gave here (a seed would make every run of the cell the same), so it is said, not sent.
"""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from kube_magics.cells.checks.refused import chains
from kube_magics.cells.definitions.compare import static
from kube_magics.cells.definitions.sources import parsed, statements
from kube_magics.cells.notebook import Notebook

_CALLS = frozenset(
    "seed manual_seed manual_seed_all seed_everything set_seed basicConfig dictConfig filterwarnings simplefilter"
    " set_option set_printoptions seterr set_theme set_style set_palette set_context set_config set_verbosity"
    " set_default_dtype set_default_device set_num_threads set_float32_matmul_precision set_grad_enabled"
    " use_deterministic_algorithms setrecursionlimit setlocale set_start_method rc rcParams.update style.use setLevel"
    " addHandler removeHandler addFilter __dict__.update".split()
)
_RUN_HERE = ("time", "timeit", "capture", "prun")
"Cell magics whose text is Python that runs in the notebook."
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
    for label, body in bodies(notebook):
        for setting in _settings(body, notebook):
            yield (label, *setting)


def bodies(notebook: Notebook) -> Iterator[tuple[str, list[ast.stmt]]]:
    """(label, statements) of each cell, also where it stood under %%time."""
    for cell in notebook.latest.values():
        magic = cell.source[2:].split(None, 1)[:1] if cell.source.startswith("%%") else []
        tree = parsed(cell.source) if not magic or magic[0] in _RUN_HERE else None
        body = tree.body if tree else []
        match body:
            case [
                ast.Expr(ast.Call(ast.Attribute(attr="run_cell_magic"), [ast.Constant(name), _, ast.Constant(text)]))
            ]:
                tree = parsed(text) if name in _RUN_HERE and isinstance(text, str) else None
                body = tree.body if tree else []
        yield cell.label, body


def _settings(body: list[ast.stmt], notebook: Notebook) -> Iterator[tuple[str, str, str, bool]]:
    """(as written, in full, the module or the like that it belongs to, whether it is an attribute) of each setting."""
    for node in statements(body):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from _by_call(node.value, notebook)
        for target in _targets(node):
            item = target.slice if isinstance(target, ast.Subscript) else None
            name, chain = _dotted(target.value if isinstance(target, ast.Subscript) else target)
            if chain and _is_state(name, notebook):
                key = item.value if isinstance(item, ast.Constant) else None
                if chain[-1] == "__dict__" and isinstance(key, str):
                    yield _attribute(name, (*chain[:-1], key), notebook)
                elif CALLED in chain:
                    yield ".".join((name, *chain)).replace(f".{CALLED}", "()"), *_of_call(name, chain, notebook), False
                else:
                    # Everything uses os; of its variables little is meant for the job.
                    owner = _full(name, chain if chain == ("environ",) else (), notebook)
                    whole = isinstance(target, ast.Attribute)
                    yield ".".join((name, *chain)), _full(name, chain, notebook), owner, whole


def _by_call(call: ast.Call, notebook: Notebook) -> Iterator[tuple[str, str, str, bool]]:
    name, chain = _dotted(call.func)
    match call:
        case ast.Call(ast.Name("setattr"), [ast.Name(of), ast.Constant(str(key)), _]) if _is_state(of, notebook):
            yield _attribute(of, (key,), notebook)
            return
    if chain[-2:] == ("__dict__", "update") and _is_state(name, notebook):
        yield from (_attribute(name, (*chain[:-2], each.arg), notebook) for each in call.keywords if each.arg)
        return
    ending = next((n for n in (2, 1) if chain and ".".join(chain[-n:]) in _CALLS), 0)
    if ending and _is_state(name, notebook):
        written = ".".join((name, *chain)).replace(f".{CALLED}", "()")
        if CALLED in chain:
            yield written, *_of_call(name, chain, notebook), False
        else:
            yield written, _full(name, chain, notebook), _full(name, chain[:-ending], notebook), False


def _attribute(name: str, chain: tuple[str, ...], notebook: Notebook) -> tuple[str, str, str, bool]:
    return ".".join((name, *chain)), _full(name, chain, notebook), _full(name, chain[:-1], notebook), True


def _of_call(name: str, chain: tuple[str, ...], notebook: Notebook) -> tuple[str, str]:
    """What a call gives (`decimal.getcontext()`) is set anew by whoever calls the same."""
    return _full(name, chain[: chain.index(CALLED)], notebook), _full(name, (), notebook)


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


CALLED = "()"


def _dotted(node: ast.expr) -> tuple[str, tuple[str, ...]]:
    """A name and the attributes behind it; vars(x) is x.__dict__, and other calls are `CALLED`."""
    chain: list[str] = []
    while isinstance(node, ast.Attribute | ast.Call):
        match node:
            case ast.Call(ast.Name("vars"), [inner]):
                chain.insert(0, "__dict__")
                node = inner
            case ast.Call():
                chain.insert(0, CALLED)
                node = node.func
            case _:
                chain.insert(0, node.attr)
                node = node.value
    return (node.id, tuple(chain)) if isinstance(node, ast.Name) else ("", ())


def _is_state(name: str, notebook: Notebook) -> bool:
    """A module, or a logger: what a job gets by its name, as it is there."""
    return isinstance(notebook.namespace.get(name), ModuleType | logging.Logger)


def _full(name: str, chain: tuple[str, ...], notebook: Notebook) -> str:
    value: Any = notebook.namespace.get(name)
    first = value.__name__ if isinstance(value, ModuleType) else f"{static(value, '__module__') or ''}.{name}"
    return ".".join((first, *chain))
