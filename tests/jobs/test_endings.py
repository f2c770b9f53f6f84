"""From what was heard of a job to the error that its user sees."""

from __future__ import annotations

from typing import Any

import pytest

from kube_magics import errors
from kube_magics.jobs.endings import cause_note, crowd_note, error_of, memory_note
from kube_magics.jobs.follow import Outcome
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.causes.program import WANT_OF_MEMORY
from kube_magics.telemetry.snapshot import FAILED, GONE, PENDING, RUNNING, SUCCEEDED, Snapshot

OOM = Cause("oom", "The container was killed at its memory limit.", "OOMKilled", "a larger --memory")
DELETED = Cause("deleted", "The job was deleted.", fix="run the cell again")
KILLED = Cause(
    "signal", "The container was killed by signal 9.", "Error", "%kube logs NAME" + WANT_OF_MEMORY, exit_code=137
)


def ended(cause: Cause | None = None, **end: Any) -> BaseException | None:
    state = Snapshot("digits", "team", FAILED, cause, started=True, terminated=True, ours=True)
    return error_of("digits", Outcome(end=end or None, snapshot=state), None)


@pytest.mark.parametrize(
    ("cause", "end"),
    [
        (None, {"reason": "oom", "signal": 9, "code": 137, "peak_memory_bytes": 30 << 20}),
        # The kernel has not told the runner, and the node knows.
        (OOM, {"reason": "signal", "signal": 9, "code": 137}),
        (OOM, {}),
    ],
)
def test_killed_at_the_memory_limit(cause: Cause | None, end: dict[str, Any]) -> None:
    error = ended(cause, **end)
    assert type(error) is errors.JobOutOfMemory
    assert "--memory" in str(error.hint)


@pytest.mark.parametrize(
    ("cause", "end"),
    [(None, {"reason": "signal", "signal": 9, "code": 137}), (KILLED, {"reason": "signal", "signal": 9}), (KILLED, {})],
)
def test_killed_by_whom_nobody_knows(cause: Cause | None, end: dict[str, Any]) -> None:
    error = ended(cause, **end)
    assert type(error) is errors.JobKilled
    assert error.signal == 9
    assert "%kube logs digits" in str(error.hint)
    assert "--memory" in str(error.hint)


def test_a_crash_is_none_for_want_of_memory() -> None:
    error = ended(OOM, reason="signal", signal=11, code=139)
    assert type(error) is errors.JobKilled
    assert "faulthandler" in str(error.hint)
    assert "endless recursion" in str(error.hint)
    assert "--memory" not in str(error.hint)


@pytest.mark.parametrize(
    ("end", "note"),
    [
        (None, None),
        ({}, None),
        ({"oom_kills": 0}, None),
        ({"oom_kills": 1}, "1 process was killed for want of memory"),
        ({"oom_kills": 3}, "3 processes were killed for want of memory"),
    ],
)
def test_workers_that_were_killed_are_counted(end: dict[str, Any] | None, note: str | None) -> None:
    found = memory_note(end)
    assert found is None if note is None else str(found).startswith(note)


def test_a_job_that_failed_without_its_workers_says_so() -> None:
    error = ended(None, reason="failed", code=1, signal=None, oom_kills=2)
    assert type(error) is errors.JobFailed
    assert "2 processes were killed for want of memory" in str(error.said)


@pytest.mark.parametrize(
    ("reason", "kind"), [("start", errors.JobNotStarted), ("bundle", errors.JobNotStarted), ("runner", errors.PodLost)]
)
def test_a_runner_that_fails_later_is_no_job_that_did_not_start(reason: str, kind: type[errors.JobError]) -> None:
    assert type(ended(None, reason=reason, code=70, signal=None)) is kind


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (Snapshot("digits", "local", FAILED, DELETED), "was deleted"),
        (Snapshot("digits", "local", RUNNING, DELETED), "was deleted"),
        (Snapshot("digits", "team", GONE, DELETED), "was deleted"),
        (Snapshot("digits", "team", RUNNING, DELETED, pod="digits-a"), "lost its pod"),
        (Snapshot("digits", "team", PENDING), "lost its pod"),
        (Snapshot("digits", "team", FAILED, DELETED, pod="digits-a"), "lost its pod"),
    ],
)
def test_what_was_deleted_under_a_job(state: Snapshot, told: str) -> None:
    error = error_of("digits", Outcome(end={"reason": "stopped", "code": 143, "signal": 15}, snapshot=state), None)
    assert type(error) is errors.JobDeleted
    assert told in error.message


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"type": "RuntimeError", "message": "can't start new thread", "frames": []}, True),
        ({"type": "BlockingIOError", "message": "[Errno 11]", "frames": [{"name": "f", "text": "os.fork()"}]}, True),
        ({"type": "BlockingIOError", "message": "[Errno 11]", "frames": [{"name": "f", "text": "s.recv(1)"}]}, False),
        ({"type": "BlockingIOError", "message": "[Errno 11]"}, False),
        ({"type": "RuntimeError", "message": "no", "frames": [{"name": "fork", "text": "os.fork()"}]}, False),
        (None, False),
    ],
)
def test_too_many_processes_are_told_by_their_own_errors_alone(event: dict[str, Any] | None, told: bool) -> None:
    assert (crowd_note(event) is not None) == told


@pytest.mark.parametrize(("number", "name"), [(5, "TRAP"), (13, "PIPE"), (24, "XCPU"), (31, "SYS"), (40, "40")])
def test_signals_have_linux_names(number: int, name: str) -> None:
    assert f"by signal {name}." in str(ended(None, reason="signal", signal=number, code=128 + number))


def test_what_was_stopped_for_its_node_says_what_its_node_says() -> None:
    cause = Cause("evicted", "It wrote more than it may.", "exceeds the limit", "a --volume")
    error = ended(cause, reason="stopped", code=143, signal=15)
    assert type(error) is errors.PodLost
    assert (error.said, "a --volume" in str(error.hint), "%kube logs digits" in str(error.hint)) == (
        "exceeds the limit",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("state", "told"),
    [
        # Nothing says that they never ran.
        (Snapshot("digits", "team", FAILED, Cause("failed", "Its pod is gone.")), "Its pod is gone"),
        (Snapshot("digits", "team", SUCCEEDED, ours=True), "has succeeded; its pod is gone"),
    ],
)
def test_a_job_that_has_outlived_its_pod(state: Snapshot, told: str) -> None:
    error = error_of("digits", Outcome(snapshot=state), None)
    assert type(error) is errors.PodLost
    assert told in error.message


def test_stopped_by_whoever_asked_for_it() -> None:
    assert type(ended(None, reason="stopped", code=143, signal=15)) is errors.JobStopped


@pytest.mark.parametrize(
    ("kind", "message", "note"),
    [
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 22.00 MiB.", "the GPU had not enough memory for it: a smaller batch"),
        ("ModuleNotFoundError", "No module named 'sklearn'", 'it imports sklearn, which is not installed there: --pip "scikit-learn"'),
        ("OSError", "[Errno 28] No space left on device: '/data/x'\nand more", "a disk that it writes to is full: write less"),
        ("ResourceExhaustedError", "Graph execution error:\n\nOOM when allocating tensor with shape[9] on /device:GPU:0", "the GPU had not enough memory"),
        ("DistBackendError", "NCCL error, invalid usage\nLast error:\nBootstrap : no socket interface found", "NCCL found none of the network interfaces"),
        ("ValueError", "no such thing\nOSError: [Errno 28] No space left on device", None),
        ("ValueError", "", None),
        (None, None, None),
    ],
)  # fmt: skip
def test_an_exception_whose_words_have_a_known_cause(kind: str | None, message: str | None, note: str | None) -> None:
    found = cause_note({"type": kind, "message": message})
    assert found is None if note is None else str(found).startswith(note)
