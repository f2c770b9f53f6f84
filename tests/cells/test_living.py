"""Generated notebooks with classes, closures, decorators, defaults, patches and shared values: a job sees them as they
are now, object by object, or is refused."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, assume, event, given, settings

from kube_magics.errors import CaptureError
from tests.cells.book import Book
from tests.cells.living import FIRST, cells, jobs
from tests.cells.pictures import outcome, picture
from tests.cells.programs import Fuel
from tests.cells.test_programs import outline


@contextmanager
def helped() -> Iterator[list[object]]:
    """`log`, `outcome` and `tick` as builtins, and what was logged."""
    seen: list[object] = []
    left = [200]

    def tick() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Fuel

    found = {"log": lambda value: seen.append(picture(value)), "outcome": outcome, "tick": tick}
    vars(builtins).update(found)
    try:
        yield seen
    finally:
        for name in found:
            delattr(builtins, name)


def job_sees_what_the_cell_sees(before: list[str], cell: str) -> None:
    with helped():
        try:
            book = Book(FIRST, *before)
        except Exception:  # noqa: BLE001 - a cell that fails here is no notebook
            assume(False)
    with helped() as there:
        try:
            job = book.job(cell)
        except CaptureError as error:
            event(f"refused: {error.message.partition(':')[2].strip()[:60]}")
            return
    with helped() as here:
        error: BaseException | None = None
        try:
            book.run(cell)
        except Exception as caught:  # noqa: BLE001 - the program's own end is part of what is compared
            error = caught
    assert outline(job.error) == outline(error)
    assert there == here


@settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cells, jobs)
def test_a_job_sees_the_notebook_as_it_is(before: list[str], cell: str) -> None:
    job_sees_what_the_cell_sees(before, cell)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells, jobs)
def test_many_jobs_see_the_notebook_as_it_is(before: list[str], cell: str) -> None:
    job_sees_what_the_cell_sees(before, cell)
