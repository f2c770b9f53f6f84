"""Large values travel uncopied, arrive as they were, and are compared by content."""

from __future__ import annotations

import io
import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kube_magics.artifacts.pieces import PIECE_BYTES, Digest
from kube_magics.cells.values.data import ALIGNMENT_BYTES, Data
from kube_magics.cells.values.digests import content, digest
from kube_magics.runner.unpickler import Unpickler
from tests.cells.book import Book

LARGE = "import numpy as np\nX = np.arange(400_000.0)\ny = np.ones((3, 500_000), dtype='f4').T\nsmall = np.arange(5)\n"


def test_large_arrays_are_not_copied() -> None:
    book = Book(LARGE)
    book.capture("small.sum()")  # a process looks up once which packages there are
    tracemalloc.start()
    try:
        captured = book.capture("X.sum() + small.sum()")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (buffer,) = captured.data.buffers
    assert buffer.obj is book.namespace["X"]
    assert sum(map(len, captured.data.pickles)) < 2000
    assert peak_bytes < book.namespace["X"].nbytes / 2
    assert captured.data.size_bytes >= book.namespace["X"].nbytes


def test_they_arrive_as_they_were() -> None:
    book = Book(LARGE + "both = {'X': X, 'again': X}\nfixed = np.arange(300_000.0)\nfixed.flags.writeable = False")
    job = book.job(
        "X[0] = 7\nsame = both['X'] is X and both['again'] is X\nsums = X[:3].tolist(), y.sum(), fixed.sum()\n"
        "flags = X.flags.writeable, fixed.flags.writeable, X.flags.aligned, y.flags.f_contiguous"
    )
    assert job["same"]
    assert job["sums"] == ([7.0, 1.0, 2.0], 1_500_000, 44999850000.0)
    assert job["flags"] == (True, False, True, True)
    assert book.namespace["X"][0] == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a job its file stays open
def test_the_file(tmp_path: Path) -> None:
    arrays = [np.arange(200_000.0), np.arange(300_001, dtype="i1").repeat(5)]
    buffers: list[memoryview] = []
    pickles = [pickle.dumps(a, 5, buffer_callback=lambda buffer: buffers.append(buffer.raw())) for a in arrays]
    data = Data(tuple(pickles), tuple(buffers))
    joined = data.joined()
    assert len(joined) == data.size_bytes
    assert all(at % ALIGNMENT_BYTES == 0 for at, _ in data.places())
    for at, size, found in data.parts():
        digest_here = Digest()
        for start in range(at, at + size, 100_000):
            digest_here.update(joined[start : min(start + 100_000, at + size)])
        assert digest_here.hexdigest() == found
    (tmp_path / "data.pkl").write_bytes(joined)
    index = data.index()
    assert index
    (tmp_path / "data.json").write_bytes(index)
    unpickler = Unpickler(str(tmp_path / "data.pkl"), {})
    for array in arrays:
        np.testing.assert_array_equal(unpickler.load(), array)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_both_sides_digest_alike_however_it_is_cut(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    there = Digest()
    for at in range(0, size, 1_000_003):
        there.update(data[at : min(size, at + 1_000_003)])
    assert there.digest() == content([data[:size]]) == content([data[: size // 3], data[size // 3 : size]])


def test_equal_arrays_have_equal_digests_in_any_order() -> None:
    a = np.arange(2_000_000.0).reshape(1000, 2000)
    same = [a, np.asfortranarray(a), np.repeat(a, 2, axis=0)[::2]]
    assert len({digest(array) for array in same}) == 1
    other: list[Any] = [a.astype("f4"), a.reshape(2000, 1000), -a, a.astype(">f8"), a.astype("c16")]
    assert len({digest(array) for array in [a, *other]}) == 6
    assert digest(np.array([["x", object()]])) is None
    assert digest(b"x" * 9_000_000) != digest(bytearray(b"x" * 9_000_000))


def test_what_was_taken_back_is_not_in_the_file() -> None:
    book = Book(LARGE + "class Box:\n    def __init__(self, *items):\n        self.items = items\nbox = Box(X, y, X)\n")
    job = book.job("total = box.items[0].sum() + box.items[1].sum(), box.items[0] is box.items[2]")
    assert job["total"] == (79999800000.0 + 1_500_000, True)
    assert len(job.capture.data.buffers) == 2


def test_without_large_buffers_there_is_no_index() -> None:
    captured = Book("a = [1, 2]").capture("a")
    assert captured.data.index() is None
    assert pickle.load(io.BytesIO(captured.data.joined())) == [1, 2]
    (place,) = json.loads(Book(LARGE).capture("X").data.index() or "")["buffers"]
    assert place[1] == 3_200_000


def test_digests_of_containers() -> None:
    rows: list[Any] = [{"b": 1, "a": {3, "x", None}}, (1, 2.5, "}"), [b"x", True], frozenset("ab")]
    same: list[Any] = [{"a": {None, "x", 3}, "b": 1}, (1, 2.5, "}"), [b"x", True], frozenset("ba")]
    assert digest(rows) == digest(same) is not None
    assert digest([rows[1], rows[1]]) == digest([rows[1], (1, 2.5, "}")]), "one object twice, or two equal ones"
    values: list[Any] = [rows, rows[:3], [1], (1,), [True], [1.0], ["1"], [b"1"], {1}, {1: None}, frozenset([1])]
    values += [{"a": 1}, [("a", 1)], str, range(3), [], {}, {2: 1}, {1: 2}, {(1, 2): "x"}, {(2, 1): "x"}]
    assert len({digest(value) for value in values}) == len(values)
    assert None not in [digest(value) for value in values]


def test_what_has_no_digest() -> None:
    loop: list[Any] = []
    loop.append(loop)
    knot: dict[str, Any] = {}
    knot["self"] = knot
    for value in (loop, knot, object(), [print], {"a": len}, {object()}, Book):
        assert digest(value) is None
