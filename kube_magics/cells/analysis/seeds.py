"""Which seeds some code sets, as far as its text tells: `np.random.seed(0)`, `set_up(SEED)` of a function that seeds.

Guarantees
- A seed is told of a call that is evaluated whenever the code runs to its end: at the top of the code, or of a function
  that is called there; not in a branch, a loop, a handler, nor in a `with`, which may swallow what its body raises.
- Its number stands there, or is that of a name or a parameter, which has no other in the code.
- None is told where another call of the same function has another number, or one that cannot be told. A function that
  is not only called (`map(f, [2])`) was called with anything; `seed` of something unknown is each function `seed`.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kube_magics.cells.analysis.names import Bindings, Function, import_name, parameters

_SEEDING = frozenset(
    "random.seed random.Random numpy.seed numpy.default_rng numpy.RandomState cupy.seed torch.manual_seed"
    " torch.manual_seed_all tensorflow.set_seed tensorflow.set_random_seed keras.set_random_seed jax.key jax.PRNGKey"
    " lightning.seed_everything pytorch_lightning.seed_everything transformers.set_seed accelerate.set_seed".split()
)
"""Package and function, wherever in the package that stands: `numpy.random.seed`, `torch.cuda.manual_seed_all`."""
_WORDS = frozenset(each.partition(".")[2] for each in _SEEDING)
_FIRST = ("seed", "a", "x")
"""What their first parameters are called."""
_OF_A_CALL = "random_state"
"""scikit-learn's word, which others have taken over, for the seed of what is called."""
_LARGEST = 2**64
_MAYBE = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match, ast.With, ast.AsyncWith),
    *(ast.ClassDef, ast.Lambda, ast.IfExp, ast.BoolOp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
_YIELDS = (ast.Yield, ast.YieldFrom)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, eq=False)
class _Function:
    node: Function
    outside: Known
    """Of its names those that it does not bind."""


Known = dict[str, str | int | _Function]
"""What names are: imports, by their full names; numbers; functions."""
Numbers = Mapping[str, int | None]
"""None: another one each time, or no number."""


def seeds(body: Sequence[ast.stmt], numbers: Numbers | None = None) -> dict[str, int]:
    """By the function that is given it: {"numpy.random.seed": 0}; `numbers`: what names are before the code runs."""
    inside = [part for node in body for part in ast.walk(node)]
    if not any(_may_seed(part) for part in inside):
        return {}
    walk = _Walk(inside)
    try:
        walk.visit(body, walk.scope(body, {}, numbers or {}))
    except RecursionError:
        return {}
    return walk.told()


class _Walk:
    """Through some code, as it runs."""

    def __init__(self, inside: Sequence[ast.AST]) -> None:
        self._shared = {name for part in inside if isinstance(part, ast.Global | ast.Nonlocal) for name in part.names}
        """Names that functions bind outside themselves."""
        self._called = {part.func for part in inside if isinstance(part, ast.Call)}
        called = {part.id for part in self._called if isinstance(part, ast.Name)}
        named = {part.id for part in inside if isinstance(part, ast.Name) and part not in self._called}
        self._only_called = called - named - {part.arg for part in inside if isinstance(part, ast.arg)}
        self._found = defaultdict[str, set[int | None]](set)
        self._sure: dict[str, None] = {}
        self._entered: set[tuple[_Function, frozenset[tuple[str, int | None]], bool]] = set()

    def told(self) -> dict[str, int]:
        found = {name: self._found[name] | self._found.get(_word(name), set()) for name in self._sure}
        return {name: number for name, (number, *more) in found.items() if number is not None and not more}

    def scope(self, body: Sequence[ast.AST], outside: Known, own: Numbers) -> Known:
        """What names are in `body`, where all that binds them agrees; `own`: those that it begins with."""
        bound = _Bound()
        for node in body:
            bound.visit(node)
        bound.times.update(own.keys())
        known = {name: what for name, what in outside.items() if name not in bound.times}
        found: dict[str, list[str | int | _Function | None]] = {name: [number] for name, number in own.items()}
        for name, bound_to in _bound(body, known):
            found.setdefault(name, []).append(bound_to)
        for name, whats in found.items():
            what = whats[0]
            alike = bound.times[name] == len(whats) and all(other == what for other in whats)
            if what is not None and alike and name not in self._shared:
                known[name] = what
        return known

    def visit(self, body: Iterable[ast.AST], known: Known, *, sure: bool = True) -> None:
        for node in body:
            maybe = isinstance(node, _MAYBE) and not _is_main(node)
            self.visit(_evaluated(node), known, sure=sure and not maybe)
            if isinstance(node, ast.Call):
                self._call(node, known, sure=sure)
            elif isinstance(node, Function):
                if getattr(known.get(node.name), "node", None) is not node or node.name not in self._only_called:
                    self._enter(_Function(node, known), _anything(node), sure=False)
            elif isinstance(node, ast.expr) and node not in self._called and (name := _full(node, known)):
                self._found[name].add(None)
            sure = sure and not _leaves(node)

    def _call(self, call: ast.Call, known: Known, *, sure: bool) -> None:
        called = known.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if isinstance(called, _Function):
            self._enter(called, _given(called, call, known), sure=sure)
            return
        name = _full(call.func, known)
        word = _word(name or ast.unparse(call.func))
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        if word in _WORDS and (not name or f"{name.partition('.')[0]}.{word}" in _SEEDING):
            given = [*call.args[:1], *(named[each] for each in _FIRST if each in named)]
            number = _number(given[0], known) if given else None
        elif _OF_A_CALL in named:
            number = _number(named[_OF_A_CALL], known)
        else:
            return
        self._found[name or word].add(number)
        if name and sure:
            self._sure[name] = None

    def _enter(self, function: _Function, own: Numbers, *, sure: bool) -> None:
        key = function, frozenset(own.items()), sure
        if key not in self._entered:
            self._entered.add(key)
            body = function.node.body
            self.visit(body, self.scope(body, function.outside, own), sure=sure)


class _Bound(Bindings):
    """How often names are bound; also in comprehensions and lambdas, where they are other ones that look the same."""

    def __init__(self) -> None:
        super().__init__()
        self.times = Counter[str]()

    def bind(self, name: str) -> None:
        self.times[name] += 1

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.bind(node.id)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for arg in parameters(node.args):
            self.bind(arg.arg)
        self.generic_visit(node)


def _bound(body: Iterable[ast.AST], known: Known) -> Iterator[tuple[str, str | int | _Function]]:
    """What the statements of one scope bind, where that is an import, a number or a plain function."""
    for node in body:
        match node:
            case ast.FunctionDef(decorator_list=[]) if not any(isinstance(part, _YIELDS) for part in ast.walk(node)):
                yield node.name, _Function(node, known)
            case ast.Assign(targets, value) if (number := _number(value, {})) is not None:
                yield from ((target.id, number) for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(ast.Name(name), value=ast.expr() as value) if (number := _number(value, {})) is not None:
                yield name, number
            case _:
                yield from _imported(node)
        if not isinstance(node, _SCOPES):
            yield from _bound(ast.iter_child_nodes(node), known)


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((import_name(each), each.name if each.asname else import_name(each)) for each in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield from ((import_name(each), f"{node.module}.{each.name}") for each in node.names)


def _anything(function: Function) -> dict[str, int | None]:
    return dict.fromkeys(arg.arg for arg in parameters(function.args))


def _given(function: _Function, call: ast.Call, known: Known) -> dict[str, int | None]:
    """What a call gives the parameters of a function."""
    args, found = function.node.args, _anything(function.node)
    places = [arg.arg for arg in (*args.posonlyargs, *args.args)]
    if any(isinstance(each, ast.Starred) for each in call.args) or any(each.arg is None for each in call.keywords):
        return found
    named = [(arg.arg, value) for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    defaults = [*zip(reversed(places), reversed(args.defaults), strict=False), *named]
    found |= {name: _number(value, function.outside) for name, value in defaults if value is not None}
    found |= {name: _number(value, known) for name, value in zip(places, call.args, strict=False)}
    given = {str(each.arg): _number(each.value, known) for each in call.keywords}
    return found | {name: number for name, number in given.items() if name in found}


def _number(node: ast.expr, known: Known) -> int | None:
    found: object = None
    match node:
        case ast.Constant(found):
            pass
        case ast.UnaryOp(ast.USub(), ast.Constant(int() as positive)):
            found = -positive
        case ast.Name(name):
            found = known.get(name)
    return found if type(found) is int and abs(found) < _LARGEST else None


def _full(node: ast.expr, known: Known) -> str | None:
    """Of something imported, also of what a call of it gives: `torch.Generator().manual_seed`."""
    match node:
        case ast.Name(name):
            found = known.get(name)
            return found if isinstance(found, str) else None
        case ast.Attribute(value, attr):
            of = _full(value, known)
            return f"{of}.{attr}" if of else None
        case ast.Call(function):
            return _full(function, known)
    return None


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a statement or an expression that are evaluated with it."""
    if isinstance(node, Function):
        return iter((*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)))
    return ast.iter_child_nodes(node)


def _may_seed(part: ast.AST) -> bool:
    match part:
        case ast.Attribute(attr=word) | ast.alias(name=word) | ast.keyword(arg=word):
            return word == _OF_A_CALL or word in _WORDS
    return False


def _word(function: str) -> str:
    last = function.rpartition(".")[2]
    return last if last in _WORDS else _OF_A_CALL


def _is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) == "__name__ == '__main__'"


def _leaves(node: ast.AST) -> bool:
    inner = () if isinstance(node, _SCOPES) else ast.iter_child_nodes(node)
    return isinstance(node, ast.Return) or any(_leaves(part) for part in inner)
