"""Values come back as the notebook's own: its classes, or those of the job's cell."""

from __future__ import annotations

import pickle
import sys
import types
from dataclasses import replace
from typing import Any

import pytest

from kube_magics.cells.capture import Capture
from kube_magics.cells.definitions.jobcode import Definitions
from kube_magics.cells.results import Arrived, load_result
from kube_magics.errors import ResultError
from tests.cells.book import Book, Ran

CELL = """
import math
from json import dumps as to_text
FACTOR = 2
def area(r):
    return math.pi * r
class Shape:
    kind = "shape"
class Circle(Shape):
    def __init__(self, r):
        self.r = r
    def area(self):
        return area(self.r)
class Broken:
    factor = FACTOR
def maker():
    class Hidden: pass
    return Hidden
circle = Circle(3)
broken = Broken()
"""


def returned(book: Book, job: Ran, value: object) -> object:
    """Pickles in the job, loads in the notebook."""
    here = sys.modules["__main__"]
    main = type(sys)("__main__")
    main.__dict__.update(job.names)
    sys.modules["__main__"] = main
    try:
        data = pickle.dumps(value, 5)
    finally:
        sys.modules["__main__"] = here
    return load_result(data, book.namespace, job.capture.definitions("<this cell>"))


def test_a_class_of_the_jobs_cell_comes_along_with_what_it_needs() -> None:
    book = Book()
    job = book.job(CELL, "circle")
    circle: Any = returned(book, job, job["circle"])
    assert type(circle) is book.namespace["Circle"]
    assert circle.area() == pytest.approx(9.42, abs=0.01)
    assert {"Circle", "Shape", "area", "math"} <= book.namespace.keys()
    assert not {"FACTOR", "maker", "to_text"} & book.namespace.keys()
    assert type(circle).area.__code__.co_filename == "<this cell>"
    assert type(circle).area.__code__.co_firstlineno == 13
    assert pickle.loads(pickle.dumps(circle)).r == 3
    again: Any = returned(book, job, job["circle"])
    assert type(again) is type(circle)


def test_what_came_back_travels_again() -> None:
    book = Book()
    job = book.job(CELL, "circle")
    book.namespace["circle"] = returned(book, job, job["circle"])
    second = book.job("y = circle.area()")
    assert second["y"] == book.namespace["circle"].area()
    assert "<In [1]>" in second.capture.program["cells"]


def test_a_newer_job_may_replace_what_an_older_one_brought() -> None:
    book = Book()
    first = book.job(CELL, "circle")
    old: Any = returned(book, first, first["circle"])
    second = book.job(CELL.replace("return area(self.r)", "return 2 * area(self.r)"), "circle")
    new: Any = returned(book, second, second["circle"])
    assert type(new) is book.namespace["Circle"]
    assert type(new) is not type(old)


def test_the_notebooks_own_class_is_used_if_it_has_the_same_source() -> None:
    book = Book(CELL)
    job = book.job("model = Circle(5)", "model")
    assert type(returned(book, job, job["model"])) is book.namespace["Circle"]
    job = book.job(CELL, "circle")
    assert type(returned(book, job, job["circle"])) is book.namespace["Circle"]


def test_another_definition_is_an_error_and_changes_nothing() -> None:
    book = Book(CELL)
    job = book.job("model = Circle(5)", "model")
    book.run("class Circle:\n    def area(self): return 1")
    before = dict(book.namespace)
    with pytest.raises(ResultError, match="this notebook's Circle is another one") as caught:
        returned(book, job, job["model"])
    assert "del Circle" in (caught.value.hint or "")
    assert book.namespace == before


def test_a_class_that_the_notebook_has_patched_is_the_notebooks_own() -> None:
    book = Book(CELL, "Circle.area = lambda self: 0\nCircle.unit = 'm'")
    job = book.job("model = Circle(5)\nshown = model.area(), model.unit", "model")
    assert job["shown"] == (0, "m")
    assert type(returned(book, job, job["model"])) is book.namespace["Circle"]
    book.run("Circle.__init__ = lambda self: None")
    with pytest.raises(ResultError, match="this notebook's Circle is another one"):
        returned(book, job, job["model"])
    book.run("del Circle")
    with pytest.raises(ResultError, match="changed after its statement"):
        returned(book, job, job["model"])


def test_a_class_that_needs_what_only_the_job_computed() -> None:
    book = Book()
    job = book.job(CELL, "broken")
    before = dict(book.namespace)
    with pytest.raises(ResultError, match="Broken, whose statement uses FACTOR, and only the job computed that"):
        returned(book, job, job["broken"])
    assert book.namespace == before


def test_a_function_comes_back_too() -> None:
    book = Book()
    job = book.job(CELL)
    area: Any = returned(book, job, [job["area"], job["math"].sqrt])
    assert area[0] is book.namespace["area"]
    assert area[1](4) == 2


def test_an_exception_of_the_cell_is_the_notebooks_own() -> None:
    book = Book("class MyError(Exception):\n    pass")
    job = book.job("def f(): raise MyError('no')\nf()")
    error = returned(book, job, job.error)
    assert isinstance(error, book.namespace["MyError"])


def test_a_class_with_future_annotations() -> None:
    book = Book()
    job = book.job("from __future__ import annotations\nclass A:\n    x: Missing = 1\na = A()")
    a: Any = returned(book, job, job["a"])
    assert type(a).__annotations__ == {"x": "Missing"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"cno_such_module_here\nA\n.", "needs the module no_such_module_here"),
        (b"c__main__\nNowhere\n.", "The value needs Nowhere, which neither"),
        (b"cjson\nno_such_name\n.", "cannot be unpickled here: AttributeError"),
        (b"garbage", "cannot be unpickled here"),
    ],
)
def test_what_cannot_be_loaded(data: bytes, message: str) -> None:
    book = Book()
    captured: Capture = book.capture("1")
    with pytest.raises(ResultError, match=message) as caught:
        load_result(data, book.namespace, captured.definitions(None))
    assert caught.value.hint


def test_what_cannot_be_loaded_names_the_versions_that_differ() -> None:
    import numpy

    definitions = replace(Book().capture("1").definitions(None), versions={"numpy": "1.26.4", "yaml": "0.1"})
    for data in (b"cnumpy\nno_such_name\n.", b"cnumpy._no_such_module\nname\n."):
        with pytest.raises(ResultError, match="cannot be unpickled here") as caught:
            load_result(data, {}, definitions)
        assert f"numpy is 1.26.4 in the job and {numpy.__version__} here" in (caught.value.said or "")
        assert "--image with the notebook's versions" in (caught.value.hint or "")


TORCH = """
import pickle
class Memory:  # as much of torch's storage as is looked at: it says itself how it is made again, and where
    def __init__(self, device): self.device = device
    def __reduce__(self): return _load_from_bytes, (pickle.dumps(self.device),)
def _load_from_bytes(data): raise RuntimeError("Attempting to deserialize object on a CUDA device")
def load(file, map_location, weights_only):
    device = pickle.load(file)
    return map_location(Memory("cpu"), device) or Memory(device)
class cuda:
    device_count = staticmethod(lambda: 1)
Memory.__module__ = _load_from_bytes.__module__ = "torch.storage"
"""


def test_memory_of_a_gpu_that_is_not_here_is_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = types.ModuleType("torch")
    exec(TORCH, vars(torch))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch.storage", torch)
    data = {"x": pickle.dumps([torch.Memory(device) for device in ("cpu", "cuda:0", "cuda:1", "cuda:7")])}
    data["y"] = pickle.dumps([torch.Memory("cuda:0")])
    arrived = Arrived()
    nothing: dict[str, Any] = {"cells": {}, "definitions": [], "statements": [], "returns": ["x", "y"]}
    found = {name: load_result(each, {}, Definitions(nothing), name, arrived) for name, each in data.items()}
    assert {name: [each.device for each in memory] for name, memory in found.items()} == {  # type: ignore[attr-defined]
        "x": ["cpu", "cuda:0", "cpu", "cpu"],
        "y": ["cuda:0"],
    }
    assert arrived.moved == {"x": {"cuda:1", "cuda:7"}}


LIBRARY = """
class CUDARuntimeError(RuntimeError): pass
def array(): raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
class A:
    def __reduce__(self): return array, ()
a = A()
"""


def test_another_library_without_its_gpu_says_what_to_return() -> None:
    book = Book()
    job = book.job(LIBRARY, "a")
    with pytest.raises(ResultError, match="CUDARuntimeError: cudaErrorNoDevice") as caught:
        returned(book, job, job["a"])
    assert "cupy.asnumpy(x)" in (caught.value.hint or "")
