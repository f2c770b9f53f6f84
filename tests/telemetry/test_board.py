"""Rows and their deltas: whoever takes all deltas, or the whole at any time, has the same rows."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kube_magics.telemetry.board import Board, Delta, Doing, doing, identity, row
from kube_magics.telemetry.card import card
from kube_magics.telemetry.explain import Cause
from kube_magics.telemetry.heard import Heard
from kube_magics.telemetry.snapshot import FAILED, INCOMPLETE, PENDING, RUNNING, SUCCEEDED, Snapshot
from kube_magics.telemetry.usage import Device, Series, Usage

STATES = st.sampled_from([PENDING, RUNNING, SUCCEEDED, FAILED]) | st.none()
CHANGES = st.lists(st.dictionaries(st.sampled_from("abc"), STATES, max_size=3), max_size=12)


def job(name: str, phase: str = RUNNING, **more: object) -> Snapshot:
    return replace(Snapshot(name, "team", phase), **more)  # type: ignore[arg-type]


def taken(rows: dict[str, dict[str, object]], delta: Delta) -> dict[str, dict[str, object]]:
    """As a page takes it."""
    kept = {} if delta.since is None else rows
    fresh = {str(each["name"]): each for each in delta.rows}
    return {name: each for name, each in {**kept, **fresh}.items() if name not in delta.gone}


@given(CHANGES, st.integers(0, 12))
def test_deltas_and_the_whole_lead_to_the_same_rows(changes: list[dict[str, str | None]], late: int) -> None:
    board = Board()
    rows: dict[str, dict[str, object]] = {}
    version = 0
    for number, change in enumerate(changes):
        delta = board.take({name: phase and job(name, phase) for name, phase in change.items()})
        if number == late:
            rows, version = taken(rows, board.whole()), board.version
        elif delta is not None:
            assert (delta.since, delta.version) == (version, version + 1)
            rows, version = taken(rows, delta), delta.version
        assert rows == board.rows
        assert {each.name for each in board.newest_first()} == set(rows)


def test_what_changes_nothing_that_is_shown_is_no_news() -> None:
    board = Board()
    assert board.take({"a": job("a")}) is not None
    assert board.take({"a": job("a", pod="a-x7k2p"), "b": None}) is None
    assert board.newest_first()[0].pod == "a-x7k2p"
    assert board.version == 1


def test_a_row_says_why_a_job_waits_and_not_how_one_ended_well() -> None:
    cause = Cause("quota", "The quota is used up.", "exceeded quota: gpus")
    assert row(job("a", PENDING, cause=cause))["why"] == "The quota is used up. exceeded quota: gpus"
    assert row(job("a", RUNNING, cause=cause))["why"] == ""
    assert (row(job("a", RUNNING))["live"], row(job("a", FAILED))["live"]) == (True, False)
    assert row(job("a"))["gpus"] is None, "unknown is not none"


def test_what_is_heard_of_jobs_changes_their_rows_until_they_are_heard_no_more() -> None:
    board = Board()
    board.take({"a": job("a"), "b": job("b", PENDING, queued_at=1.0, scheduled=True)})
    heard = board.hear({"a": Doing("running", "4 %", 50.0, "▄"), "gone": Doing("running")})
    assert heard is not None
    assert [each["name"] for each in heard.rows] == ["a"]
    shown = board.rows["a"]
    assert (shown["progress"], shown["gpu_percent"], shown["gpu_curve"]) == ("4 %", 50.0, "▄")
    board.take({"a": job("a", node="n")})
    assert board.rows["a"]["progress"] == "4 %"
    assert board.hear({"a": Doing("running", "4 %", 50.0, "▄")}) is None
    board.hear({})
    assert board.rows["a"]["progress"] == ""
    assert board.rows["b"]["stage"] == "scheduled", "what the cluster knows without a runner"


def test_a_followed_job_is_at_its_stage_and_its_gpus_are_as_busy_as_all_together() -> None:
    devices = [Device(utilization_percent=Series((20.0, 40.0))), Device(utilization_percent=Series((60.0, None)))]
    found = card(job("a", queued_at=1.0, scheduled=True), Heard(usage=Usage(devices=tuple(devices))), 10.0)
    assert doing(found) == Doing("scheduled", "", 40.0, "▄▄")
    assert doing(card(job("a"), Heard(), 10.0)).gpu_percent is None, "unknown is not idle"


def test_a_row_says_what_keeps_its_job_from_being_run_again() -> None:
    assert row(job("a", SUCCEEDED, uid="u"))["no_rerun"] == ""
    assert "files never arrived" in row(job("a", INCOMPLETE, uid="u"))["no_rerun"]


def test_another_job_of_the_same_name_is_another_one() -> None:
    assert identity(job("a", uid="1")) != identity(job("a", uid="2"))
    assert identity(job("a", created_at=1.0)) != identity(job("a", created_at=2.0))


def test_whose_a_job_is_is_asked_by_its_submission() -> None:
    board = Board(mine=lambda submission: submission == "ours")
    board.take({"a": job("a", submission_id="ours"), "b": job("b", submission_id="theirs"), "c": job("c")})
    assert [name for name, each in board.rows.items() if each["mine"]] == ["a"]
