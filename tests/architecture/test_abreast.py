"""How the tests are given out to several processes."""

from __future__ import annotations

from tests import abreast
from tests.architecture.sources import CHECKOUT


def test_what_stays_together() -> None:
    assert abreast.scope("tests/a/test_b.py::test_c[1]") == "tests/a/test_b.py"
    (there,) = abreast.BY_ITSELF
    assert (
        abreast.scope(f"{there}[1]") == abreast.scope(f"{there}[2]") != abreast.scope(f"{there.partition('::')[0]}::x")
    )
    apart = abreast.APART[0]
    assert abreast.scope(f"{apart}::test_a") != abreast.scope(f"{apart}::test_b")


def test_what_begins_first_is_there() -> None:
    for start in (*abreast.APART, *abreast.BY_ITSELF, *abreast.FIRST):
        path, _, function = start.partition("::")
        assert (CHECKOUT / path).exists(), start
        assert f"def {function}(" in (CHECKOUT / path).read_text() if function else True, start
