"""Generated notebooks: a cell run as a job does what it does here, or is refused."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, assume, given, settings

from kube_magics.errors import CaptureError
from tests.cells.book import Book, Ran
from tests.cells.programs import NAMES, helpers, notebook_cells, plain, programs


@contextmanager
def helped() -> Iterator[list[str]]:
    """The programs' helpers as builtins, and what they logged."""
    seen: list[str] = []
    found = helpers(seen)
    vars(builtins).update(found)
    try:
        yield seen
    finally:
        for name in found:
            delattr(builtins, name)


def attempt(book: Book, cell: str, *returns: str) -> Ran | None:
    try:
        return book.job(cell, *returns)
    except CaptureError:
        return None


def outline(error: BaseException | None) -> tuple[str, str]:
    """Type and message, without addresses."""
    return type(error).__name__, re.sub(r"0x[0-9a-f]+", "…", str(error))


def job_does_what_the_cell_does(before: list[str], cell: str) -> None:
    book = Book("; ".join(f"{name} = {number}" for number, name in enumerate(NAMES)))
    for each in before:
        book.run(each)
    with helped() as there:
        job = attempt(book, cell, *(name for name in NAMES if name in book.namespace))
    assume(job is not None and not job.capture.left_out)
    assert job is not None
    with helped() as here:
        error: BaseException | None = None
        try:
            book.run(cell)
        except Exception as caught:  # noqa: BLE001 - the program's own end is part of what is compared
            error = caught
    assert there == here
    assert outline(job.error) == outline(error)
    if error is None:
        assert {name: plain(job.names.get(name)) for name in NAMES} == {
            name: plain(book.namespace.get(name)) for name in NAMES
        }


@settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(notebook_cells, programs)
def test_a_job_does_what_its_cell_does_here(before: list[str], cell: str) -> None:
    job_does_what_the_cell_does(before, cell)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(notebook_cells, programs)
def test_many_jobs_do_what_their_cells_do_here(before: list[str], cell: str) -> None:
    job_does_what_the_cell_does(before, cell)
