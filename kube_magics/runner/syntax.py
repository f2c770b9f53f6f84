"""A notebook's own syntax as plain Python: what IPython writes for `!`, `%` and `?` becomes calls of `commands`.

IPython turns `!ls {x}` into `get_ipython().system('ls {x}')` before anything is compiled, so that is what stands in the
notebook's cells, and in the job's. The same code here says to the notebook what such a cell reads and binds, and to the
job what it runs. Lines stay where they are.
"""

from __future__ import annotations

import ast
import re
from string import Formatter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

NAME = "__kube_magics__"
"""What the job's `__main__` has instead of get_ipython()."""
IGNORED = frozenset(
    "matplotlib load_ext reload_ext unload_ext autoreload aimport config xmode colors autosave automagic autocall pdb"
    " precision pprint pinfo pinfo2 psearch".split()
)
"""Settings of a notebook, and questions: nothing of them can act in a job, and nothing is computed without them."""
DONE = frozenset({"env", "set_env", "cd", "pwd", "sx", "system", "pip"})
"""Line magics that `Commands` has as methods."""
DISPLAY = frozenset({"IPython.display", "IPython.core.display", "IPython.core.display_functions"})
CALLS = {"system": 1, "getoutput": 1, "run_line_magic": 2, "run_cell_magic": 3}
LOCATED = (ast.expr, ast.stmt, ast.keyword, ast.arg, ast.alias)
WIDE = 1000
"""Columns of what has none of its own: a traceback underlines nothing where the whole line is meant."""
_DOLLAR = re.compile(r"(.*?)\$(\$?[\w\.]+)(?=([^']*'[^']*')*[^']*$)")
_OPTION = re.compile(r"-(?:([nrp])\s*(\d+)|([tcqo]+))(?:\s+|$)")
_TIMED = """
def __timeit__(__times__, __clock__):
    __began__ = __clock__()
    for __time__ in __times__:
        pass
    return __clock__() - __began__
__kube_magics__.timeit(__timeit__)
del __timeit__
"""


class Magic:
    """One call that IPython has written: kind is the method of `CALLS`; name only of a magic."""

    def __init__(self, kind: str, words: list[str], line: int) -> None:
        self.kind = kind
        self.name, self.text = (words[0], words[1]) if kind.startswith("run_") else ("", words[0])
        self.line = line

    @property
    def ignored(self) -> bool:
        return self.kind == "run_line_magic" and self.name in IGNORED


def magic(node: ast.AST | None) -> Magic | None:
    """`get_ipython().METHOD("…")` with plain texts, as IPython writes it."""
    if not isinstance(node, ast.Call) or node.keywords or not isinstance(node.func, ast.Attribute):
        return None
    shell, kind = node.func.value, node.func.attr
    if not isinstance(shell, ast.Call) or not isinstance(shell.func, ast.Name) or shell.func.id != "get_ipython":
        return None
    words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if shell.args or shell.keywords or CALLS.get(kind) != len(node.args) or len(words) != len(node.args):
        return None
    return Magic(kind, words, node.lineno)


class Expander(ast.NodeTransformer):
    """Replaces the calls; `refused` collects those that no job can do, `ignored` those that become nothing."""

    def __init__(self) -> None:
        self.refused: list[Magic] = []
        self.ignored: list[Magic] = []
        self.found = False

    def statements(self, body: Sequence[ast.stmt]) -> list[list[ast.stmt]]:
        """For each statement of a module what stands in its place; a cell under %%timeit is one statement."""
        first = magic(body[0].value) if body and isinstance(body[0], ast.Expr) else None
        if first is not None and first.kind == "run_cell_magic" and first.name == "timeit":
            self.found = True
            timed = [part for node in body[1:] for part in _listed(self.visit(node))]
            return [self._timeit(first, body[0], timed)]
        return [_listed(self.visit(node)) for node in body]

    def visit_Expr(self, node: ast.Expr) -> Any:
        found = magic(node.value)
        return self.generic_visit(node) if found is None else self._statement(found, node, None)

    def visit_Assign(self, node: ast.Assign) -> Any:
        found = magic(node.value)
        if found is None:
            return self.generic_visit(node)
        node.targets = [self.visit(target) for target in node.targets]
        return self._statement(found, node, node.targets)

    def visit_Call(self, node: ast.Call) -> Any:
        found = magic(node)
        if found is None:
            return self.generic_visit(node)
        return _at(node, self._expression(found, node))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        """IPython's display() is a builtin of every job, also where the image has no IPython."""
        ours = [alias for alias in node.names if alias.name == "display"]
        if node.module not in DISPLAY or not ours:
            return node
        self.found = True
        others = [alias for alias in node.names if alias.name != "display"]
        rest = [ast.copy_location(ast.ImportFrom(node.module, others, 0), node)] if others else []
        return [ast.copy_location(ast.ImportFrom("builtins", ours, 0), node), *rest]

    def _statement(self, found: Magic, node: Any, targets: Any) -> list[ast.stmt]:
        body: list[ast.stmt]
        if found.kind == "run_line_magic" and found.name == "time":
            body = self._time(found, node, targets)
        elif found.kind == "run_line_magic" and found.name == "timeit":
            body = self._timeit(found, node, None, targets)
        elif found.kind == "run_line_magic" and found.ignored and targets is None:
            self._expression(found, node.value)
            body = [ast.Pass()]
        else:
            body = [_bound(self._expression(found, node.value), targets)]
        return [_at(node, part) for part in body]

    def _expression(self, found: Magic, node: ast.Call) -> ast.expr:
        self.found = True
        if found.kind in ("system", "getoutput"):
            return _call(found.kind, found.text)
        if found.ignored:
            self.ignored.append(found)
            return ast.Constant(None)
        if found.kind == "run_line_magic" and found.name in DONE:
            return _call(found.name, found.text)
        if found.kind == "run_line_magic" and found.name == "time":
            body = self._parsed(found, found.text)
            if len(body) == 1 and isinstance(body[0], ast.Expr):
                return _method("timed", _method("begin"), body[0].value)
        self.refused.append(found)
        return node

    def _time(self, found: Magic, node: Any, targets: Any) -> list[ast.stmt]:
        self.found = True
        body = self._parsed(found, found.text)
        value = body.pop().value if body and isinstance(body[-1], ast.Expr) else None
        if not body and value is not None:
            return [_bound(_method("timed", _method("begin"), value), targets)]
        end = _method("end") if value is None else _method("end", value)
        return [ast.Expr(_method("begin")), *body, _bound(end, targets)]

    def _timeit(self, found: Magic, node: Any, body: list[ast.stmt] | None, targets: Any = None) -> list[ast.stmt]:
        """The statements in a loop of a function of their own, as IPython times them."""
        self.found = True
        options, rest = timeit_options(found.text)
        setup = self._parsed(found, rest) if body is not None else []
        made = ast.parse(_TIMED.strip()).body
        for part in made:
            _at(node, part)
        function, call, delete = made
        assert isinstance(function, ast.FunctionDef)
        assert isinstance(call, ast.Expr)
        assert isinstance(call.value, ast.Call)
        assert isinstance(function.body[1], ast.For)
        inner = self._parsed(found, rest) if body is None else body
        function.body[1].body = [_at(node, part) for part in inner] if body is None else inner or [ast.Pass()]
        function.body[:0] = [_at(node, part) for part in setup]
        call.value.keywords = [ast.keyword(key, ast.Constant(value)) for key, value in sorted(options.items())]
        timed = call if targets is None else ast.Assign(targets, call.value)
        return [_at(node, part) if part is timed else part for part in (function, timed, delete)]

    def _parsed(self, found: Magic, text: str) -> list[Any]:
        text = text.strip()
        if text.startswith("!"):
            return [ast.Expr(_call("system", text[1:]))]
        try:
            body = ast.parse(text).body
        except (SyntaxError, ValueError):
            self.refused.append(found)
            return []
        return [part for node in body for part in _listed(self.visit(node))]


def timeit_options(text: str) -> tuple[dict[str, Any], str]:
    """The options of %timeit as keywords of `Commands.timeit`, and the code behind them."""
    names = {"n": "number", "r": "repeat", "p": "precision", "t": "wall", "c": "cpu", "q": "quiet", "o": "gives"}
    options: dict[str, Any] = {}
    text = text.strip()
    while True:
        match = _OPTION.match(text)
        if match is None:
            return options, text
        if match.group(1):
            options[names[match.group(1)]] = int(match.group(2))
        options.update((names[flag], True) for flag in match.group(3) or "")
        text = text[match.end() :]


def expand(tree: ast.Module) -> ast.Module:
    """The module as a job runs it."""
    tree.body = [part for parts in Expander().statements(tree.body) for part in parts]
    return tree


def formatted(text: str) -> ast.expr | None:
    """`$name` and `{expr}` as IPython replaces them: a constant or an f-string; None if it would replace nothing."""
    parts: list[ast.expr] = []
    try:
        for literal, field, conversion in _pieces(text):
            if literal:
                parts.append(ast.Constant(literal))
            if conversion not in (None, "r", "s", "a"):
                return None
            if field is not None:
                value = ast.parse(field.strip(), mode="eval").body
                parts.append(ast.FormattedValue(value, ord(conversion) if conversion else -1, None))
    except (SyntaxError, ValueError):
        return None
    if any(isinstance(part, ast.FormattedValue) for part in parts):
        made = ast.JoinedStr(parts)
        for node in ast.walk(made):
            vars(node)["perhaps"] = True  # whoever has no such name gets the text as it is
        return made
    return ast.Constant("".join(str(part.value) for part in parts if isinstance(part, ast.Constant)))


def _pieces(text: str) -> Iterator[tuple[str, str | None, str | None]]:
    """As IPython.utils.text.DollarFormatter reads it."""
    for literal, field, spec, conversion in Formatter().parse(text):
        before, end = "", 0
        for match in _DOLLAR.finditer(literal):
            if match.group(2).startswith("$"):
                before += match.group(1) + match.group(2)
            else:
                yield before + match.group(1), match.group(2), None
                before = ""
            end = match.end()
        yield before + literal[end:], f"{field}:{spec}" if field is not None and spec else field, conversion


def _call(name: str, text: str) -> ast.Call:
    made = formatted(text)
    if made is None or isinstance(made, ast.Constant):
        return _method(name, made or ast.Constant(text))
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return _method(name, ast.Constant(text), ast.Lambda(nothing, made))


def _method(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name(NAME, ast.Load()), name, ast.Load()), list(args), [])


def _bound(value: ast.expr, targets: Any) -> ast.stmt:
    return ast.Expr(value) if targets is None else ast.Assign(targets, value)


def _listed(found: Any) -> list[ast.stmt]:
    return found if isinstance(found, list) else [found]


def _at(place: Any, node: Any) -> Any:
    """`node` and all inside it, in the line of `place`."""
    part: Any
    for part in ast.walk(node):
        if isinstance(part, LOCATED) or hasattr(part, "lineno"):
            part.lineno, part.end_lineno = place.lineno, place.lineno
            part.col_offset, part.end_col_offset = 0, WIDE
    return node
