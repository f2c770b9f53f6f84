"""Hypothesis strategies for values of a notebook: nested containers, arrays, instances, members, functions, shared."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.cells.programs import _join

CLASSES = """
import collections, dataclasses, datetime, decimal, enum, fractions, functools, itertools, math, pathlib, re, uuid
from typing import Any, NamedTuple
import numpy as np
K = 10
def plus(x, by=K): return x + by
class Color(enum.Enum):
    RED = 1
    BLUE = "b"
class Perm(enum.Flag):
    R = 1
    W = 2
@dataclasses.dataclass
class Point:
    x: Any
    y: Any = dataclasses.field(default_factory=list)
@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    name: Any
class Pair(NamedTuple):
    a: Any
    b: Any = 0
class Node:
    def __init__(self, *parts): self.parts = parts
    def weigh(self, x): return len(self.parts) + x
class Slots:
    __slots__ = ("a", "b")
    def __init__(self, a): self.a = a
class Bag(dict):
    pass
class Row(list):
    kind = "row"
class Lost(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code} {text}")
        self.code = code
def counter(n):
    def step(x):
        nonlocal n
        n += x
        return n
    return step
"""

_PLAIN = """
None True ... Color.RED Color.BLUE Perm.R|Perm.W Color Point Node plus len math math.pi int np.int64 np.sin object
float('inf') 1j NotImplemented range(3) slice(1) re.compile('a+') pathlib.PurePosixPath('/a') uuid.UUID(int=5)
decimal.Decimal('1.50') fractions.Fraction(1,3) datetime.date(2026,1,2) datetime.timedelta(1) bytearray(b'x')
set() frozenset('ab') itertools.count(3) np.float32(1.5) np.arange(4) np.arange(6.).reshape(2,3).T np.dtype('i4')
np.array(['a','bc']) np.array([None,1],dtype=object) ValueError('v',1) counter(3) Node().weigh
"""
atoms = st.one_of(
    st.integers().map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(max_size=6).map(repr),
    st.binary(max_size=6).map(repr),
    st.sampled_from([*_PLAIN.split(), "(lambda x: x + K)"]),
)
shared = st.sampled_from(["s0", "s1"])


def _around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _join("[", inner, ", ", inner, "]"),
        _join("(", inner, ",)"),
        _join("{'k': ", inner, ", 2: ", inner, "}"),
        _join("Point(", inner, ")"),
        _join("Point(", inner, ", ", inner, ")"),
        _join("Key(", inner, ")"),
        _join("Pair(", inner, ")"),
        _join("Node(", inner, ", ", inner, ")"),
        _join("Node(", inner, ").weigh"),
        _join("Slots(", inner, ")"),
        _join("Bag(a=", inner, ")"),
        _join("Row([", inner, "])"),
        _join("collections.deque([", inner, "], 4)"),
        _join("collections.OrderedDict(a=", inner, ")"),
        _join("collections.defaultdict(list, a=", inner, ")"),
        _join("collections.defaultdict(lambda: ", inner, ")"),
        _join("functools.partial(plus, by=", inner, ")"),
        _join("(lambda x, d=", inner, ": [x, d, K])"),
        _join("counter(", inner, ")"),
        _join("np.array([", inner, ", None], dtype=object)"),
    )


values = st.recursive(st.one_of(atoms, atoms, shared), _around, max_leaves=5)
notebooks = st.tuples(
    _join("s0 = [", atoms, "]\n"), _join("s1 = ", _around(st.one_of(atoms, st.just("s0"))), "\n"), _join("v = ", values)
).map(list)
"Cells that end with a value v."
