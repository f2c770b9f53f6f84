"""Hypothesis strategies for notebooks that live: classes, closures, decorators and shared values, patched as they go.

Every cell is Python that runs whatever stands before it; `log`, `outcome` and `tick` are builtins to it. What a name
means is decided by its first letter: `v` a value, `f` a function of one argument, `C` a class, `o` an instance.
"""

from __future__ import annotations

import textwrap

from hypothesis import strategies as st

from tests.cells.programs import _join

FIRST = """
import functools, dataclasses, enum, collections
import numpy as np
v0, v1, v2 = 1, [2], {"k": 3}
def f0(x): return x
def f1(x): return [x]
f2 = lambda x: x
class C0:
    tag = 0
    def m(self, x): return x
class C1(C0):
    pass
o0, o1 = C0(), C1()
"""

v = st.sampled_from(["v0", "v1", "v2"])
f = st.sampled_from(["f0", "f1", "f2"])
c = st.sampled_from(["C0", "C1"])
o = st.sampled_from(["o0", "o1"])
number = st.integers(0, 9).map(str)


def _inner(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _join("[", inner, ", ", inner, "]"),
        _join("(", inner, ",)"),
        _join("{'a': ", inner, "}"),
        _join(f, "(", inner, ")"),
        _join(o, ".m(", inner, ")"),
        _join(c, "().m(", inner, ")"),
        _join("len(str(", inner, "))"),
        _join("[", inner, " for x in (1, 2)]"),
        _join("(lambda x=", inner, ": ", inner, ")()"),
        _join("(", inner, " if x else ", inner, ")"),
        _join("functools.partial(", f, ", ", inner, ")"),
    )


reads = st.recursive(st.one_of(v, v, number, _join(c, ".tag"), _join(o, ".seen"), f, o, c), _inner, max_leaves=3)
"Expressions of a cell; inside functions they may use x too."
inside = st.recursive(
    st.one_of(st.just("x"), st.just("x"), v, number, _join(c, ".tag"), _join(o, ".seen")), _inner, max_leaves=3
)
data = st.recursive(st.one_of(v, number, f, o, c), lambda inner: st.one_of(
    _join("[", inner, ", ", inner, "]"), _join("{'a': ", inner, "}"), _join("(", inner, ", 'z')"),
    _join("collections.deque([", inner, "], maxlen=3)"), _join("functools.partial(", f, ", ", inner, ")"),
    _join("np.array([1, ", number, "])"), _join("(lambda x, d=", inner, ": [d, x])"),
), max_leaves=4)  # fmt: skip
"Expressions that call nothing."

FUNCTIONS = (
    "def {f}(x, d={data}):\n    tick()\n    return [d, {inside}]\n",
    "def {f}(x):\n    tick()\n    return {inside}\n",
    "def {f}(x, *, d=[]):\n    tick()\n    d.append({inside})\n    return len(d)\n",
    "{f} = lambda x, d={data}: tick() or [d, {inside}]\n",
    "def make(n):\n    kept = [n]\n    def inner(x):\n        tick()\n        kept.append(x)\n        return [len(kept), n, {inside}]\n    return inner\n{f} = make({data})\n",
    "def pair():\n    n = 0\n    def up(x):\n        nonlocal n\n        n += 1\n        return n\n    def see(x):\n        return [n, {inside}]\n    return up, see\n{f}, {f} = pair()\n",
    "fs = []\nfor i in range(2):\n    def {f}(x, i=i):\n        tick()\n        return [i, {inside}]\n    fs.append({f})\n",
    "@functools.lru_cache\ndef {f}(x):\n    tick()\n    return {inside}\n",
    "@functools.wraps({f})\ndef {f}(x):\n    tick()\n    return {inside}\n",
    "{f} = functools.partial(lambda d, x: [d, x, tick()], {data})\n",
    "{f} = {o}.m\n",
    "{f} = {c}\n",
)
DECORATORS = (
    "def deco(g):\n    def w(x):\n        tick()\n        log('in')\n        return [g(x)]\n    return w\n{f} = deco({f})\n",
    "def deco(g):\n    @functools.wraps(g)\n    def w(x):\n        tick()\n        return (g(x), {inside})\n    return w\n@deco\ndef {f}(x):\n    tick()\n    return {inside}\n",
    "def given(d):\n    def deco(g):\n        return lambda x: [d, g(x), tick()]\n    return deco\n@given({data})\n@functools.lru_cache\ndef {f}(x):\n    return {inside}\n",
    "class Counted:\n    def __init__(self, g): self.g, self.n = g, 0\n    def __call__(self, x):\n        tick()\n        self.n += 1\n        return [self.n, self.g(x)]\n@Counted\ndef {f}(x):\n    return {inside}\n",
    "REGISTRY = []\ndef register(g):\n    REGISTRY.append(g)\n    return g\n@register\ndef {f}(x):\n    return [len(REGISTRY), {inside}]\n",
)
CLASSES = (
    "class C0:\n    tag = {data}\n    def m(self, x):\n        tick()\n        return [self.tag, {inside}]\no0 = C0()\n",
    "class C1(C0):\n    def m(self, x):\n        tick()\n        return [super().m(x), {inside}]\no1 = C1()\n",
    "class C0:\n    tag = 0\n    def __init__(self, seen={data}):\n        self.seen = seen\n    @property\n    def p(self): return [self.seen]\n    def m(self, x):\n        tick()\n        return [self.p, {inside}]\no0 = C0({data})\n",
    "@dataclasses.dataclass\nclass C0:\n    seen: object = dataclasses.field(default_factory=lambda: [{inside_no_x}])\n    tag: int = 3\n    def m(self, x):\n        tick()\n        return [self.seen, {inside}]\no0 = C0()\n",
    "class C0:\n    __slots__ = ('seen',)\n    tag = {data}\n    @classmethod\n    def k(cls): return cls.__name__\n    def m(self, x):\n        tick()\n        return [self.k(), {inside}]\no0 = C0()\no0.seen = {data}\n",
    "def maker(n):\n    class Made:\n        tag = n\n        def m(self, x):\n            tick()\n            return [n, {inside}]\n    return Made\nC1 = maker({data})\no1 = C1()\n",
    "class C0(enum.Enum):\n    A = 1\n    B = (2, 3)\n    def m(self, x):\n        tick()\n        return [self.name, {inside}]\nC0.tag = {data}\no0 = C0.B\n",
    "class Meta(type):\n    def __new__(m, n, b, s):\n        s.setdefault('made', [n])\n        return super().__new__(m, n, b, s)\nclass C1(metaclass=Meta):\n    def m(self, x):\n        tick()\n        return [self.made, {inside}]\no1 = C1()\n",
    "def marked(k):\n    k.tag = {data}\n    return k\n@marked\nclass C1(C0):\n    pass\n",
    "class C1(C0):\n    class Inner:\n        def m(self, x): return [x, {inside}]\n    def m(self, x):\n        tick()\n        return self.Inner().m(x)\no1 = C1()\n",
)
CHANGES = (
    "{c}.tag = {data}\n",
    "{c}.m = lambda self, x: tick() or [self.__class__.__name__, {inside}]\n",
    "def m(self, x):\n    tick()\n    return ['patched', {inside}]\n{c}.m = m\n",
    "{c}.extra = staticmethod({f})\n",
    "{o}.seen = {data}\n",
    "{f}.note = {data}\n",
    "{f}.__defaults__ = ({data},)\n",
    "{f} = {f}\n",
    "{v} = {data}\n",
    "{v} = [{v}, {v}]\n",
    "{v}.append({v})\n",
    "{v}['me'] = {v}\n",
    "{o}.me = {o}\n",
    "{c}.tag.append({o})\n",
    "log({reads})\n",
)
USES = (
    "log(outcome(lambda: {reads}))\n",
    "log(outcome(lambda: {f}({reads})))\n",
    "log(outcome(lambda: {o}.m({reads})))\n",
    "log(outcome(lambda: {c}().m(7)))\n",
    "log(outcome(lambda: [{v}, {v}, {o}]))\n",
    "log((type({o}) is {c}, {c}.tag is {v}, {v} is {v}))\n",
    "log(outcome(lambda: {v}.append(5)))\n",
    "log(outcome(lambda: {o}.extra(5)))\n",
    "log(outcome(lambda: setattr({o}, 'seen', {reads})))\n",
    "{v} = {data}\n",
    "{c}.tag = {data}\n",
    "def {f}(x):\n    tick()\n    return {inside}\n",
    "class C1(C0):\n    def m(self, x): return [super().m(x), {inside}]\n",
)
_HOLES = {"{f}": f, "{v}": v, "{c}": c, "{o}": o, "{data}": data, "{reads}": reads, "{inside}": inside}
_HOLES["{inside_no_x}"] = data


def _filled(template: str) -> st.SearchStrategy[str]:
    """The template with each of its holes filled, each anew."""
    parts: list[st.SearchStrategy[str] | str] = []
    rest = template
    while rest:
        at, hole = min(((rest.find(hole), hole) for hole in _HOLES if hole in rest), default=(len(rest), ""))
        parts += [rest[:at], _HOLES[hole]] if hole else [rest]
        rest = rest[at + len(hole) :]
    return _join(*parts)


def _tried(cell: str) -> str:
    """Changes fail as they like: what they have done until then stays."""
    return "try:\n" + textwrap.indent(cell, "    ") + "except Exception as error:\n    log(type(error).__name__)\n"


definitions = st.sampled_from([*FUNCTIONS, *DECORATORS, *CLASSES]).flatmap(_filled)
changes = st.sampled_from(CHANGES).flatmap(_filled).map(_tried)
cells = st.lists(st.one_of(definitions, changes), max_size=6)
jobs = st.lists(st.sampled_from(USES).flatmap(_filled), min_size=1, max_size=5).map("".join)
