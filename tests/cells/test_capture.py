"""A cell becomes a program that does in a fresh `__main__` what the cell would do here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kube_magics.cells.capture import capture, capture_call
from kube_magics.cells.notebook import Notebook
from kube_magics.errors import CaptureError, CellError
from tests.cells.book import Book, run_process, travelling

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

SAME = {
    "functions, recursively": ([NET], "y = helper(2)"),
    "a class with its base and what its methods use": ([NET], "y = Net(1)(2)"),
    "an instance": ([NET, "net = Net(7)"], "y = net(2), type(net) is Net"),
    "a dataclass": ([NET, "cfg = Config(0.5, ['a'])"], "y = (cfg == Config(0.5, ['a']), cfg.tags)"),
    "mutual recursion": (
        ["def even(n): return n == 0 or odd(n - 1)", "def odd(n): return n != 0 and even(n - 1)"],
        "y = even(10)",
    ),
    "modules under their names": (["import os.path as p, json as j\nfrom math import pi, sqrt as r"], "y = p.join('a', j.dumps(r(4) * pi))"),
    "a submodule used by its dotted name": (["import xml.etree.ElementTree"], "y = xml.etree.ElementTree.fromstring('<a/>').tag"),
    "shared identity": (["a = [1]\nb = {'a': a}"], "a.append(2)\ny = b"),
    "shared with an instance": ([NET, "cfg = Config()\nparts = [cfg, cfg.tags]"], "cfg.tags.append(1)\ny = parts[1]"),
    "a class attribute that is data": (["DATA = [1, 2]\nclass A:\n    data = DATA\na = A()"], "y = (A.data is DATA, a.data)"),
    "a default that is data": (["D = {'k': 1}\ndef f(d=D): return d"], "y = f() is D"),
    "a decorator of the notebook": (
        ["import functools\ndef deco(f):\n    @functools.wraps(f)\n    def w(*a): return add(f(*a))\n    return w",
         "def add(x): return x + 1", "@deco\ndef g(x): return x * 2"],
        "y = g(3)",
    ),
    "a decorator without wraps": (["def deco(f):\n    def w(): return f() + 1\n    return w", "@deco\ndef g(): return 1"], "y = g()"),
    "a decorator with arguments": (
        ["def times(n):\n    def deco(f):\n        def w(): return f() * n\n        return w\n    return deco", "@times(3)\ndef g(): return 2"],
        "y = g()",
    ),
    "lru_cache": (["import functools\n@functools.lru_cache(maxsize=None)\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)"], "y = fib(20)"),
    "contextmanager": (["import contextlib\n@contextlib.contextmanager\ndef c(): yield 5"], "with c() as y: pass"),
    "two names of one function": (["def f(): return 1\ng = f"], "y = (g is f, g())"),
    "functions inside data": (["def f(): return 1\nhooks = {'end': f}"], "y = hooks['end']()"),
    "a partial": (["import functools\ndef f(a, b): return a - b\np = functools.partial(f, 5)"], "y = p(2)"),
    "an enum": (["import enum\nclass Color(enum.Enum):\n    RED = 1\nred = Color.RED"], "y = (red is Color.RED, red.value)"),
    "a namedtuple class": (["from typing import NamedTuple\nclass P(NamedTuple):\n    x: int\n    y: int = 2\np = P(1)"], "y = (p, type(p) is P)"),
    "slots and properties": (["class S:\n    __slots__ = ('v',)\n    def __init__(self, v): self.v = v\n    @property\n    def w(self): return k * self.v\nk = 2\ns = S(4)"], "y = s.w"),
    "an abstract class": (["import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\nclass B(A):\n    def f(self): return 1"], "y = B().f()"),
    "a nested class": (["class A:\n    class B:\n        def f(self): return z\nz = 4\nb = A.B()"], "y = b.f()"),
    "a definition in a branch": (["try:\n    import nothing_like_this\nexcept ImportError:\n    def f():\n        return '''a\n  b'''"], "y = f()"),
    "definitions on neighbouring lines": (["if True:\n    def f(): return 1\n    def g(): return 2\ndef h(): return 3"], "y = f(), g(), h()"),
    "a redefined function": (["def f(): return 1", "def f(): return 2"], "y = f()"),
    "a class run twice": (["class A:\n    x = 1", "class A:\n    x = 1\na = A()"], "y = type(a) is A"),
    "future annotations": (["from __future__ import annotations\nimport dataclasses", "@dataclasses.dataclass\nclass A:\n    x: Missing = 1"], "def f(a: AlsoMissing): return A().x\ny = f(1)"),
    "the cell's own future": ([], "from __future__ import annotations\ndef f(a: Missing): return 1\ny = f(1)"),
    "a builtin that was replaced": (["len = lambda_free = 3"], "y = len"),
    "a global set by a function": (["def init():\n    global state\n    state = 5"], "init()\ny = state"),
    "the cell redefines what a helper uses": (["rate = 1\ndef f(): return rate"], "rate = 2\ny = f()"),
    "a name used, then rebound": (["x = 1"], "y = x\nx = 2\ny = (y, x)"),
    "deleted": (["x = 1"], "del x\ny = 'x' in globals()"),
    "two statements on one line": (["x = 1"], "a = x; b = a + 1; y = b"),
    "a setstate that uses globals": (
        ["OFFSET = 2\nclass A:\n    def __init__(self): self.v = 1\n    def __setstate__(self, s): self.v = s['v'] + OFFSET\na = A()"],
        "y = a.v > 0",
    ),
    "a metaclass": (["class M(type):\n    def __new__(m, n, b, d):\n        d['tag'] = tag(n)\n        return super().__new__(m, n, b, d)\ndef tag(n): return n.lower()\nclass A(metaclass=M): pass\na = A()"], "y = a.tag"),
    "a star import": (["from math import *"], "y = floor(pi)"),
    "the main guard": (["x = 2"], "if __name__ == '__main__':\n    y = x"),
    "a multi-line string": (["def f():\n    return '''\n    a\n\n  b'''"], "y = f()\nz = '''\n  c\n'''\ny = y + z"),
    "numpy": (["import numpy as np\nX = np.arange(3)\nviews = [X, X]"], "y = (int(X.sum()), views[0] is views[1], str(np.float32(1).dtype))"),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "cell"), SAME.values(), ids=SAME)
def test_a_job_gives_what_the_cell_gives_here(cells: list[str], cell: str) -> None:
    book = Book(*cells)
    job = book.job(cell, "y")
    book.run(cell)
    assert job["y"] == book.namespace["y"]


REFUSED = {
    "a lambda": (["f = lambda: 1"], "f()", "f cannot travel: it is a lambda"),
    "a closure": (["def make(n):\n    def inner(): return n\n    return inner\nf = make(1)"], "f()", "made inside another one"),
    "a local class": (["def make():\n    class A: pass\n    return A()\na = make()"], "a", "a cannot travel.*class made inside another function"),
    "a lambda in a value": (["cfg = {'k': [1, lambda: 1]}"], "cfg", r'cfg\["k"\]\[1\] cannot travel: it is a lambda'),
    "an open file": (["import os\nlog = {'out': open(os.devnull)}"], "log", r'log\["out"\] cannot travel: it is an open file'),
    "a generator": (["g = (i for i in [1])"], "list(g)", "g cannot travel: it is a generator"),
    "a lock": (["import threading\nclass A: pass\na = A()\na.lock = threading.Lock()"], "a", r"a\.lock cannot travel: it is a lock"),
    "a socket": (["import socket\ns = [socket.socket()]"], "s", r"s\[0\] cannot travel: it is a network connection"),
    "a database": (["import sqlite3\ncfg = {'conn': sqlite3.connect(':memory:')}"], "cfg", r'cfg\["conn"\] cannot travel: it is a connection'),
    "a module in a value": (["import json\nlibs = [json]"], "libs", r"libs\[0\] cannot travel: it is the module json"),
    "an older definition": (["class A: pass\na = A()", "class A: pass"], "a", "a cannot travel: it is made by an older definition of A"),
    "a rebound function": (["def f(): return 1", "f.__code__ = (lambda: 2).__code__"], "f()", "f cannot travel as source"),
    "a wrapped function": (["def f(): return 1\ndef w(g):\n    def inner(): return g()\n    return inner", "f = w(f)"], "f()", "f cannot travel as source: it was wrapped since"),
    "a patched method": (["class A:\n    def m(self): return 1", "def new(self): return 2\nA.m = new"], "A().m()", "A cannot travel as source: m was replaced since"),
    "an added method": (["class A: pass", "def new(self): return 2\nA.m = new"], "A().m()", "A cannot travel as source: m was added to it since"),
    "a changed class attribute": (["class A:\n    n = 0", "A.n = 1"], "A.n", "A cannot travel as source: the attribute n is not what"),
    "a mutated class attribute": (["class A:\n    seen = []", "A.seen.append(1)"], "A.seen", "A cannot travel as source: the attribute seen"),
    "a default that changed": (["N = 1\ndef f(n=N): return n", "N = 2"], "f()", "the default value of n is not what N gives now"),
    "a function attribute": (["def f(): return f.n\nf.n = 1"], "f()", "its attribute n was set since"),
    "made by exec": (["exec('def f(): return 1')"], "f()", "f cannot travel: no cell of this notebook has the def statement"),
    "undefined": ([], "x = 1\nprint(nowhere)", "Line 3: name 'nowhere' is not defined"),
    "undefined in a default": ([], "def f(a=nowhere): pass", "Line 2: name 'nowhere' is not defined"),
    "needs what is gone": (["def d(f): return f\n@d\ndef g(): return 1", "del d"], "g()", "g cannot travel: its statement needs d, which is not defined any more"),
    "a circle": (["D = {}\ndef f(d=D): return d\nD['f'] = f"], "f()", "cannot travel: each needs the other first"),
    "a TypeVar": (["from typing import TypeVar\nT = TypeVar('T')"], "T", "T cannot travel: it is a TypeVar"),
    "a thread pool": (["import concurrent.futures as c\np = c.ThreadPoolExecutor(1)"], "p", "p cannot travel: it is a live process, pool or task"),
    "an argument's reduce that raises": (["class A:\n    def __reduce__(self): raise RuntimeError('no')\na = [A()]"], "a", r"a\[0\] cannot travel"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::ResourceWarning")
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
    assert [travel.name for travel in captured.largest(2)] == ["c", "b"]
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


def test_the_last_expression_is_shown_unless_a_semicolon_ends_it() -> None:
    assert Book("x = 41").job("x + 1").output == "42\n"
    assert Book("x = 41").job("x + 1;").output == ""
    assert Book("x = 41").job("(x + 1)  ; # quiet").output == ""
    assert Book("x = 41").job("x + 1  # loud;").output == "42\n"
    assert Book("x = 41").job("'é'; x + 1").output == "42\n"
    assert Book("x = 41").job("x + 1\ny = 2").output == ""


def test_imports_with_their_versions() -> None:
    import numpy
    import sklearn

    book = Book("import numpy as np\nfrom sklearn.linear_model import LogisticRegression as LR\nX = np.zeros(2)\nimport json")
    captured = book.capture("X, LR, json\nimport yaml\nif 0: import aiohttp")
    assert captured.imports.keys() == {"numpy", "sklearn", "yaml"}
    assert (captured.imports["numpy"], captured.imports["sklearn"]) == (numpy.__version__, sklearn.__version__)
    sources = [step["source"] for step in captured.program["definitions"] if step["do"] == "import"]
    assert "from sklearn.linear_model import LogisticRegression as LR" in sources


def test_local_modules_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_local_helpers.py").write_text("def f(): return 1\nclass A: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    cells = {"import my_local_helpers": "my_local_helpers.f()", "from my_local_helpers import f": "f()"}
    cells["import my_local_helpers\na = [my_local_helpers.A()]"] = "a"
    for cell, use in cells.items():
        with pytest.raises(CaptureError, match="my_local_helpers"):
            Book(cell).capture(use)
    for cell in ("import my_local_helpers", "def f():\n    from my_local_helpers import f\nf()"):
        with pytest.raises(CaptureError, match=r"Line \d: the cell's import needs the local module my_local_helpers"):
            Book().capture(cell)
    Book().capture("try:\n    import my_local_helpers\nexcept ImportError: pass")
    sys.modules.pop("my_local_helpers", None)


def test_kube_magics_inside_a_job() -> None:
    import kube_magics.errors
    from kube_magics.runner.report import report

    book = Book()
    book.namespace.update(report=report, KubeMagicsError=kube_magics.errors.KubeMagicsError)
    step = book.capture("report(step=1)").program["definitions"][0]
    assert step["source"] == "from kube_magics import report"
    with pytest.raises(CaptureError, match="only report and should_stop"):
        book.capture("KubeMagicsError")


CELLS = {
    "empty": ("", "The cell is empty"),
    "only comments": ("# nothing\n\n", "The cell is empty"),
    "syntax": ("x = 1\ny = (", "Line 3:"),
    "return": ("x = 1\nreturn x", "Line 3: 'return' outside function"),
    "shell": ("x = 1\n!ls 'a", "Line 3: a shell command does not work"),
    "shell into a name": ("files = !ls", "Line 2: a shell command"),
    "magic": ("%time x = 1", "Line 2: a magic does not work"),
    "cell magic": ("%%time\nx = 1", "Line 2: a magic does not work"),
    "question": ("print?", "Line 2: a question"),
    "await": ("import asyncio\nawait asyncio.sleep(0)", "Line 3: await outside a function"),
    "async comprehension": ("[x async for x in y]", "Line 2: an asynchronous comprehension"),
    "get_ipython": ("x = 1\nget_ipython().run_line_magic('time', '1')", r"Line 3: get_ipython\(\) does not work"),
    "input": ("name = input('?')", r"Line 2: input\(\) does not work"),
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


@pytest.mark.parametrize(("returns", "message"), [(("a b",), "not a name"), (("class",), "not a name"), (("x", "x"), "twice"), (("modle",), "never sets modle")])
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
    from tests.cells.book import Ran

    assert Ran(captured).values == {"@value": 7}


@pytest.mark.parametrize(
    ("call", "message"),
    [("lambda: 1", "fn cannot travel: it is a lambda"), ("3", "cannot be called"), ("open, [{'a': (i for i in [])}]", r'args\[0\]\["a"\] cannot travel: it is a generator')],
)  # fmt: skip
def test_a_call_that_cannot_travel(call: str, message: str) -> None:
    fn, *args = eval(f"({call},)")
    with pytest.raises(CaptureError, match=message):
        capture_call(fn, tuple(args[0]) if args else (), {}, Notebook({}, "tests.cells.test_capture"))


def test_digests() -> None:
    book = Book("import numpy as np\nX = np.arange(3)\ncfg = {'b': 1, 'a': [2]}\ndef f(): return cfg\nclass A: pass\na = A()")
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


def test_a_process_of_its_own_and_its_workers(tmp_path: Path) -> None:
    book = Book("import concurrent.futures as cf, multiprocessing\nclass Net:\n    def __init__(self): self.k = 3\nnet = Net()")
    captured = book.capture(
        """
        def work(x):
            return x * net.k, type(net) is Net
        print("once")
        found = []
        for method in ("fork", "spawn", "forkserver"):
            with cf.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
                found += pool.map(work, [1])
        found
        """
    )
    done = run_process(captured, tmp_path)
    assert (done.returncode, done.stdout) == (0, "once\n[(3, True), (3, True), (3, True)]\n"), done.stderr
