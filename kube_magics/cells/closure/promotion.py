"""Which statements of the cell every import of main.py runs, spawned workers included, and which run once.

Promoted are the cell's imports, functions and classes that need nothing the cell computes and whose names it binds
once; also settings of os.environ and sys.path that stand before imports and need nothing else, because those imports
may depend on them. Nothing is promoted past a statement that it may depend on: a default that reads a clock, a random
generator or the environment stays where it is, and an import stays behind what may install or change modules.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence

from kube_magics.cells.analysis.names import Later
from kube_magics.cells.analysis.reads import CellNames, Names
from kube_magics.cells.analysis.syntax import Unit
from kube_magics.runner.syntax import NAME

_STATEFUL = frozenset(
    "random rand randn randint normal uniform choice sample shuffle default_rng seed urandom uuid1 uuid4 token_hex"
    " time time_ns monotonic perf_counter now today utcnow getenv environ getcwd next open input counter count"
    f" {NAME}".split()
)
_BARRIERS = frozenset({"subprocess", "importlib", "runpy", "pip"})
_BARRIER_CHAINS = frozenset(
    {("os", "environ"), ("os", "putenv"), ("os", "system"), ("os", "popen"), ("os", "chdir"), ("sys", "path")}
    | {(NAME, method) for method in ("system", "getoutput", "sx", "pip", "env", "set_env", "cd")}
    | {("sys", "modules"), ("matplotlib", "use"), ("mpl", "use"), ("sys", "meta_path")}
)
_SETTINGS = frozenset({("os", "environ"), ("sys", "path"), (NAME, "env"), (NAME, "set_env")})
_SETTING_METHODS = frozenset({"setdefault", "update", "append", "insert"})
_DEFINITIONS = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def promoted(
    units: Sequence[Unit],
    names: CellNames,
    captured: set[str],
    outside: Callable[[str], Later | None],
    hooked: Callable[[str], bool] = lambda name: False,
) -> list[bool]:
    """For each unit of the cell, whether it is promoted; `outside` gives what a captured definition looks up later,
    `hooked` whether making a subclass of it runs code of the notebook's."""
    choice = _Choice(names, captured, outside, hooked)
    statements = iter(names.statements)
    return [choice.take(unit, [next(statements) for _ in unit.nodes]) for unit in units]


class _Choice:
    def __init__(
        self,
        names: CellNames,
        captured: set[str],
        outside: Callable[[str], Later | None],
        hooked: Callable[[str], bool],
    ) -> None:
        self._names = names
        self._captured = captured
        self._outside = outside
        self._hooked = hooked
        self._own_hooked: set[str] = set()
        self._standing: dict[str, Later] = {}
        self._something_runs = False
        self._barrier = False

    def take(self, unit: Unit, statements: Sequence[Names]) -> bool:
        self._own_hooked |= {node.name for node in unit.nodes if isinstance(node, ast.ClassDef) and self._is_hook(node)}
        taken = all(self._fits(node, names) for node, names in zip(unit.nodes, statements, strict=True))
        if taken:
            for names in statements:
                self._standing.update(dict.fromkeys(names.binds, names.later))
            return True
        self._something_runs = True
        self._barrier = self._barrier or any(_is_barrier(node) for node in unit.nodes)
        return False

    def _fits(self, node: ast.stmt, names: Names) -> bool:
        setting = _is_setting(node)
        if not isinstance(node, _DEFINITIONS) and not setting:
            return False
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and not names.binds:
            return False
        if any(self._names.bindings[name] != 1 or name in self._captured for name in names.binds):
            return False
        if not all(self._stands(name) for name in names.eager):
            return False
        if names.at_once and (self._something_runs or not all(self._stands(name) for name in names.later.reads)):
            return False
        if isinstance(node, ast.Import | ast.ImportFrom):
            return not self._barrier
        return not (self._something_runs and (_words(node) & _STATEFUL or self._hooks(node)))

    def _is_hook(self, node: ast.ClassDef) -> bool:
        written = any(isinstance(each, ast.FunctionDef) and each.name == "__init_subclass__" for each in node.body)
        return written or any(each.arg == "metaclass" for each in node.keywords) or self._hooks(node)

    def _hooks(self, node: ast.stmt) -> bool:
        """Whether a class statement runs code of a base class or metaclass, which may count it or register it."""
        if not isinstance(node, ast.ClassDef):
            return False
        used = {
            part.id for each in [*node.bases, *node.keywords] for part in ast.walk(each) if isinstance(part, ast.Name)
        }
        return any(name in self._own_hooked or self._hooked(name) for name in used)

    def _stands(self, name: str) -> bool:
        """Whether a name, and all that calling its value may look up, is there before the cell computes anything."""
        seen: set[str] = set()
        stack = [name]
        while stack:
            current = stack.pop()
            if current in seen or current == NAME:
                continue
            seen.add(current)
            if current in self._standing:
                later: Later | None = self._standing[current]
            elif self._names.bindings[current]:
                return False
            elif current in self._captured:
                later = self._outside(current)
            elif current == name and not hasattr(builtins, name):
                return False
            else:
                later = None
            stack += later.reads if later is not None else ()
        return True


def _eager_parts(node: ast.stmt) -> Iterator[ast.AST]:
    """What runs when the statement runs: not the bodies of functions."""
    stack: list[ast.AST] = [node]
    while stack:
        current = stack.pop()
        yield current
        if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [part for part in [*current.args.defaults, *current.args.kw_defaults] if part is not None]
            stack += [*current.decorator_list, *defaults]
        elif not isinstance(current, ast.Lambda):
            stack += ast.iter_child_nodes(current)


def _words(node: ast.stmt) -> set[str]:
    calls = [part.func for part in _eager_parts(node) if isinstance(part, ast.Call)]
    reads = [part.value for part in _eager_parts(node) if isinstance(part, ast.Subscript)]
    inner = [name for part in [*calls, *reads] for name in ast.walk(part)]
    return {name.id for name in inner if isinstance(name, ast.Name)} | {
        name.attr for name in inner if isinstance(name, ast.Attribute)
    }


def _chains(node: ast.AST) -> set[tuple[str, str]]:
    return {
        (part.value.id, part.attr)
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)
    }


def _is_barrier(node: ast.stmt) -> bool:
    words = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return bool(words & _BARRIERS or _chains(node) & _BARRIER_CHAINS)


def _sets(call: ast.Call) -> bool:
    """Whether a call of `env` sets a variable, to something that the cell need not compute."""
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return len(call.args) == 1 and any("=" in text or " " in text for text in texts)


def _is_setting(node: ast.stmt) -> bool:
    """`os.environ["X"] = ...`, `os.environ.setdefault(...)`, `sys.path.insert(...)`, `%env X=...`."""
    target: ast.expr | None = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Subscript):
        target = node.targets[0].value
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        function = node.value.func
        target = function.value if function.attr in _SETTING_METHODS else function if _sets(node.value) else None
    if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
        return False
    return (target.value.id, target.attr) in _SETTINGS
