"""What proves that a job is this user's own, and that a cell is another, edited."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kube_magics.cells.notebook import Sent
from kube_magics.jobs import records
from kube_magics.jobs.records import Record
from kube_magics.telemetry.snapshot import Snapshot
from tests.jobs.local import backend_in, prepared


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path))


RECORD = Record("s1", "digits", "https://lab team", "key", "a.ipynb", sent_at=1000.0, uid="u1", arrived=True)
STATE = Snapshot("digits", "team", "running", ours=True, uid="u1", submission_id="s1", created_at=1001.0)


def test_the_uid_decides() -> None:
    assert records.is_of(RECORD, STATE)
    assert not records.is_of(RECORD, replace(STATE, uid="u2")), "made anew with the same marks"
    assert not records.is_of(RECORD, replace(STATE, submission_id="s2"))
    assert not records.is_of(RECORD, replace(STATE, name="other"))


@pytest.mark.parametrize(
    ("created_at", "own"),
    [(1001.0, True), (990.0, True), (1150.0, True), (2000.0, False), (900.0, False), (None, False)],
)
def test_without_a_uid_it_is_found_by_its_id_and_the_moment_decides_about_its_values(
    created_at: float | None, own: bool
) -> None:
    record, state = replace(RECORD, uid=None), replace(STATE, created_at=created_at)
    assert records.is_of(record, state), "a clock that is wrong must not make a second job of one cell"
    records.arrived(record, None)
    assert records.is_own(state) is own


def test_what_has_been_fetched_is_known_and_not_open() -> None:
    records.arrived(RECORD, "u1")
    assert [each.submission_id for each in records.opened("a.ipynb")] == ["s1"]
    assert records.opened("b.ipynb") == []
    records.close("s1")
    assert records.opened("a.ipynb") == records.opened() == []
    assert records.find("s1") == RECORD
    assert records.is_own(STATE)
    assert records.find("s2") is None


def test_of_many_the_kernels_are_known_from_one_look(tmp_path: Path) -> None:
    backend = backend_in(tmp_path)
    submission = prepared(backend, "1").submission
    for number in range(4):
        records.begin(replace(submission, submission_id=f"s{number}", notebook=f"{number % 2}.ipynb"), backend)
    records.close("s1")
    known = records.files()
    assert {each: records.kernel_of(each, known) for each in known} == dict.fromkeys(("s0", "s1", "s2", "s3"), "this")
    assert records.kernel_of("s1") == "this"
    assert records.kernel_of("s9", known) is records.kernel_of(None, known) is records.kernel_of(None) is None


@pytest.mark.parametrize(
    ("other", "looked_at", "yields"),
    [
        ({"sent_at": 999.0}, 998.0, True),
        ({"sent_at": 999.0}, 999.5, False),
        ({"sent_at": 1001.0}, 998.0, False),
        ({"sent_at": 1000.0, "submission_id": "s0"}, 998.0, True),
        ({"sent_at": 1000.0, "submission_id": "s2"}, 998.0, False),
        ({"sent_at": 999.0, "key": "another"}, 998.0, False),
        ({"sent_at": 999.0, "address": "elsewhere"}, 998.0, False),
    ],
    ids=["earlier", "known before", "later", "as early", "as early and second", "another cell", "elsewhere"],
)
def test_of_two_kernels_that_submit_a_cell_at_once_the_second_yields(
    other: dict[str, Any], looked_at: float, yields: bool
) -> None:
    """Whichever looks, both agree."""
    theirs = replace(RECORD, **{"submission_id": "other", **other})
    for record in (RECORD, theirs):
        records.arrived(record, None)
    assert records.forestalled(RECORD, looked_at) is yields
    if yields:
        assert not records.forestalled(theirs, looked_at)


def test_a_damaged_record_is_none() -> None:
    records.arrived(RECORD, "u1")
    RECORD.path.write_text('{"submission_id": "s1"}')
    assert records.opened() == []


def test_what_is_old_is_removed() -> None:
    for name in ("s1", "s2"):
        records.arrived(replace(RECORD, submission_id=name), "u1")
    old = time.time() - records.KEPT_S - 10
    os.utime(RECORD.path, (old, old))
    records.sweep()
    assert [each.submission_id for each in records.opened()] == ["s2"]


@pytest.mark.parametrize(
    ("text", "cell", "same"),
    [
        ("a\nb\nc\nd", None, True),
        ("a\nb\nc\nx\n", None, True),
        ("  a\n\nb", None, True),
        ("a\nx\ny\nz", None, False),
        ("", None, False),
        ("x", "id-1", True),
        ("a\nb\nc\nd", "id-2", False),
    ],
)
def test_a_cell_that_was_edited_is_known_again(text: str, cell: str | None, same: bool) -> None:
    """By the front end's id where there is one; else by half of its lines."""
    record = replace(RECORD, cell="id-1" if cell else None, lines=Sent("a\nb\nc\nd").lines)
    assert records.was(record, Sent(text, cell)) is same
