"""Which seeds a job is known to set, for the record that its card keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from kube_magics.cells.capture import capture_call
from kube_magics.cells.script import capture_script
from tests.cells.book import Book

SET_UP = """
import random
import numpy as np
def set_up(seed=42, *, more=False):
    random.seed(seed)
    np.random.seed(seed)
    if more:
        np.random.default_rng(seed)
"""
F = "import random\ndef f(n): random.seed(n)"
BOTH = {"random.seed": 7, "numpy.random.seed": 7}
TOLD = {
    "a number": ("", "import random\nrandom.seed(0)", {"random.seed": 0}),
    "by the notebook's import": (
        "import numpy as np",
        "rng = np.random.default_rng(-1)",
        {"numpy.random.default_rng": -1},
    ),
    "by another name": ("", "from random import seed as s\ns(a=1)", {"random.seed": 1}),
    "of a generator": ("", "import torch\ng = torch.Generator().manual_seed(3)", {"torch.Generator.manual_seed": 3}),
    "of a call": ("", "from sklearn.svm import SVC\nSVC(random_state=5).fit()", {"sklearn.svm.SVC": 5}),
    "a variable here": ("SEED = 4", "import random\nrandom.seed(SEED)", {"random.seed": 4}),
    "a variable there": ("", "import random\nSEED = 4\nrandom.seed(SEED)", {"random.seed": 4}),
    "a function": (SET_UP, "set_up(7)", BOTH),
    "a function's default": (SET_UP, "set_up()", {"random.seed": 42, "numpy.random.seed": 42}),
    "a function in a function": (SET_UP, "def run(s, t): set_up(seed=t)\nrun(1, 7)", BOTH),
    "twice the same": ("", "import random\nrandom.seed(1)\nfor i in (1, 2): random.seed(1)", {"random.seed": 1}),
    "a function that is passed on, always the same": (
        "import random\ndef f(): random.seed(1)",
        "f()\nlist(map(f, []))",
        {"random.seed": 1},
    ),
    "the same of something unknown": ("env = {}", "import random\nrandom.seed(1)\nenv.seed(1)", {"random.seed": 1}),
    "behind a function that leaves": (
        "",
        "import random\ndef f(): return 1\nrandom.seed(1)\nf()",
        {"random.seed": 1},
    ),
    "in a program": ("", "import random\nif __name__ == '__main__':\n    random.seed(1)", {"random.seed": 1}),
}
UNKNOWN = {
    "none": ("", "import random\nrandom.seed()"),
    "no number": ("SEED = '1'", "import random\nrandom.seed(SEED)"),
    "a truth": ("", "import random\nrandom.seed(True)"),
    "computed": ("import time", "import random\nrandom.seed(int(time.time()))"),
    "two numbers": ("", "import random\nrandom.seed(1)\nrandom.seed(2)"),
    "one and an unknown one": (SET_UP, "import sys\nset_up(7)\nset_up(len(sys.argv))"),
    "another in a thread": ("", "import random\ndef work(n): random.seed(n)\nrandom.seed(1)\nmap(work, [2])"),
    "perhaps": ("", "import random\nif random:\n    random.seed(1)"),
    "perhaps, in an expression": ("", "import random\nx = random and random.seed(1)"),
    "as often as it takes": ("", "import random\nfor i in []: random.seed(1)"),
    "behind what may leave": ("import random\ndef f(x):\n    if x: return\n    random.seed(1)", "f(0)"),
    "behind what leaves": ("import random\ndef f():\n    return 1\n    random.seed(1)", "f()"),
    "behind what may leave, in a with": (
        "import random\ndef f(x):\n    with open('a'):\n        if x: return\n    random.seed(1)",
        "f(0)",
    ),
    "where it is no program": ("", "import random\nif __name__ == '__main__': pass\nelse: random.seed(1)"),
    "behind an error that is swallowed": (
        "import contextlib",
        "import random\nwith contextlib.suppress(Exception):\n    print()\n    random.seed(1)",
    ),
    "a function that is passed on": (F, "f(1)\nlist(map(f, [2]))"),
    "a function by another name": (F, "f(1)\nx = f\nx(2)"),
    "a function in another that is passed on": (F, "def g(n): f(n)\nf(1)\nlist(map(g, [2]))"),
    "a function in a method": (F, "class A:\n    def g(self): f(2)\nf(1)\nA().g()"),
    "a function in a decorated one": ("import functools\n" + F, "@functools.cache\ndef g(): f(2)\nf(1)\ng()"),
    "a function that a parameter hides": (F, "def g():\n    lambda f: 0\n    f(2)\nf(1)\ng()"),
    "a module by another name": ("", "import random\nrandom.seed(1)\nr = random\nr.seed(2)"),
    "a module as a parameter": ("", "import random\ndef g(m): m.seed(2)\nrandom.seed(1)\ng(random)"),
    "one of two modules": (
        "",
        "import random\ndef g():\n    import random as r, numpy as r\n    r.seed(2)\nrandom.seed(1)\ng()",
    ),
    "its function by another name": ("", "import random\nrandom.seed(1)\ns = random.seed\ns(2)"),
    "its function that is passed on": ("", "from random import seed\nseed(1)\nlist(map(seed, [2]))"),
    "a class by another name": (
        "from sklearn.svm import SVC",
        "SVC(random_state=1)\nfor S in (SVC,): S(random_state=2)",
    ),
    "nobody calls it": ("import random\ndef f(): random.seed(1)\ng = f", "print(f)"),
    "given twice": ("", "import random\nSEED = 1\nSEED = 2\nrandom.seed(SEED)"),
    "counted": ("", "import random\nSEED = 1\nfor i in (1, 2): SEED += 1\nrandom.seed(SEED)"),
    "changed in a function": (
        "SEED = 1\ndef f():\n    global SEED\n    SEED = 2",
        "import random\nf()\nrandom.seed(SEED)",
    ),
    "a parameter that is set": (SET_UP, "def f(s):\n    s = 3 if s is None else s\n    set_up(s)\nf(7)"),
    "spread": (SET_UP, "set_up(*[7])"),
    "a generator function": ("import random\ndef f():\n    random.seed(1)\n    yield", "f()"),
    "decorated": ("import random, atexit", "@atexit.register\ndef f(): random.seed(1)\nf()"),
    "another seed": ("class Garden:\n    def seed(self, n): pass\ngarden = Garden()", "garden.seed(1)"),
    "a name of its own": ("", "import random\ndef f(random): random.seed(1)\nf(print)"),
    "in a comprehension": ("s = 1", "import random\nrandom.seed(s)\n[random.seed(s) for s in (1, 2)]"),
}


@pytest.mark.parametrize(("cell", "job", "seeds"), TOLD.values(), ids=TOLD)
def test_what_is_told(cell: str, job: str, seeds: dict[str, int]) -> None:
    assert Book(cell).capture(job).seeds == seeds


@pytest.mark.parametrize(("cell", "job"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_told_is_left_out(cell: str, job: str) -> None:
    assert Book(cell).capture(job).seeds == {}


def test_of_a_call_and_of_a_script(tmp_path: Path) -> None:
    book = Book(SET_UP)
    set_up = book.namespace["set_up"]
    assert capture_call(set_up, (7,), {"more": True}, book.notebook()).seeds == BOTH
    assert capture_call(set_up, (), {"seed": 7}, book.notebook()).seeds == BOTH
    (tmp_path / "train.py").write_text(SET_UP + "set_up(7)")
    assert capture_script("train.py", [], tmp_path).seeds == BOTH
