"""A cell becomes a program that does in a fresh `__main__` what the cell would do here."""

from __future__ import annotations

import json
import pickle
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from kube_magics.cells import weight
from kube_magics.cells.capture import capture, capture_call
from kube_magics.cells.notebook import Notebook
from kube_magics.errors import CaptureError, CellError
from tests.cells.book import Book, Ran, read_cases, travelling

NET = """
    import dataclasses
    SCALE = 3
    def helper(x):
        return x * SCALE
    class Base:
        def scaled(self, x):
            return helper(x)
    class Net(Base):
        layers = 2
        def __init__(self, width=4):
            super().__init__()
            self.width = width
        def __call__(self, x):
            return self.scaled(x) + self.width
    @dataclasses.dataclass
    class Config:
        lr: float = 0.1
        tags: list = dataclasses.field(default_factory=list)
    """

SAME = read_cases("same.cases") | read_cases("values.cases")
REFUSED = read_cases("refused.cases")


@pytest.mark.parametrize(("cells", "cell"), SAME.values(), ids=SAME)
def test_a_job_gives_what_the_cell_gives_here(cells: list[str], cell: str) -> None:
    book = Book(*cells)
    job = book.job(cell, "y")
    book.run(cell)
    assert job["y"] == book.namespace["y"]


@pytest.mark.parametrize(("cells", "cell", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_travel_is_named(cells: list[str], cell: str, message: str) -> None:
    book = Book(*cells)
    with pytest.raises(CaptureError, match=message) as caught:
        book.capture(cell)
    assert caught.value.hint


def test_only_what_the_cell_uses_travels() -> None:
    book = Book("a = 1\nb = 2\nimport json\ndef f(): return a\ndef g(): return b")
    captured = book.capture("f()")
    assert travelling(captured) == ["a", "f"]
    assert captured.summary() == "travels: f, a (5 B)"
    assert book.capture("1").summary() == "travels: only this cell"


def test_what_the_cell_sets_before_its_helpers_run_stays_here() -> None:
    book = Book("model = open\ndef train(): return model", "model = (i for i in [])")
    assert travelling(book.capture("model = 1\ntrain()")) == ["train"]


def test_a_precaution_travels_only_when_it_is_cheap() -> None:
    book = Book("last = 1\nbig = bytes(100_000)\nlive = (i for i in [])")
    cell = "for i in [1]:\n    {0} = i\nprint({0})"
    assert travelling(book.capture(cell.format("last"))) == ["last"]
    assert travelling(book.capture(cell.format("big"))) == []
    assert travelling(book.capture(cell.format("live"))) == []


def test_the_largest_values() -> None:
    captured = Book("a = bytes(10)\nb = bytes(2000)\nc = bytes(1_400_000)").capture("a, b, c")
    assert [str(part) for part in weight.largest(captured, 2)] == ["c (1.4 MB)", "b (2.0 kB)"]
    assert "c (1.4 MB), b (2.0 kB), a (25 B)" in str(weight.too_large(captured, 1_402_000, 4))
    assert captured.summary() == "travels: a (25 B), b (2.0 kB), c (1.4 MB)"


def test_line_numbers_are_those_of_the_cells() -> None:
    book = Book("\n\n\ndef broken():\n\n    raise ValueError('here')")
    job = book.job("x = 1\n\nbroken()")
    frames = []
    traceback = job.error.__traceback__ if job.error else None
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    assert frames[-2:] == [("<In [2]>", 4), ("<In [1]>", 6)]
    assert job.capture.files("mine") == {"<In [1]>": book.cells[0].filename, "<In [2]>": "mine"}


def test_definitions_run_in_workers_and_statements_do_not() -> None:
    job = Book("N = 2").job(
        """
        import math
        def f(x): return math.sqrt(x) * N
        class A:
            def m(self): return computed
        computed = f(4)
        class B:
            value = computed
        def g(x=computed): return x
        def twice(): return 1
        def twice(): return 2
        y = A().m()
        """
    )
    assert job.defined & {"math", "f", "A", "computed", "B", "g", "twice", "y"} == {"math", "f", "A"}
    assert job["y"] == 4.0
    assert job["twice"]() == 2


def test_what_depends_on_the_order_is_not_promoted() -> None:
    job = Book("import random").job(
        """
        import os, sys
        os.environ["KUBE_MAGICS_TEST_SETTING"] = "1"
        import json
        random.seed(1)
        def f(x=random.random()): return x
        sys.modules["made_by_the_cell"] = json
        import made_by_the_cell
        expected = random.Random(1).random() == f()
        """
    )
    assert job.defined & {"os", "json", "f", "made_by_the_cell"} == {"os", "json"}
    assert job["expected"] is True


def test_a_class_that_is_refused_is_refused_in_its_place() -> None:
    job = Book("import enum\nclass A(enum.Enum):\n    X = 1\nseen = []").job("seen.append(1)\nclass B(A): pass", "seen")
    assert isinstance(job.error, TypeError)
    assert job.names["seen"] == [1]


def test_what_a_decorator_may_call_at_once_is_promoted_only_if_nothing_ran_before() -> None:
    book = Book("import functools\ndef now(f):\n    f()\n    return f", "seen = []")
    job = book.job(
        """
        def timed(f):
            @functools.wraps(f)
            def wrapper(*args): return f(*args)
            return wrapper
        x = len(seen)
        @timed
        def work(): return x
        @now
        def main(): seen.append(work())
        """
    )
    assert job.defined & {"timed", "work", "main"} == {"timed", "work"}
    assert job["seen"] == [0]


def test_the_last_expression_is_shown_unless_a_semicolon_ends_it() -> None:
    assert Book("x = 41").job("x + 1").output == "42\n"
    assert Book("x = 41").job("x + 1;").output == ""
    assert Book("x = 41").job("(x + 1)  ; # quiet").output == ""
    assert Book("x = 41").job("x + 1  # loud;").output == "42\n"
    assert Book("x = 41").job("'é'; x + 1").output == "42\n"
    assert Book("x = 41").job("x + 1\ny = 2").output == ""


def test_imports_with_their_versions() -> None:
    import numpy

    statement = "from dateutil.relativedelta import relativedelta as Delta"
    book = Book(f"import numpy as np\n{statement}\nX = np.zeros(2)\nimport json")
    captured = book.capture("X, Delta, json\nimport yaml\nif 0: import aiohttp")
    assert captured.imports.keys() == {"numpy", "dateutil", "yaml"}
    assert captured.imports["numpy"] == f"numpy=={numpy.__version__}"
    assert captured.imports["dateutil"] == f"python-dateutil=={version('python-dateutil')}"
    assert captured.pickled == {"numpy": f"numpy=={numpy.__version__}"}, "of what travels only X holds on to a library"
    sources = [step["source"] for step in captured.program["definitions"] if step["do"] == "import"]
    assert statement in sources


REMOTE = """
import functools, kube_magics
@kube_magics.remote(
    gpus=0,
)
@functools.lru_cache
def f(x):
    return helper(x) + 1
def helper(x): return x * 2
hooks = [f, kube_magics.report]
"""


def test_kube_magics_inside_a_job() -> None:
    book = Book(REMOTE, "from kube_magics import report, remote")
    assert book.capture("report(step=1)").program["definitions"][0]["source"] == "from kube_magics import report"
    assert book.job("y = f(1), hooks[0] is f, type(f).__name__")["y"] == (3, True, "_lru_cache_wrapper")
    book.capture("kube_magics.report(step=1)")
    book.capture("from kube_magics import should_stop")
    cells = ("remote", "kube_magics.train(f)", "from kube_magics import train", "def g(): return kube_magics.Job\ng()")
    for cell in cells:
        with pytest.raises(CaptureError, match="only report and should_stop"):
            book.capture(cell)


def test_a_remote_function_as_a_call() -> None:
    book = Book(REMOTE.replace("@functools.lru_cache\n", ""))
    captured = capture_call(book.namespace["f"].__wrapped__, (4,), {}, book.notebook())
    assert Ran(captured).values == {"@value": 9}


CELLS = {
    "empty": ("", "The cell is empty"),
    "only comments": ("# nothing\n\n", "The cell is empty"),
    "syntax": ("x = 1\ny = (", "Line 3:"),
    "return": ("x = 1\nreturn x", "Line 3: 'return' outside function"),
}


@pytest.mark.parametrize(("cell", "message"), CELLS.values(), ids=CELLS)
def test_a_cell_that_cannot_be_a_job(cell: str, message: str) -> None:
    with pytest.raises(CellError, match=message) as caught:
        Book().capture(cell)
    assert caught.value.hint


def test_a_syntax_error_keeps_its_line_and_text() -> None:
    with pytest.raises(CellError) as caught:
        Book().capture("x = 1\nfor in y: pass")
    cause = caught.value.__cause__
    assert isinstance(cause, SyntaxError)
    assert (cause.lineno, (cause.text or "").strip()) == (3, "for in y: pass")


@pytest.mark.parametrize(
    ("returns", "message"),
    [(("a b",), "not a name"), (("class",), "not a name"), (("x", "x"), "twice"), (("modle",), "never sets modle")],
)
def test_returns_are_checked(returns: tuple[str, ...], message: str) -> None:
    with pytest.raises(CellError, match=message):
        Book().capture("x = model = 1", *returns)


def test_what_may_be_returned() -> None:
    Book("z = 1").capture("if z: x = 1", "x", "z")
    Book().capture("def f():\n    global x\n    x = 1\nf()", "x")
    Book().capture("exec('x = 1')", "x")


def test_a_call() -> None:
    book = Book(NET, "def f(cfg, *, k): return helper(cfg.lr) + k\ncfg = Config(2)")
    names = book.namespace
    captured = capture_call(names["f"], (names["cfg"],), {"k": 1}, book.notebook())
    assert captured.program["returns"] == ["@value"]
    assert captured.program["statements"] == [{"do": "call"}]
    assert {"f", "helper", "Config", "SCALE", "arguments"} <= set(travelling(captured))
    assert Ran(captured).values == {"@value": 7}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("3", "cannot be called"),
        ("open, [{'a': (i for i in [])}]", r'args\[0\]\["a"\] cannot travel: it is a generator'),
    ],
)
def test_a_call_that_cannot_travel(call: str, message: str) -> None:
    fn, *args = eval(f"({call},)")
    with pytest.raises(CaptureError, match=message):
        capture_call(fn, tuple(args[0]) if args else (), {}, Notebook({}, "tests.cells.test_capture"))


def test_digests() -> None:
    book = Book(
        "import numpy as np\nX = np.arange(3)\ncfg = {'b': 1, 'a': [2]}\ndef f(): return cfg\nclass A: pass\na = A()"
    )
    cell = "f(), X"
    first = book.capture(cell)
    assert first.incomparable == ()
    book.run("X = np.arange(3)\ncfg = {'a': [2], 'b': 1}")
    assert book.capture(cell).cell_digest == first.cell_digest
    digests = {first.cell_digest, book.capture(cell + "\n").cell_digest, book.capture("f(), X, 1").cell_digest}
    book.run("cfg['b'] = True")
    digests.add(book.capture(cell).cell_digest)
    book.run("X = X.astype('int32')")
    digests.add(book.capture(cell).cell_digest)
    assert len(digests) == 5
    assert book.capture("a").incomparable == ("a",)


def test_the_program_is_json() -> None:
    captured = Book(NET).capture("Net")
    assert json.loads(json.dumps(captured.program)) == captured.program


def test_a_script_is_a_notebook_of_one_cell(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("K = 2\nclass A:\n    n = 1\ndef f(x): return x * K + A.n\n")
    namespace = {"__name__": "__main__", "__file__": str(script)}
    exec(compile(script.read_text(), str(script), "exec"), namespace)
    captured = capture("f(1)", Notebook(namespace), returns=())
    assert travelling(captured) == ["A", "K", "f"]


WARNED = {
    "only a function": ("", "import math\ndef f(): return math.pi", "this cell only defines f: the job will compute"),
    "functions and classes": ("", "'''Models.'''\nN = 2\nclass A: pass\ndef f(): pass", "only defines A, f:"),
    "many": ("", "\n".join(f"def f{number}(): pass" for number in range(5)), "only defines f0, f1, f2 and 2 more:"),
    "in a branch": ("x = 0", "if x:\n    print(nowhere)", "line 3: name 'nowhere' is not defined here"),
    "in a loop": ("", "for x in []:\n    print(x)\n    nowhere", "line 4: name 'nowhere' is not defined here"),
    "in a function": ("", "def f():\n    return nowhere\nf()", "line 3: name 'nowhere' is not defined here"),
    "in the notebook": (
        "def f():\n    return nowhere",
        "f()",
        r"f \(In \[1\], line 2\): name 'nowhere' is not defined",
    ),
    "foreseen": ("", "try:\n    nowhere\nexcept NameError:\n    nowhere = 1\nprint(nowhere)", None),
    "called": ("", "def f(): pass\nf()", None),
    "called by its decorator": ("def now(f): f()", "@now\ndef f(): pass", None),
    "wanted back": ("", "def f(): pass", None),
    "only imports": ("", "import math", None),
    "for type hints alone": ("from __future__ import annotations", "def f(x: nowhere): return x\nf(1)", None),
    "nobody can tell": ("", "exec('nowhere = 1')\nif 1: print(nowhere)", None),
    "a seed": ("import random\nrandom.seed(1)", "x = random.random()", r"not in the job: random\.seed \(In \[1\]\);"),
    "a seed that the cell sets too": ("import random\nrandom.seed(1)", "random.seed(2)\nx = random.random()", None),
    "a seed of what the job does not use": ("import random\nrandom.seed(1)", "x = 1", None),
    "a setting of what a function uses": (
        "import sys\nif 1:\n    sys.ps9 = 1\ndef f(): return sys.path",
        "f()",
        r"not in the job: sys\.ps9 \(In \[1\]\);",
    ),
    "a setting that is read": ("import string\nstring.KMT = 1", "print(string.KMT)", r"string\.KMT"),
    "a setting that is counted up": ("import ast\nast.KMT = 1\nast.KMT += 1", "ast.KMT", r"ast\.KMT \(In \[1\]\)"),
    "a setting that is read and set": ("import ast\nast.KMT = 1", "ast.KMT = 2\nprint(ast.KMT)", None),
    "a setting of what a value comes from": (
        "import logging as l\nl.basicConfig(force=False)\nlog = l.getLogger('a')",
        "log.info(1)",
        r"l\.basicConfig",
    ),
    "the environment": ("import os\nos.environ['HOME'] = os.environ['HOME']", "print(os.getcwd())", None),
    "a name of the notebook's own": ("class A: pass\nA.seed = print\nA.seed()\na = A()", "print(a)", None),
    "bound by a loop": ("", "for i in [1]:\n    last = i\nprint(last)", None),
}


@pytest.mark.parametrize(("before", "cell", "warning"), WARNED.values(), ids=WARNED)
def test_what_the_user_is_told_although_the_job_runs(before: str, cell: str, warning: str | None) -> None:
    returns = ("f",) if cell == "def f(): pass" and warning is None else ()
    warnings = Book(before).capture(cell, *returns).warnings
    assert len(warnings) == (warning is not None)
    for sentence in warnings:
        assert re.search(warning or "", sentence)
        assert "\n" not in sentence


def test_what_a_star_import_brought_travels_by_import() -> None:
    book = Book("from math import *\nfrom numpy import *\nfrom string import *", "e = 3\nr = lib = 2")
    job = book.job(
        "import math, string, numpy\ny = sqrt is numpy.sqrt, factorial is math.factorial, digits, newaxis, e", "y"
    )
    assert job["y"] == (True, True, "0123456789", None, 3)
    imports = {step["source"] for step in job.capture.program["definitions"] if step["do"] == "import"}
    wanted = {"from numpy import sqrt", "from math import factorial", "from string import digits"}
    assert wanted <= imports
    assert [travel.name for travel in job.capture.travels if travel.kind == "data"] == ["e"]


@pytest.mark.parametrize(
    "cell",
    [
        "if flag:\n    made = 1\nprint(made)",
        "try:\n    import no_such_module as made\nexcept ImportError:\n    made = None\nprint(made)",
        "match flag:\n    case True:\n        made = 1\nmade",
    ],
)
def test_a_name_that_one_way_binds_is_neither_refused_nor_warned_of(cell: str) -> None:
    book = Book("flag = True")
    captured = book.capture(cell)
    assert captured.warnings == ()
    assert book.job(cell).error is None


def test_what_was_put_into_a_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import fractions
    import math

    book = Book("import math, fractions\ndef root(x): return 0")
    monkeypatch.setattr(math, "sqrt", book.namespace["root"])
    monkeypatch.setattr(fractions.Fraction, "half", book.namespace["root"], raising=False)
    assert book.capture("math.pi").warnings == ("math.sqrt was replaced here: the job has the original",)
    sentence = "Fraction.half was replaced here: the job has the original"
    assert book.capture("from fractions import Fraction\nFraction(1)").warnings == (sentence,)
    assert book.capture("fractions.Fraction(1)").warnings == ()


def test_an_undefined_name_is_a_name_error_too() -> None:
    with pytest.raises(NameError) as caught:
        Book().capture("print(nowhere)")
    assert caught.value.name == "nowhere"
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), CaptureError)


SINCE = {
    "a field's default": ("import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = N", "A().x"),
    "a named tuple's": (
        "from typing import NamedTuple\nclass A(NamedTuple):\n    x: int = N\n    def f(self): return self.x",
        "A().f()",
    ),
    "a member's value": ("import enum\nclass A(enum.Enum):\n    X = N", "A.X.value"),
    "a branch of a class": ("class A:\n    if N > 1: x = 1\n    else: x = 2", "A.x"),
    "a decorator's argument": (
        "def times(n): return lambda f: lambda: f() * n\n@times(N)\ndef f(): return 1",
        "f()",
    ),
    "what is wrapped": ("import functools\ndef g(): return 1\n@functools.wraps(g)\ndef f(): pass", "f.__wrapped__()"),
    "an annotation": ("def f(x: N): pass", "f.__annotations__"),
}


@pytest.mark.parametrize(("definition", "use"), SINCE.values(), ids=SINCE)
def test_what_a_definition_read_is_not_read_anew(definition: str, use: str) -> None:
    book = Book("N = 1", definition, "N = 5\ndef g(): return 2")
    job = book.job(f"y = {use}", "y")
    book.run(f"y = {use}")
    assert job["y"] == book.namespace["y"]


def test_a_cell_that_ran_again_does_not_count_as_another_value() -> None:
    book = Book("N = 1\nimport math", "class A:\n    if N: x = math.pi", "import math", "N = 1")
    assert "A" in [travel.name for travel in book.capture("A.x").travels if travel.kind == "class"]


def test_keywords_of_a_class_that_were_set_again_are_named() -> None:
    book = Book("N = 1\nclass P:\n    def __init_subclass__(cls, n): pass", "class A(P, n=N): pass", "N = 2")
    with pytest.raises(CaptureError, match="A cannot travel: what its statement needs was set again"):
        book.capture("A")


def test_an_older_class_of_the_name_is_never_taken_for_it() -> None:
    fields = "@dataclasses.dataclass\nclass A:\n    x: int = 1\n"
    book = Book(f"import dataclasses\nN = 1\n{fields}", f"{fields[:-2]}N\n    def f(self): return self.x", "N = 5")
    assert book.job("y = A().f()")["y"] == 1


def test_a_name_is_not_suggested_for_itself() -> None:
    with pytest.raises(CaptureError) as caught:
        Book().capture("print(elephant)\nelephant = 1")
    assert "did you mean" not in str(caught.value)
    with pytest.raises(CaptureError, match="did you mean elephant"):
        Book("elephant = 1").capture("print(elephat)")


@pytest.mark.parametrize(
    ("returns", "known", "meant"),
    [
        ("never", "", None),  # the builtin `reversed` is no name to return, and is not much alike
        ("socre", "score = 1", "score"),
        ("prnt", "", None),
        ("never", "lever = 1", "lever"),
    ],
)
def test_a_name_that_is_never_set_is_meant_by_a_similar_one_only(returns: str, known: str, meant: str | None) -> None:
    with pytest.raises(CellError, match="never sets") as caught:
        Book(known).capture("x = 1", returns)
    assert (f"did you mean {meant}" if meant else "--returns") in str(caught.value)
    assert ("did you mean" in str(caught.value)) == bool(meant)
