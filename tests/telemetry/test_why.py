"""What is answered where nothing is wrong, or nothing is known: a wrong explanation is worse than none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kube_magics.telemetry.snapshot import GONE, Snapshot, of_job
from kube_magics.telemetry.why import CAUSE, UNKNOWN, WELL, Why, why
from tests.telemetry.test_causes import CUDA, event, unplaced
from tests.telemetry.test_snapshot import a_job, a_pod, conditions, ended, failed_create

NOW = 1795467660.0  # 21:01:00, a minute after the job was made
RUNS = {"running": {"startedAt": "2026-11-23T21:00:02Z"}}
MAKING = {"waiting": {"reason": "ContainerCreating"}}


def answer(
    job: dict[str, Any] | None = None,
    pods: list[dict[str, Any]] | None = None,
    events: list[dict[str, Any]] | None = None,
    now: float = NOW,
    lines: tuple[str, ...] = (),
) -> Why:
    state = of_job(job or a_job(), pods or [], events or [], lines=lines)
    return why(state, events or [], now)


def test_it_runs() -> None:
    assert answer(pods=[a_pod(RUNS, phase="Running")]) == Why(
        WELL, "Nothing is wrong: it runs since 2026-11-23 21:00:02 UTC (58 s) on node-1."
    )


def test_it_runs_after_its_volume_took_two_tries() -> None:
    events = [
        event("FailedMount", "timed out"),
        event("Pulled", "present", "21:00:07"),
        event("Started", "", "21:00:08"),
    ]
    assert answer(pods=[a_pod(RUNS, phase="Running")], events=events).verdict == WELL


def test_it_downloads_its_image_after_its_volume_took_two_tries() -> None:
    events = [event("FailedMount", "timed out"), event("Pulling", 'Pulling image "team/torch:1"', "21:00:30")]
    found = answer(pods=[a_pod(MAKING)], events=events)
    assert (found.verdict, found.kind) == (WELL, None)
    assert found.sentence.startswith("Nothing is wrong so far: its node downloads the image on node-1 since ")


def test_an_older_pods_volume_is_not_this_ones() -> None:
    events = [event("FailedMount", "timed out", uid="another"), event("Scheduled", "assigned", "21:00:06")]
    assert answer(pods=[a_pod(MAKING)], events=events).sentence.startswith(
        "Nothing is wrong so far: its node prepares it"
    )


def test_it_was_made_a_moment_ago() -> None:
    found = answer(now=NOW - 57)
    assert (found.verdict, found.sentence) == (WELL, "Nothing is wrong so far: it was made 3.0 s ago.")


def test_it_has_succeeded_after_a_refusal() -> None:
    job = a_job({**conditions(("Complete", "True")), "startTime": "2026-11-23T21:00:00Z"})
    found = answer(job, [ended(0, "Completed")], [failed_create("exceeded quota: q")])
    assert (found.verdict, found.sentence) == (WELL, "Nothing is wrong: it has succeeded, after 10 s.")


def test_it_has_succeeded_at_the_second_attempt() -> None:
    job = a_job({**conditions(("Complete", "True")), "failed": 1}, backoffLimit=2)
    first, second = ended(1), ended(0, "Completed")
    second["metadata"] |= {"uid": "second", "creationTimestamp": "2026-11-23T21:05:00Z"}
    assert answer(job, [first, second]).verdict == WELL


def test_it_got_its_pod_after_a_refusal_and_the_pod_is_gone() -> None:
    """The quota of a minute ago is not why."""
    created = {"reason": "SuccessfulCreate", "message": "Created pod: x", "lastTimestamp": "2026-11-23T21:00:30Z"}
    job = a_job(conditions(("Failed", "True"), reason="BackoffLimitExceeded"))
    found = answer(job, [], [failed_create("exceeded quota: q"), created])
    assert (found.verdict, found.kind) == (CAUSE, "failed")


def test_no_pod_and_no_word() -> None:
    found = answer()
    assert (found.verdict, found.kind, found.said) == (UNKNOWN, None, None)
    assert found.sentence == "It is pending, and why is not known: it has no pod, and the cluster names no reason."
    assert found.fix == "%kube events digits-x7k2p, %kube describe digits-x7k2p"


def test_what_to_type_has_the_name_of_the_job_and_leaves_that_of_a_variable() -> None:
    assert answer(pods=[ended(1)]).fix == "%kube logs digits-x7k2p"
    found = answer(pods=[ended(1)], lines=("Last error:", "Bootstrap : no socket interface found"))
    assert str(found.fix).endswith("--env NCCL_SOCKET_IFNAME=eth0")


def test_no_scheduler() -> None:
    pod = a_pod()
    del pod["spec"]["nodeName"]
    assert answer(pods=[pod]).sentence.endswith("its pod has no node, and the scheduler has said nothing of it.")


def test_no_word_of_a_pod_on_its_node_but_what_was_seen() -> None:
    events = [event("DNSConfigForming", "Nameserver limits were exceeded")]
    found = answer(pods=[a_pod(MAKING)], events=events)
    assert found.verdict == UNKNOWN
    assert found.seen == (
        "2026-11-23T21:00:05Z pod/digits-x7k2p-abcde DNSConfigForming: Nameserver limits were exceeded",
    )


def test_the_schedulers_new_words_are_quoted() -> None:
    said = "0/2 nodes are available: 1 node(s) had a quantum state, 1 node(s) were unschedulable."
    found = answer(pods=[unplaced(said)])
    assert (found.verdict, found.sentence, found.said) == (CAUSE, "No node fits the job.", said)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        # A module, a GPU, a disk that are only mentioned; and the last exception is another one.
        (("warning: No module named 'apex', using the slow one", "ValueError: bad loss"), "ValueError: bad loss"),
        ((CUDA, "retrying with half the batch", "ValueError: bad loss"), "ValueError: bad loss"),
        (("WARNING: cannot cache: No space left on device", "done", "exit 1"), "exit 1"),
        # Triton's is of the GPU's own shared memory: no --shm helps.
        (
            ("triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 180224",),
            "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 180224",
        ),
        # A server's, of its own tables.
        (("psycopg2.errors.OutOfMemory: out of shared memory",), "psycopg2.errors.OutOfMemory: out of shared memory"),
        # Not a disk's.
        (
            ("OSError: [Errno 28] inotify watch limit reached: No space left on device",),
            "OSError: [Errno 28] inotify watch limit reached: No space left on device",
        ),
        # Any folder may be closed to somebody.
        (("PermissionError: [Errno 13] Permission denied: '/data/x'",), "PermissionError: [Errno 13] Permission denied: '/data/x'"),
        (("", "   "), None),
        ((), None),
    ],
)  # fmt: skip
def test_a_programs_last_words_are_not_over_read(lines: tuple[str, ...], said: str | None) -> None:
    found = answer(pods=[ended(1)], lines=lines)
    assert (found.kind, found.sentence, found.said) == ("exit", "The container ended with exit code 1.", said)
    assert found.fix == "%kube logs digits-x7k2p"


def test_a_job_of_this_machine_is_told_by_its_last_word() -> None:
    """It has no pod, no events and no cause but that."""
    end = {"e": "end", "code": 1, "reason": "failed", "error": "ModuleNotFoundError: No module named 'cv2'"}
    found = why(Snapshot("digits", "local", "failed", end=end), [], NOW)
    assert (found.kind, found.fix) == (
        "module",
        '--pip "opencv-python-headless"   (or an --image that has it; on this machine: %pip install opencv-python-headless)',
    )
    oom = {"e": "end", "code": 137, "reason": "oom", "signal": 9, "peak_memory_bytes": 1 << 30}
    found = why(Snapshot("digits", "local", "failed", end=oom), [], NOW)
    assert (found.kind, found.said) == ("oom", "peak memory 1.1 GB")


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("install", "Its packages could not be installed."),
        ("fetch", "It cannot use its --artifacts."),
        ("x", "exit code 125"),
    ],
)
def test_what_ended_before_the_program_began(reason: str, sentence: str) -> None:
    end = json.dumps({"e": "end", "code": 125, "reason": reason, "error": "InstallError: no network"})
    found = answer(pods=[ended(125, message=end)])
    assert sentence in found.sentence
    assert found.said == "InstallError: no network"


def test_a_deleted_job() -> None:
    found = why(of_job(None, [], name="x", namespace="team"), [], NOW)
    assert (found.verdict, found.kind, found.fix) == (CAUSE, "deleted", "run the cell again")
    assert why(Snapshot("x", "team", GONE), [], NOW).verdict == UNKNOWN


@pytest.mark.parametrize(
    "message", [json.dumps({"e": "end", "reason": ["x"], "code": "y", "signal": {}}), "\x1e{", "[]"]
)
def test_a_broken_last_word(message: str) -> None:
    assert answer(pods=[ended(1, message=message)]).kind == "exit"


def test_a_killed_runners_last_lines_are_not_why() -> None:
    """Its pod's status has the end of the log, with the runner's events."""
    message = 'epoch 3\n\x1e{"e": "mark", "lines": 3}'
    assert (answer(pods=[ended(137, message=message)]).said, answer(pods=[ended(3, message=message)]).said) == (
        None,
        "epoch 3",
    )
