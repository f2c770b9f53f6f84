"""What returned values share is one object in the notebook too; each of them has a file, a limit and a failure of its
own."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube_magics.cells.definitions.jobcode import Definitions
from kube_magics.cells.results import Arrived, load_result
from kube_magics.errors import ResultError
from kube_magics.runner.keep import keep

PROGRAM = {"cells": {}, "definitions": [], "statements": [], "returns": list("abcd")}
CLASSES = """
class C: pass
def write(array, at, value):
    array[at] = value
    return array
class S:
    __slots__ = ("v",)
class Odd:
    def __init__(self): self.pickled = 0
    def __getstate__(self):
        self.pickled += 1
        if self.pickled > 1: raise TypeError("only once")
        return {}
def counter():
    n = 0
    def up():
        nonlocal n
        n += 1
    def now(): return n
    return up, now
"""
SHARED = {
    "a list inside": ("a = [1]\nb = {'a': a}", "b['a'] is a and a == [1]"),
    "one object": ("a = b = C()", "a is b and type(a) is C"),
    "what is inside both": ("x = C()\na, b = [x], (x, 1)", "b[0] is a[0]"),
    "a circle": ("a = C()\nb = C()\na.b, b.a = b, a", "a.b is b and b.a is a"),
    "an object with slots": ("a = S()\na.v = 3\nb = [a]", "b[0] is a and a.v == 3"),
    "an array": ("import numpy\na = numpy.zeros(3)\nb = [a]", "b[0] is a"),
    "a deque": ("import collections\na = collections.deque([1])\nb = [a]", "b[0] is a"),
    "a generator of numbers": ("import random\na = random.Random(1)\nb = [a]", "b[0] is a"),
    "of three": ("a, c = [1], 3\nb = (a, c)", "b[0] is a"),
    "among three": ("a = [1]\nb, c = (a,), (a, a)", "b[0] is a and c[0] is a"),
    "by way of the second": ("x, y = [], []\na, b, c = [x], [[y], x], [y]", "b[1] is a[0] and c[0] is b[0][0]"),
    "what needs more than pickle": ("a = [1]\nb = [a, lambda: 0]\nc = b[1]", "b[0] is a and c is b[1]"),
    "a view and its base": (
        "import numpy\na = numpy.zeros(4)\nb = a[::2]\na[0] = 5",
        "write(b, 1, 7)[1] == 7 == a[2] and b[0] == 5",
    ),
    "a view before its base": (
        "import numpy\nb = numpy.zeros(4)\na = b.reshape(2, 2).T\nc = 1",
        "write(a, (0, 1), 7) is a and b[2] == 7",
    ),
    "two windows": ("import numpy\nx = numpy.arange(9)\na, b = x[:6], x[3:]", "write(a, 4, 7) is a and b[1] == 7"),
    "within one name": (
        "import numpy\nx = numpy.arange(9)\na = {'x': x, 'y': x[3:]}",
        "write(a['x'], 4, 7)[4] == a['y'][1] == 7",
    ),
    "arrays of objects": (
        "import numpy\na = numpy.array(['x', 3, None], dtype=object)\nb = a[1:]",
        "write(a, 2, 7)[2] == b[1] == 7",
    ),
    "a view that is in a third value too": (
        "import numpy\na = numpy.zeros(4)\nb = a[1:]\nc = [{'row': b}]",
        "write(b, 0, 7)[0] == a[1] and c[0]['row'] is b",
    ),
    "the variable of two closures": ("a, b = counter()\na()", "(b(), a(), b()) == (1, None, 2)"),
}


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


def main(source: str) -> dict[str, Any]:
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(CLASSES + source, "<cell>", "exec"), vars(module))
    return vars(module)


def kept(folder: Path, names: dict[str, Any], limit: int | None = None) -> dict[str, bytes]:
    minor = "{}.{}".format(*sys.version_info)
    asked = [name for name in "abcd" if name in names]
    keep(asked, names, {}, str(folder), limit, notebook_python=minor, compare=True)
    return {name: (folder / f"{name}.pkl").read_bytes() for name in asked if (folder / f"{name}.pkl").exists()}


def came_back(files: dict[str, bytes]) -> dict[str, Any]:
    here = main("")
    arrived = Arrived()
    for name, data in files.items():
        here[name] = load_result(data, here, Definitions(PROGRAM), name, arrived)
    return here


@pytest.mark.parametrize(("source", "holds"), SHARED.values(), ids=SHARED)
def test_what_returned_values_share_is_one(
    tmp_path: Path, source: str, holds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert eval(holds, came_back(kept(tmp_path, main(source))))
    assert capsys.readouterr().err == ""


def test_what_is_not_shared_or_never_changes_binds_nothing_together(tmp_path: Path) -> None:
    source = "import enum, numpy\nE = enum.Enum('E', 'x')\na = ['k' * 9, (1, 2), numpy.dtype('f8'), E.x, print, E]\n"
    files = kept(tmp_path, main(source + "b, c = list(a), [1]"))
    here = main(source)
    assert load_result(files["b"], here, Definitions(PROGRAM)) == here["a"]


def test_a_value_that_did_not_come_back_is_named_by_those_that_need_it(tmp_path: Path) -> None:
    files = kept(tmp_path, main("a = [1]\nb = [a]\nc = 3"))
    with pytest.raises(ResultError, match="shares objects with a, which did not come back"):
        came_back({name: files[name] for name in "cb"})
    assert came_back({"c": files["c"]})["c"] == 3


def test_what_is_too_large_or_cannot_be_pickled_takes_nothing_with_it(tmp_path: Path) -> None:
    source = "x = [1]\na, b, c, d = [x, 'x' * 5000], [x, (n for n in 'x')], [x], [x]"
    here = came_back(kept(tmp_path, main(source), limit=4000))
    assert here["c"][0] is here["d"][0]
    assert {"a", "b"}.isdisjoint(here)
    missing = json.loads((tmp_path / "missing.json").read_text())
    assert (list(missing["missing"]), list(missing["too_large"])) == (["b"], ["a"])


def test_values_that_share_need_no_more_room_than_before(tmp_path: Path) -> None:
    files = kept(tmp_path, main("x = list(range(1000))\na, b = [x], [x]"))
    assert len(files["b"]) < 60 < len(files["a"])


def test_what_can_be_pickled_only_once_comes_back_as_a_copy_and_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = came_back(kept(tmp_path, main("x = [1]\na, b = [x], [x, Odd()]")))
    assert here["b"][0] == here["a"][0] == [1]
    said = "[kube_magics: returned values: copies come back of what is shared in a, b]\n"
    assert capsys.readouterr().err == said


STORAGE = """
class Storage:  # as much of torch's as is looked at: another object, whenever a tensor is taken apart
    device, dtype = "cpu", "u1"
    def __init__(self, memory): self.memory = memory
    def nbytes(self): return len(self.memory)
    def data_ptr(self): return id(self.memory)
    def __reduce__(self): return Storage, (bytearray(self.memory),)
Storage.__module__ = "torch.storage"
"""
TENSORS = """
import sys
Storage = sys.modules["torch.storage"].Storage
class Tensor:
    def __init__(self, storage, at): self.memory, self.at = storage.memory, at
    def __reduce__(self): return Tensor, (Storage(self.memory), self.at)
memory = bytearray(b"0123")
a, b, c = Tensor(Storage(memory), 0), [Tensor(Storage(memory), 2)], Tensor(Storage(bytearray(b"9")), 0)
"""


def test_tensors_of_one_storage_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = types.ModuleType("torch.storage")
    exec(STORAGE, vars(storage))
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    monkeypatch.setitem(sys.modules, "torch.storage", storage)
    files = kept(tmp_path, main(TENSORS))
    here, arrived = main(TENSORS), Arrived()
    for name, data in files.items():
        here[name] = load_result(data, here, Definitions(PROGRAM), name, arrived)
    assert here["a"].memory is here["b"][0].memory is not here["c"].memory
    assert (here["b"][0].at, here["a"].memory, here["c"].memory) == (2, b"0123", b"9")
