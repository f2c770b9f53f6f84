"""One job followed at servers that answer wrongly: every line once, and nothing given up that would have gone on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kube_magics.backends.contract import Piece
from kube_magics.backends.following import LOST
from kube_magics.cluster.pieces import Gap
from kube_magics.telemetry.snapshot import Snapshot
from tests.api.kubelet import Fault
from tests.api.onejob import COMPLETE, FAILED, OneJob, a_job, a_pod, collected, followed

START_NS = 1_790_000_000 * 10**9
TERMINATED = {"terminated": {"exitCode": 0, "startedAt": "2026-11-26T03:00:00Z", "finishedAt": "2026-11-26T03:00:05Z"}}


def write(job: OneJob, first: int, end: int) -> None:
    for number in range(first, end):
        job.log.write(b"line %d" % number, START_NS + number)


def finish(job: OneJob) -> None:
    job.log.terminate()
    job.set("pods", a_pod(**TERMINATED))
    job.set("jobs", a_job(**COMPLETE))


def lines(pieces: list[Snapshot | Piece]) -> bytes:
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))


def gaps(pieces: list[Snapshot | Piece]) -> list[Gap]:
    return [piece for piece in pieces if isinstance(piece, Gap)]


def states(pieces: list[Snapshot | Piece]) -> list[Snapshot]:
    return [piece for piece in pieces if isinstance(piece, Snapshot)]


def seen(job_of: Callable[[], OneJob], **patience: int) -> tuple[OneJob, list[Snapshot | Piece]]:
    async def follow() -> tuple[OneJob, list[Snapshot | Piece]]:
        job = job_of()
        async with followed(job, **patience) as following:
            return job, await collected(following)

    return asyncio.run(follow())


@pytest.mark.parametrize("status", [401, 403, 404, 500])
@pytest.mark.parametrize("times", [1, 3])
def test_a_node_that_refuses_for_a_moment_in_the_middle_of_a_log(status: int, times: int) -> None:
    """As it does between the start of its server and its first look at its pods."""

    def job_of() -> OneJob:
        job = OneJob()
        write(job, 0, 3)

        def back() -> None:
            write(job, 3, 5)
            finish(job)

        refusals = [Fault("refuse", status=status) for _ in range(times)]
        job.log.faults.extend([Fault("cut", len(b"".join(job.log.lines[:2]))), *refusals])
        refusals[-1] = Fault("refuse", status=status, then=back)
        job.log.faults[-1] = refusals[-1]
        return job

    job, pieces = seen(job_of)
    assert lines(pieces) == job.log.text
    assert not gaps(pieces)
    assert states(pieces)[-1].phase == "succeeded"


def test_a_node_that_does_not_know_the_pod_of_an_ended_log_any_more() -> None:
    def job_of() -> OneJob:
        job = OneJob()
        write(job, 0, 3)
        size = len(b"".join(job.log.lines))
        job.log.faults.append(Fault("cut", size, then=lambda: finish(job)))
        job.log.faults.extend(Fault("refuse", status=404) for _ in range(100))
        return job

    job, pieces = seen(job_of, tries=3)
    assert lines(pieces) == job.log.text
    assert [gap.why for gap in gaps(pieces)] == [LOST]
    assert 0 < len(job.log.faults) < 99


def test_a_pod_that_goes_away_before_its_node_has_given_a_line() -> None:
    """Its node is dead: the pod is evicted from there, and the Job fails."""

    def job_of() -> OneJob:
        job = OneJob()

        def evicted() -> None:
            job.set("pods", None)
            job.set("jobs", a_job(**FAILED))

        job.log.faults.extend([Fault("refuse"), Fault("refuse", then=evicted)])
        job.log.faults.extend(Fault("refuse") for _ in range(100))
        return job

    _, pieces = seen(job_of)
    assert states(pieces)[-1].phase == "failed"
    assert states(pieces)[-1].pod == "one-abcde"
    assert not gaps(pieces)
