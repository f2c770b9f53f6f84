"""One job followed at servers that answer wrongly: every line once, and nothing given up that would have gone on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kube_magics import errors
from kube_magics.backends import following as following_module
from kube_magics.backends import happened, stopping
from kube_magics.backends.contract import Piece
from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.backends.podlog import LOST
from kube_magics.cluster.pieces import Attempt, Gap
from kube_magics.spec import names
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.telemetry.snapshot import Snapshot
from tests.api.kubelet import Fault, Log
from tests.api.onejob import COMPLETE, FAILED, NAME, OneJob, a_job, a_pod, collected, followed, running
from tests.api.servers import api

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


@pytest.mark.parametrize("status", [401, 403, 410, 429, 503])
def test_a_server_that_refuses_a_watch_for_a_moment(status: int) -> None:
    """As one does that has just started; after 410 also the list that follows."""

    async def follow() -> list[Snapshot | Piece]:
        job = OneJob()
        async with followed(job) as following:
            collecting = asyncio.ensure_future(collected(following))
            for kind in ("jobs", "pods"):
                await job.until_asked(f"watch {kind}")
                job.refusals[f"watch {kind}"].extend([status] * (2 if status == 401 else 1))
                job.refusals[kind].extend([401, 401])
                job.cut(kind)
                await job.until_asked(f"watch {kind}", 2)
            finish(job)
            return await collecting

    assert states(asyncio.run(follow()))[-1].phase == "succeeded"


def test_what_is_refused_from_the_first_is_not_waited_for() -> None:
    def job_of() -> OneJob:
        job = OneJob()
        for asked in ("pods", "watch pods"):
            job.refusals[asked].append(403)
        return job

    with pytest.raises(errors.Forbidden):
        seen(job_of)


def test_an_image_that_was_pulled_has_its_time_and_size_also_once_the_job_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "NO_CONTAINER_S", 0.05)
    of = {"involvedObject": {"kind": "Pod", "name": "one-abcde", "uid": "pod-uid"}, "metadata": {}}
    pulling = {**of, "reason": "Pulling", "firstTimestamp": "2026-11-26T03:00:00Z"}
    pulled = 'Successfully pulled image "x" in 61.5s (61.5s including waiting). Image size: 2000 bytes.'

    async def follow() -> list[Snapshot | Piece]:
        job = OneJob(pods=a_pod(), events=pulling)
        async with followed(job) as following:
            collecting = asyncio.ensure_future(collected(following))
            await job.until_asked("events")
            job.set("events", {**of, "reason": "Pulled", "message": pulled, "lastTimestamp": "2026-11-26T03:01:02Z"})
            job.set("pods", running())
            finish(job)
            return await collecting

    last = states(asyncio.run(follow()))[-1].pull
    assert last is not None
    assert (last.took_s, last.size_bytes) == (61.5, 2000)


def test_that_a_node_is_added_stands_in_the_pods_events() -> None:
    """Of a pod that has no node yet; a node for it takes minutes, in which a cell only waits."""
    pod = a_pod()
    del pod["spec"]["nodeName"]
    said = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": said}]
    grows = {
        "metadata": {"name": "grows"},
        "involvedObject": {"kind": "Pod", "name": pod["metadata"]["name"], "uid": "pod-uid"},
        "reason": "TriggeredScaleUp",
        "message": "pod triggered scale-up: [{gpus 1->2 (max: 8)}]",
    }

    async def follow() -> str:
        async with followed(OneJob(pods=pod, events=grows)) as following:
            async for piece in following.pieces():
                if isinstance(piece, Snapshot) and piece.cause is not None and piece.cause.kind == "scaling":
                    return str(piece.cause.said)
        return ""

    assert asyncio.run(follow()).splitlines() == [said, grows["message"]]


def unmounted(number: int) -> dict[str, Any]:
    message = f'MountVolume.SetUp failed for volume "v" : secret "absent-{number}" not found'
    of = {"kind": "Pod", "name": "one-abcde", "uid": "pod-uid"}
    return {"metadata": {"name": f"e{number}"}, "involvedObject": of, "reason": "FailedMount", "message": message}


@pytest.mark.parametrize("may_watch", [True, False])
def test_what_a_waiting_pods_events_say_later(monkeypatch: pytest.MonkeyPatch, *, may_watch: bool) -> None:
    monkeypatch.setattr(following_module, "NO_CONTAINER_S", 0.05)
    monkeypatch.setattr(happened, "POLL_S", 0.05)

    async def follow() -> tuple[list[str], int]:
        job = OneJob(pods=a_pod(), events=unmounted(1))
        job.refusals["watch events"].extend([] if may_watch else [403] * 1000)
        told: list[str] = []
        async with followed(job) as following, asyncio.timeout(30):
            async for piece in following.pieces():
                if isinstance(piece, Snapshot) and piece.cause is not None:
                    told.append(piece.cause.sentence)
                    if "absent-2" in told[-1]:
                        break
                    await job.until_asked("watch events")
                    job.set("events", {**unmounted(2), "lastTimestamp": "2026-11-26T03:00:00Z"})
        return told, job.asked.count("events")

    told, lists = asyncio.run(follow())
    assert [sentence[:27] for sentence in told] == ["There is no Secret absent-1", "There is no Secret absent-2"]
    assert (lists == 1) is may_watch


def test_who_may_not_see_events_follows_without() -> None:
    def job_of() -> OneJob:
        job = OneJob(pods={})
        job.refusals["events"].extend([403] * 100)
        job.refusals["watch events"].extend([403] * 100)
        return job

    async def follow() -> list[Snapshot | Piece]:
        job = job_of()
        async with followed(job) as following:
            collecting = asyncio.ensure_future(collected(following))
            await job.until_asked("events")
            while following.snapshot.cause is None:
                await asyncio.sleep(0.01)
            job.set("pods", a_pod(**TERMINATED))
            finish(job)
            return await collecting

    found = states(asyncio.run(follow()))
    assert [state.cause.kind for state in found if state.cause] == ["hidden"]
    assert found[-1].phase == "succeeded"


@pytest.mark.parametrize(("uid", "phase"), [("job-uid", "pending"), ("an older one's", "succeeded")])
def test_what_an_older_job_of_this_name_was_refused_is_no_word_on_this_one(uid: str, phase: str) -> None:
    """Events outlive their job by an hour: a job that was deleted for a quota is made again when there is room."""
    refused = {
        "metadata": {"name": "refused"},
        "involvedObject": {"kind": "Job", "name": NAME, "uid": uid},
        "reason": "FailedCreate",
        "message": "exceeded quota: gpus",
    }

    async def follow() -> list[Snapshot | Piece]:
        job = OneJob(pods={}, events=refused)
        async with followed(job) as following:
            collecting = asyncio.ensure_future(collected(following))
            await job.until_asked("events")
            await asyncio.sleep(0.2)
            if uid != "job-uid":
                job.set("pods", a_pod(**TERMINATED))
                finish(job)
            return await collecting

    pieces = asyncio.run(follow())
    assert states(pieces)[-1].phase == phase
    assert ["quota" for state in states(pieces) if state.cause] == (["quota"] if uid == "job-uid" else [])


def test_a_log_in_program_that_fails_once_costs_no_more_than_events(tmp_path: Path) -> None:
    failing, program = tmp_path / "failing", tmp_path / "login"
    given = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}
    program.write_text(f"#!/bin/sh\nrm {failing} 2>&- && exit 1\necho '{json.dumps(given)}'\n")
    program.chmod(0o700)
    user = {"exec": {"apiVersion": given["apiVersion"], "command": str(program), "interactiveMode": "Never"}}

    async def follow() -> list[Snapshot | Piece]:
        job = OneJob(pods={})
        job.refusals["events"].append(401)
        async with followed(job, user) as following:
            collecting = asyncio.ensure_future(collected(following))
            failing.touch()
            while failing.exists():
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)  # time for the error to do harm
            finish(job)
            return await collecting

    assert states(asyncio.run(follow()))[-1].phase == "succeeded"


def test_a_job_that_is_deleted_before_anybody_follows_it_leaves_no_watch() -> None:
    """As a submit that is interrupted does."""

    async def submit() -> None:
        job = OneJob(jobs={}, pods={})
        one = Submission(
            JobSpec(), NAME, "submission-1", b"zip", "0" * 64, cell_digest="", notebook=None, folder="", version=""
        )
        async with api(job.answer) as client, asyncio.timeout(60):
            backend = KubernetesBackend(client.access)
            await backend.submit(one)
            while job.watched < 2:
                await asyncio.sleep(0.01)
            await backend.delete(NAME)
            while job.watched:
                await asyncio.sleep(0.01)
            await backend.close()

    asyncio.run(submit())


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


@pytest.mark.parametrize("late", ["jobs", "pods"])
def test_a_job_that_has_ended_is_told_with_its_pod_whichever_is_listed_first(late: str) -> None:
    def job_of() -> OneJob:
        job = OneJob(pods=a_pod(terminated={"exitCode": 139, "reason": "Error"}), jobs=a_job(**FAILED))
        write(job, 0, 3)
        job.log.terminate()
        job.late[late] = 0.2
        return job

    job, pieces = seen(job_of)
    assert lines(pieces) == job.log.text
    assert [(state.phase, state.cause.kind if state.cause else None) for state in states(pieces)] == [
        ("failed", "signal")
    ]


def test_a_job_that_the_cluster_runs_again_is_followed_on() -> None:
    """Each attempt's log, in order, with a word between them."""

    async def follow() -> tuple[bytes, list[Snapshot | Piece]]:
        retried = {"spec": {"backoffLimit": 1, "template": {}}}
        first_pod = a_pod(terminated={"exitCode": 1})
        first_pod["status"]["phase"] = "Failed"
        job = OneJob(jobs={**a_job(), **retried}, pods=first_pod)
        write(job, 0, 3)
        job.log.terminate()
        second = a_pod(running={"startedAt": "2026-11-26T03:01:00Z"})
        second["metadata"] |= {"name": "one-fghij", "uid": "second", "creationTimestamp": "2026-11-26T03:00:59Z"}
        first, later = job.log, Log()
        job.later_logs["one-fghij"] = later
        async with followed(job) as following:
            collecting = asyncio.ensure_future(collected(following))
            await job.until_asked("watch pods")
            job.set("pods", second)
            later.write(b"again", START_NS + 10)
            later.terminate()
            job.set("pods", {**second, "status": a_pod(**TERMINATED)["status"]})
            job.set("jobs", {**a_job(**COMPLETE), **retried})
            return first.text + later.text, await collecting

    text, pieces = asyncio.run(follow())
    assert lines(pieces) == text
    found = [piece for piece in pieces if isinstance(piece, Attempt)]
    assert found == [Attempt(1, 2), Attempt(2, 2, "The container ended with exit code 1.")]
    assert states(pieces)[-1].phase == "succeeded"
    assert states(pieces)[-1].status == "succeeded (attempt 2 of 2)"


def attempt_of(number: int, **state: Any) -> dict[str, Any]:
    pod = a_pod(**state)
    pod["metadata"] |= {
        "name": f"one-{number}",
        "uid": f"pod-{number}",
        "creationTimestamp": f"2026-11-26T03:0{number}:00Z",
    }
    return pod


def failed_pod(number: int, code: int = 1) -> dict[str, Any]:
    at = {"startedAt": f"2026-11-26T03:0{number}:01Z", "finishedAt": f"2026-11-26T03:0{number}:05Z"}
    pod = attempt_of(number, terminated={"exitCode": code, **at})
    pod["status"]["phase"] = "Failed"
    return pod


def with_retries(limit: int, **status: Any) -> dict[str, Any]:
    return {**a_job(**status), "spec": {"backoffLimit": limit, "template": {}}}


def three_attempts() -> OneJob:
    """Of which the first pod is gone from the cluster."""
    job = OneJob(jobs=with_retries(2, failed=3, **FAILED), pods=failed_pod(3, code=2))
    job.older = [failed_pod(2)]
    for name, text in (("one-2", b"second"), ("one-3", b"third")):
        job.later_logs[name] = log = Log()
        log.write(text, START_NS)
        log.terminate()
    return job


def test_whoever_comes_after_the_end_reads_all_attempts_that_are_kept() -> None:
    _, pieces = seen(three_attempts)
    told = [piece for piece in pieces if not isinstance(piece, Snapshot)]
    assert told == [
        Attempt(2, 3),
        b"second\n",
        Attempt(3, 3, "The container ended with exit code 1."),
        b"third\n",
    ]
    assert states(pieces)[-1].phase == "failed"


def test_the_log_of_a_job_is_that_of_all_its_attempts() -> None:
    async def read() -> list[Piece]:
        async with api(three_attempts().answer) as client:
            backend = KubernetesBackend(client.access)
            try:
                return [piece async for piece in backend.log(NAME)]
            finally:
                await backend.close()

    assert asyncio.run(read()) == [Attempt(2, 3), b"second\n", Attempt(3, 3), b"third\n"]


@pytest.fixture
def soon_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "UNCLEAR_S", 0.5)


def stop(job: OneJob) -> str:
    """What is said of it."""

    async def run() -> str:
        async with api(job.answer) as client:
            backend = KubernetesBackend(client.access)
            try:
                return await backend.stop(NAME)
            finally:
                await backend.close()

    return asyncio.run(run())


@pytest.mark.usefixtures("soon_clear")
@pytest.mark.parametrize(
    ("pods", "failed", "patched", "said"),
    [
        ([failed_pod(1)], 1, {"jobs/one": 0}, "not tried again"),
        ([failed_pod(1), attempt_of(2)], 1, {"jobs/one": 0}, "not tried again"),
        (
            [failed_pod(1), attempt_of(2, running={"startedAt": "2026-11-26T03:02:00Z"})],
            1,
            {"jobs/one": 1, "pods/one-2": 1},
            "its log stays",
        ),
        (
            [attempt_of(2, running={"startedAt": "2026-11-26T03:02:00Z"})],
            1,
            {"jobs/one": 1, "pods/one-2": 1},
            "its log stays",
        ),
        (
            [attempt_of(1, running={"startedAt": "2026-11-26T03:02:00Z"})],
            0,
            {"jobs/one": 0, "pods/one-1": 1},
            "its log stays",
        ),
    ],
    ids=["between", "not started", "second", "first is gone", "first"],
)
def test_a_stop_ends_all_attempts_and_keeps_the_log_of_the_one_that_runs(
    pods: list[dict[str, Any]], failed: int, patched: dict[str, int], said: str
) -> None:
    """One failure below those that there are would end the Job at once, which deletes the pod that runs."""
    job = OneJob(jobs=with_retries(3, failed=failed), pods=pods[-1])
    job.older = pods[:-1]

    assert said in stop(job)
    fields = {"jobs": "backoffLimit", "pods": "activeDeadlineSeconds"}
    found = {path: body["spec"] for path, body in job.patched.items()}
    assert found == {path: {fields[path[:4]]: value} for path, value in patched.items()}
    # Where its end is told from: of a job that has no pod to tell it, from the Job.
    marked = [path for path, body in job.patched.items() if names.ANNOTATION_STOPPED in str(body)]
    assert marked == [path for path in patched if path.startswith("pods/") or len(patched) == 1]


@pytest.mark.parametrize("spec", [{"parallelism": 2, "completions": 2}, {"parallelism": 3}])
def test_a_stop_of_a_job_of_several_pods_stops_all_of_them(spec: dict[str, int]) -> None:
    """To tell one of them to end would leave the others, and have it replaced."""
    job = OneJob(jobs={**a_job(), "spec": {**spec, "backoffLimit": 6, "template": {}}})

    assert "several pods" in stop(job)
    assert {path: body["spec"] for path, body in job.patched.items()} == {"jobs/one": {"suspend": True}}


@pytest.mark.usefixtures("soon_clear")
@pytest.mark.parametrize("pods", [{}, a_pod()], ids=["no pod", "a pod that has not started"])
@pytest.mark.parametrize("kueue", [True, False])
def test_a_stop_of_a_job_in_a_queue_does_not_pretend(pods: dict[str, Any], kueue: bool) -> None:
    """Kueue resumes what is suspended. Where there is none, the label does nothing, and a stop holds."""
    waits = a_job()
    waits["metadata"]["labels"] = {names.LABEL_QUEUE: "team-a"}
    job = OneJob(jobs=waits, pods=pods)
    job.groups = {"kueue.x-k8s.io"} if kueue else set()

    if not kueue:
        assert "will not start" in stop(job)
        return
    with pytest.raises(errors.ClusterError, match="in Kueue's queue team-a, and goes on") as caught:
        stop(job)
    assert str(caught.value.hint).startswith(f"%kube delete {NAME}")
    assert not job.patched


def test_a_stop_waits_until_it_is_clear_whether_the_pod_runs() -> None:
    """A pod prints before its status says that it runs: to suspend its Job then would delete its log."""
    job = OneJob(pods=a_pod())

    async def stop() -> str:
        async with api(job.answer) as client:
            backend = KubernetesBackend(client.access)
            try:
                stopping = asyncio.ensure_future(backend.stop(NAME))
                await job.until_asked("pods", times=2)
                job.set("pods", running())
                return await stopping
            finally:
                await backend.close()

    assert "its log stays" in asyncio.run(stop())
    assert list(job.patched) == ["pods/one-abcde"]
    assert job.patched["pods/one-abcde"]["spec"] == {"activeDeadlineSeconds": 1}
