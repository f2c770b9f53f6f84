"""Any value of a notebook arrives in the job as it is, object by object, and comes back as it was sent."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings

from tests.cells.book import Book
from tests.cells.pictures import picture
from tests.cells.shapes import CLASSES, notebooks


def travels(before: list[str]) -> None:
    """One picture of v and of what it shares, here and in the job."""
    book = Book(CLASSES, *before)
    here = picture([book.namespace[name] for name in ("v", "s0", "s1")])
    job = book.job("found = [v, s0, s1]")
    assert picture(job["found"]) == here


SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(SETTINGS, derandomize=True)
@example(["s0 = [1]", "s1 = Node(s0, s0)", "v = {'k': [s1, s0, Color.RED], 'f': (lambda x, d=s0: x + K)}"])
@given(notebooks)
def test_a_value_arrives_as_it_is(before: list[str]) -> None:
    travels(before)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(SETTINGS, max_examples=3000)
@given(notebooks)
def test_many_values_arrive_as_they_are(before: list[str]) -> None:
    travels(before)
