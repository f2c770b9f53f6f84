"""Which names a cell needs: traps by hand, and generated programs run with nothing but the names found."""

from __future__ import annotations

import ast
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, example, given, settings

from kube_magics.cells.analysis.reads import Outside
from kube_magics.cells.analysis.scopes import analyze
from tests.cells.programs import NAMES, execute, programs

NEW = pytest.mark.skipif(sys.version_info < (3, 12), reason="PEP 695 needs Python 3.12")
LAZY = sys.version_info >= (3, 14)
"PEP 649: annotations are not evaluated where they stand."

TRAPS = {
    "assigned before": ("x = 1\nx", ""),
    "read before assigned": ("y = x\nx = 1", "x!"),
    "augmented": ("x += 1", "x!"),
    "builtins are names too": ("print(x)", "print! x!"),
    "comprehension target": ("[x for x in y]", "y!"),
    "comprehension target hides nothing after it": ("[x for x in y]\nx", "x! y!"),
    "first iterable outside": ("[x for x in x]", "x!"),
    "second iterable inside": ("[y for x in z for y in x]", "z!"),
    "comprehension condition": ("[1 for i in (1,) if i < k]", "k"),
    "dict comprehension": ("{k: v + w for k, v in d}", "d! w"),
    "walrus in a comprehension binds outside": ("[y := i for i in (1,)]\ny", "y?"),
    "walrus": ("if (n := f()) > 1: n", "f!"),
    "walrus in a branch that may not run": ("a and (x := 1)\nx", "a! x?"),
    "generator": ("sum(f(i) for i in r)", "f r! sum!"),
    "lambda default now, body later": ("g = lambda a=d: a + b\nb = 1\ng()", "d!"),
    "lambda used at once": ("sorted([1], key=lambda i: b)\nb = 1", "b sorted!"),
    "function body before its names": ("def f(): return g()\ndef g(): return 1\nf()", ""),
    "function called too early": ("def f(): return g()\nf()\ndef g(): return 1", "g"),
    "function passed on early": ("def f(): return g()\nh = [f]\ng = 1", "g"),
    "function never called": ("def f(): return g()", "g"),
    "method called early": ("class A:\n def m(self): return g\nA()\ng = 1", "g"),
    "lambda in a class, perhaps called at once": ("class A:\n y = f(lambda: g)\ng = 1", "f! g?"),
    "method of a base class": ("class A:\n def m(self): return g\nclass B(A): pass\ng = 1", "g"),
    "mutual recursion": ("def f(): return g()\ndef g(): return f() + x\nf()", "x"),
    "default": ("def f(a=x): pass", "x!"),
    "keyword default": ("def f(*, a=x): pass", "x!"),
    "decorator": ("@d(x)\ndef f(): pass", "d! x!"),
    "decorator that calls": ("@d\ndef f(): return y\ny = 1", "d! y?"),
    "decorator of an import": ("import d\n@d.x\ndef f(): return y\ny = 1", ""),
    "a query's name": ("d.query(f'a > @x and {y}')", "d! x y!"),
    "perhaps a query's name": ("q = 'a > @x'", "x?"),
    "a query's name that the cell binds": ("x = 1\nd.query('a > @x')", "d!"),
    "a query in a function": ("def f(d): return d.query('a > @x')\nf(1)", "x"),
    "a query in a function, its own name": ("def f(d, x): return d.query('a > @x')\nf(1, 2)", ""),
    "a formula's functions, not its columns": ("fit('np.log(y) ~ f(x) + z')", "f? fit! np?"),
    "no name: an address, a home, a docstring": ("'a@x.y', '~/x', 'x(y)'\n'@x'", ""),
    "argument hides": ("def f(x): return x\nf(1)", ""),
    "star arguments": ("def f(*a, **k): return a, k\nf()", ""),
    "local in a function": ("def f():\n x = 1\n return x\nf()", ""),
    "local read before bound is still local": ("def f():\n y = x\n x = 1\nf()", ""),
    "global": ("def f():\n global x\n x = 1\nf()\nx", "x?"),
    "global read": ("def f():\n global x\n x += 1\nf()", "x"),
    "global in one, read in another": ("def f():\n global x\n x = 1\ndef g(): return x\nf()\ng()", "x?"),
    "nonlocal": ("def f():\n x = 1\n def g():\n  nonlocal x\n  x += y\n return g\nf()", "y"),
    "global hides the enclosing function's": ("def f():\n x = 1\n def g():\n  global x\n  return x\n g()\nf()", "x"),
    "inner function of a global": ("def f():\n global x\n def g(): return x\n g()\nf()", "x"),
    "class body reads its own": ("class A:\n x = 1\n y = x", ""),
    "class body reads outside": ("class A:\n x = x", "x!"),
    "methods do not see the class": ("class A:\n x = 1\n def m(self): return x\nA().m()", "x"),
    "comprehension in a class": ("class A:\n n = 1\n y = [n for i in range(n)]", "n range!"),
    "class in a function": ("def f():\n x = 1\n class A:\n  x = x\nf()", "x"),
    "class with keyword": ("class A(B, metaclass=M): pass", "B! M!"),
    "private names": ("class A:\n def m(self): return __x\nA()", "_A__x"),
    "super": ("class A:\n def m(self): return super().m(), __class__\nA()", "super"),
    "except as unbinds": ("e = 1\ntry: f()\nexcept E as e: pass\ne", "E f"),
    "except as before": ("try: f()\nexcept E as e: pass\ne", "E e f"),
    "both branches bind": ("if c: x = 1\nelse: x = 2\nx", "c!"),
    "one branch binds": ("if c: x = 1\nx", "c! x"),
    "the other branch raises": ("if c: x = 1\nelse: raise E\nx", "E c!"),
    "loop may not run": ("for i in r: x = i\nx", "r! x?"),
    "loop variable": ("for i in r: pass\ni", "i? r!"),
    "while": ("while c(): x = 1\nx", "c! x?"),
    "try binds": ("try: x = f()\nexcept E: x = 0\nx", "E f"),
    "try binds, handler does not": ("try: x = f()\nexcept E: pass\nx", "E f x"),
    "try without handlers": ("try: x = f()\nfinally: y = 1\nx, y", "f!"),
    "finally": ("try: x = f()\nfinally: x", "f! x?"),
    "with": ("with o(p) as q: r = q\nr", "o! p!"),
    "deleted": ("x = 1\ndel x\nx", ""),
    "deletes the notebook's": ("del x\nx = 1", "x!"),
    "starred": ("a, *b = c\na, b", "c!"),
    "subscript target": ("x[i] = v", "i! v! x!"),
    "attribute target": ("x.y = v", "v! x!"),
    "import": ("import a.b\na.b", ""),
    "import as": ("import a.b as c\nc, a", "a!"),
    "from import": ("from m import a as b\nb, a", "a!"),
    "f-string": ("f'{x!r:>{w}}'", "w! x!"),
    "match captures": ("match s:\n case [x, *y]: x, y\n case {'k': v, **r}: v, r\n case C(p=q): q", "C s!"),
    "match value": ("match s:\n case m.V: pass", "m s!"),
    "match complete": ("match s:\n case 1: x = 1\n case _: x = 2\nx", "s!"),
    "match incomplete": ("match s:\n case 1: x = 1\nx", "s! x"),
    "conditional expression": ("a if b else c", "a b! c"),
    "short circuit": ("a or b", "a! b"),
    "chained comparison": ("a < b < c", "a! b! c"),
    "assert message": ("assert a, b", "a! b"),
    "async": ("async def f():\n async with a as b:\n  async for c in d: await c(b)\nf()", "a d"),
    "yield": ("def f():\n x = yield y\nf()", "y"),
    "main guard": ("if __name__ == '__main__': x", "__name__! x"),
    "annotated without a value": ("x: int\nx", "x!" if LAZY else "int! x!"),
    "annotations": ("def f(a: T) -> R: pass", "R? T?" if LAZY else "R! T!"),
    "annotation in a function": ("def f():\n a: T = 1\nf()", ""),
}


def found(text: str, **options: object) -> str:
    needs = analyze(ast.parse(text).body, **options).needs  # type: ignore[arg-type]
    return " ".join(sorted(name + ("!" if need.sure else "?" if need.weak else "") for name, need in needs.items()))


@pytest.mark.parametrize(("text", "expected"), TRAPS.values(), ids=TRAPS)
def test_trap(text: str, expected: str) -> None:
    """`x!` is surely read, `x` perhaps, `x?` only if a loop does not run or the like."""
    assert found(text) == expected


def test_future_annotations_are_only_hints() -> None:
    assert found("from __future__ import annotations\nclass A:\n x: T\ndef f(a: S): pass", future=True) == "S? T?"


@NEW
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f[T](a: T) -> T: return T\nf(1)", ""),
        ("class A[T](B[T]):\n def m(self) -> T: return T\nA()", "B!"),
        ("class A[T: X]: pass\nA", "X"),
        ("type P = list[Q]\nP", "Q list"),
        ("def f[T](a=T): pass", "T!"),
    ],
)
def test_type_parameters(text: str, expected: str) -> None:
    assert found(text) == expected


def test_returned_names_are_needed_unless_the_cell_binds_them() -> None:
    assert found("x = 1", returns=("x", "y")) == "y"
    assert found("if c: x = 1", returns=("x",)) == "c! x"


def test_what_the_notebooks_functions_need_counts_when_they_can_be_called() -> None:
    later = analyze(ast.parse("def train(): return model").body).statements[0].later
    outside = Outside(later=lambda name: later if name == "train" else None)
    assert found("train()", outside=outside) == "model train!"
    assert found("model = 1\ntrain()", outside=outside) == "train!"
    assert found("train()\nmodel = 1", outside=outside) == "model train!"


def test_a_star_import_binds_what_its_module_has() -> None:
    outside = Outside(star=lambda node: frozenset({"pi"}) if node.module == "math" else None)
    assert found("from math import *\npi", outside=outside) == ""
    assert analyze(ast.parse("from math import *").body, outside=outside).dynamic is False
    assert analyze(ast.parse("from other import *").body, outside=outside).dynamic is True


def same_with_only_what_it_needs(text: str) -> None:
    needs = analyze(ast.parse(text).body, returns=NAMES).needs
    everything = {name: 10 + number for number, name in enumerate(NAMES)}
    needed = {name: value for name, value in everything.items() if name in needs}
    assert execute(text, everything, NAMES) == execute(text, needed, NAMES), textwrap.indent(text, "  ")


@settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@example("def callnow(f): return call(f)\n@callnow\ndef c():\n    f = 1\n    log(e)\ne = 1\n")
@given(programs)
def test_a_program_runs_the_same_with_only_the_names_that_it_needs(text: str) -> None:
    same_with_only_what_it_needs(text)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_many_programs_run_the_same_with_only_the_names_that_they_need(text: str) -> None:
    same_with_only_what_it_needs(text)
