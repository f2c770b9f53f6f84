"""What has no source travels by value: run by the real runner in processes of its own, other minors of Python too."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from kube_magics.cells import bundle
from kube_magics.cells.capture import Capture, capture, capture_call
from kube_magics.cells.results import Arrived, load_result
from kube_magics.errors import CaptureError, ResultError
from kube_magics.runner.unpack import members
from tests.cells.book import Book, Ran, travelling
from tests.runner.bundles import Log, Runner

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


def files(captured: Capture, **options: Any) -> dict[str, bytes]:
    return {name: content for name, content, _ in members(bundle.build(captured, options).data)}


def run(folder: Path, captured: Capture, **options: Any) -> Log:
    return Runner(folder, replaced=files(captured, result_limit_bytes=1_000_000, **options)).wait()


@functools.cache
def other_python() -> str:
    """An interpreter of another minor than ours."""
    minors = [minor for minor in ("3.13", "3.12", "3.10", "3.9", "3.14") if minor != MINOR]
    found = [path for minor in minors if (path := shutil.which(f"python{minor}"))]
    found += [str(path) for minor in minors for path in Path.home().glob(f".pyenv/versions/*/bin/python{minor}")]
    for path in found:
        # What pyenv puts on the path may only say that no such version is chosen.
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip("no other minor of Python on this machine")


WORKERS = """
import multiprocessing
import types
rate = 2
def scale(x): return x * rate
def make(k):
    class Local:
        def __init__(self, v): self.v = v * k
    return Local
Local = make(3)
f = lambda x: scale(x) + Local(x).v + Patched().extra(x)
class Patched:
    bias = 1
    def extra(self, x): return self.bias
Patched.bias = 100
"""
IN_WORKERS = """
def work(x):
    return f(x)
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [1, 2]), work(3))
"""


def test_spawned_workers_have_what_travelled_by_value(tmp_path: Path) -> None:
    log = run(tmp_path, Book(WORKERS).capture(IN_WORKERS))
    assert (log.out, log.err, log.end["code"]) == (b"[105, 110] 115\n", b"", 0)


def test_a_traceback_through_a_lambda_shows_its_line(tmp_path: Path) -> None:
    book = Book("\n\nfs = {\n    'a': lambda x: 1 / x,\n}")
    log = run(tmp_path, book.capture("fs['a'](0)"))
    assert b"File \"<In [1]>\", line 4, in <lambda>\n    'a': lambda x: 1 / x," in log.err


@pytest.mark.parametrize(
    ("cells", "cell", "said"),
    [
        (["f = lambda: 1"], "f()", "f is a lambda: it travels as bytecode of Python"),
        (
            ["cfg = {'k': [lambda: 1]}\ndef make(n):\n    def inner(): return n\n    return inner\ng = make(1)"],
            "cfg, g",
            'cfg["k"][0] is a lambda and g is a closure make.<locals>.inner: they travel as bytecode of Python',
        ),
    ],
)
def test_bytecode_of_another_minor_is_refused_before_it_is_loaded(
    tmp_path: Path, cells: list[str], cell: str, said: str
) -> None:
    log = run(tmp_path, Book(*cells).capture("print('never')\n" + cell), python=other_python())
    assert log.error["message"].startswith(f"{said} {MINOR}, and this image has Python 3.")
    assert (log.error["reason"], log.end["reason"], log.out) == ("bytecode", "bytecode", b"")


def test_what_a_call_made_needs_no_bytecode(tmp_path: Path) -> None:
    book = Book(
        "import collections, enum, typing\nP = collections.namedtuple('P', 'x y')\nC = enum.Enum('C', 'A B')",
        "T = typing.TypeVar('T')\np = P(1, C.B)",
    )
    captured = book.capture("print(p, p.y is C.B, T)")
    assert captured.bytecode == ()
    log = run(tmp_path, captured, python=other_python())
    assert (log.out, log.end["code"]) == (b"P(x=1, y=<C.B: 2>) True ~T\n", 0)


def test_only_jobs_with_classes_by_value_bring_cloudpickle() -> None:
    book = Book(WORKERS)
    made = {cell: files(book.capture(cell)).keys() for cell in ("rate", "scale(1)", "Local(1)", "(lambda: 1)()")}
    brought = {
        cell: {name for name in names if "rebuild" in name or "cloudpickle" in name} for cell, names in made.items()
    }
    both = {"kube_magics_runner/rebuild.py", "kube_magics_runner/cloudpickle.py"}
    assert brought == {"rate": set(), "scale(1)": set(), "Local(1)": both, "(lambda: 1)()": set()}
    text = files(book.capture("Local"))["kube_magics_runner/cloudpickle.py"].decode()
    assert "Redistributions of source code must retain" in text
    assert bundle.build(book.capture("f(1)"), {}).size_bytes < 48 * 1024


def test_a_call_of_a_lambda() -> None:
    book = Book("k = 2\ndef helper(x): return x * k\ndef apply(f, x): return f(x)")
    names = book.namespace
    book.run("f = lambda x: helper(x) + 1")
    captured = capture_call(names["apply"], (names["f"], 3), {}, book.notebook())
    ran = Ran(captured)
    assert ran.error is None
    assert ran.values == {"@value": 7}
    assert captured.bytecode == (("args[0]", "a lambda"),)


def test_changed_values_need_no_bytecode(tmp_path: Path) -> None:
    book = Book(
        "N = 1\nclass A:\n    n = N\n    def m(self, k=N): return self.n + k", "N = 5\nA.n = 3\nA.extra = {'x': 1}"
    )
    log = run(tmp_path, book.capture("print(A().m(), A.extra, N)"), python=other_python())
    assert (log.out, log.end["code"]) == (b"4 {'x': 1} 5\n", 0)


def test_what_was_changed_is_part_of_the_cells_digest() -> None:
    book = Book("class A:\n    n = 1\ndef f(x=1): return x")
    digests = {book.capture("A, f").cell_digest}
    for change in ("A.n = 2", "A.m = [1]", "f.note = 'a'", "f.note = 'b'", "del A.m"):
        book.run(change)
        captured = book.capture("A, f")
        assert captured.incomparable == ()
        digests.add(captured.cell_digest)
    assert len(digests) == 6
    assert captured.summary().startswith("travels: A (")


TENSOR = """
class Tensor:  # as much of torch's as capture looks at
    def __init__(self, device):
        self.device = device
        self.is_cuda = device.startswith("cuda")
state = {"w": [Tensor("cpu"), Tensor("cuda:0")]}
"""


def test_tensors_on_a_gpu_need_one_in_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = types.ModuleType("torch")
    monkeypatch.setitem(sys.modules, "torch", torch)
    book = Book(TENSOR)
    torch.Tensor = book.namespace["Tensor"]  # type: ignore[attr-defined]
    with pytest.raises(CaptureError, match=r'state\["w"\]\[1\] cannot travel: it is a tensor on cuda:0') as caught:
        book.capture("state")
    assert "--gpus 1" in (caught.value.hint or "")
    assert travelling(capture("%%kubetrain\nstate", book.notebook(), gpus=1)) == ["Tensor", "state"]
    book.run("state['w'][1].device = 'cuda:3'")
    with pytest.raises(CaptureError, match=r"a tensor on cuda:3, and the job has 2 GPUs, cuda:0 to cuda:1") as caught:
        capture("%%kubetrain\nstate", book.notebook(), gpus=2)
    assert 'x.to("cuda:0")' in (caught.value.hint or "")
    assert travelling(capture("%%kubetrain\nstate", book.notebook(), gpus=4)) == ["Tensor", "state"]
    del book.namespace["state"]["w"][1]
    assert travelling(book.capture("state")) == ["Tensor", "state"]


RETURNS = """
import functools
rate = 2
def scale(x): return x * rate
def make(k):
    class Local:
        def __init__(self, v): self.v = v * k
        def scaled(self): return scale(self.v)
    return Local
Local = make(3)
"""
RETURNED = {
    "a lambda": ("f = lambda x: scale(x) + 1", "f", "f(3) == 7"),
    "a closure": (
        "def add(n):\n    def inner(x): return x + n\n    return inner\ng = {'add': add(2)}",
        "g",
        "g['add'](1) == 3",
    ),
    "a partial": ("p = functools.partial(lambda a, b: a - b, 5)", "p", "p(2) == 3"),
    "a bound method": ("m = Local(2).scaled", "m", "m() == 12 and type(m.__self__) is Local"),
    "an instance of a local class": ("c = [Local(2)]", "c", "c[0].v == 6 and type(c[0]) is Local"),
    "a local class of the cell": (
        "def build():\n    class Mine:\n        def m(self): return scale(2)\n    return Mine\nMine = build()\na = Mine()",
        "Mine,a",
        "type(a) is Mine and a.m() == 4",
    ),
    "a namedtuple of the cell": (
        "import collections\nP = collections.namedtuple('P', 'x y')\np = P(1, 2)",
        "p",
        "p == (1, 2) and type(p) is P",
    ),
    "with what it looks up": (
        "import math\ndef half(x): return math.floor(x / 2)\nh = lambda x: half(x)",
        "h",
        "h(5) == 2",
    ),
    "lru_cache": (
        "def mk():\n    @functools.lru_cache\n    def sq(x): return x * x\n    return sq\nsq = mk()",
        "sq",
        "sq(3) == 9",
    ),
}


@pytest.mark.parametrize(("cell", "returns", "holds"), RETURNED.values(), ids=RETURNED)
def test_what_has_no_source_comes_home(tmp_path: Path, cell: str, returns: str, holds: str) -> None:
    book = Book(RETURNS)
    names = returns.split(",")
    captured = book.capture(cell, *names)
    log = run(tmp_path, captured, returns=names)
    assert log.end["missing"] == {}
    arrived = Arrived()
    for name, data in log.result_bytes().items():
        book.namespace[name] = load_result(data, book.namespace, captured.definitions("<here>"), name, arrived)
    assert eval(holds, book.namespace)


def test_a_lambda_that_needs_what_only_the_job_has(tmp_path: Path) -> None:
    book = Book()
    captured = book.capture("k = 2\nf = lambda x: x * k", "f")
    log = run(tmp_path, captured, returns=["f"])
    with pytest.raises(ResultError, match="<lambda>, which looks up k, and only the job computed that") as caught:
        load_result(log.result_bytes()["f"], book.namespace, captured.definitions(None))
    assert "--returns" in (caught.value.hint or "")


def test_a_lambda_does_not_come_back_from_another_minor(tmp_path: Path) -> None:
    captured = Book().capture("f = lambda: 1\nx = 2", "f", "x")
    log = run(tmp_path, captured, returns=["f", "x"], python=other_python())
    assert "<lambda> has no source: it would come back as bytecode of Python 3." in log.end["missing"]["f"]
    assert log.results() == {"x": 2}
