"""All that may explain a job is asked for, and what a user may not see is missing from the answer, not the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.backends.contract import Findings
from kube_magics.backends.findings import NO_EVENTS, findings
from tests.api.servers import api

NS = "/api/v1/namespaces/team"
PODS = f"{NS}/pods"
LOG = f"{PODS}/one-abcde/log"
NODES = "/api/v1/nodes"
WORKLOADS = "/apis/kueue.x-k8s.io/v1beta2/namespaces/team/workloads"
PENDING = "/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/team/localqueues/gpus/pendingworkloads"
JOB = "/apis/batch/v1/namespaces/team/jobs/one"


def a_job(**spec: Any) -> dict[str, Any]:
    meta = {"name": "one", "namespace": "team", "uid": "job-uid", "labels": {"kueue.x-k8s.io/queue-name": "gpus"}}
    return {"metadata": meta, "spec": {"template": {}, **spec}}


def a_pod(**status: Any) -> dict[str, Any]:
    meta = {"name": "one-abcde", "namespace": "team", "uid": "pod-uid", "creationTimestamp": "2026-11-23T21:00:01Z"}
    return {"metadata": meta, "spec": {"containers": [{"name": "pi"}]}, "status": {"phase": "Pending", **status}}


def ended(code: int, **more: Any) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": "Error", **more}}
    return a_pod(phase="Failed", containerStatuses=[{"name": "pi", "state": state}])


def unplaced(said: str) -> dict[str, Any]:
    return a_pod(conditions=[{"type": "PodScheduled", "status": "False", "message": said}])


def event(reason: str, message: str, kind: str, uid: str) -> dict[str, Any]:
    of = {"kind": kind, "name": "one-abcde" if kind == "Pod" else "one", "uid": uid}
    return {"reason": reason, "message": message, "lastTimestamp": "2026-11-23T21:00:05Z", "involvedObject": of}


class Cluster:
    """What it answers, by path; a number: it refuses with that; what is not named is not there."""

    def __init__(self, there: dict[str, Any]) -> None:
        self._there = {JOB: a_job(), PODS: {"items": []}, f"{NS}/events": {"items": []}} | there
        self.asked: dict[str, dict[str, str]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        self.asked[request.path] = dict(request.query)
        found = self._there.get(request.path, 404)
        if isinstance(found, int):
            return web.json_response({"kind": "Status", "code": found, "message": "no"}, status=found)
        if isinstance(found, bytes):
            return web.Response(body=found)
        wanted = dict(term.split("=") for term in request.query.get("fieldSelector", "").split(",") if term)
        items = [
            each
            for each in found.get("items", ())
            if all(each["involvedObject"][key.partition(".")[2]] == value for key, value in wanted.items())
        ]
        listed = {"items": items, "metadata": {"resourceVersion": "1"}} if "items" in found else {}
        return web.json_response({**found, **listed})


def look(there: dict[str, Any]) -> tuple[Findings, Cluster]:
    """What is found where the cluster has this, and what was asked."""
    cluster = Cluster(there)
    return asyncio.run(_look(cluster)), cluster


async def _look(cluster: Cluster) -> Findings:
    async with api(cluster.answer) as client:
        return await findings(client, "team", "one")


def events_of(*found: dict[str, Any]) -> dict[str, Any]:
    return {f"{NS}/events": {"items": list(found)}}


def test_a_refusal_is_in_the_jobs_events() -> None:
    refused = event("FailedCreate", "pods is forbidden: exceeded quota: q", "Job", "job-uid")
    found, cluster = look(events_of(refused, event("FailedCreate", "another Job's", "Job", "other-uid")))
    assert found.state.cause is not None
    assert (found.state.cause.kind, [each["message"] for each in found.events]) == ("quota", [refused["message"]])
    assert NODES not in cluster.asked
    assert WORKLOADS not in cluster.asked


def test_nodes_are_asked_for_where_none_takes_the_pod() -> None:
    node = {
        "metadata": {"name": "n"},
        "spec": {"taints": [{"key": "team", "value": "vision", "effect": "NoSchedule"}]},
        "status": {},
    }
    scaled = event("NotTriggerScaleUp", "pod didn't trigger scale-up", "Pod", "pod-uid")
    pod = unplaced("0/1 nodes are available: 1 node(s) had untolerated taint(s).")
    found, _ = look({PODS: {"items": [pod]}, NODES: {"items": [node]}, **events_of(scaled)})
    assert found.state.cause is not None
    assert found.state.cause.sentence == (
        "Every node that could run it has a taint that it does not tolerate (team=vision:NoSchedule). The cluster adds no node for it."
    )
    hidden, _ = look({PODS: {"items": [pod]}, NODES: 403})
    assert hidden.state.cause is not None
    assert hidden.state.cause.sentence == "Every node that could run it has a taint that it does not tolerate."


def test_the_last_lines_of_who_failed() -> None:
    log = b"Traceback (most recent call last):\n\x1f2ModuleNotFoundError: No module named 'bs4'\n"
    found, cluster = look({PODS: {"items": [ended(1)]}, LOG: log})
    assert found.state.cause is not None
    assert (found.state.cause.kind, found.state.cause.said) == ("module", "ModuleNotFoundError: No module named 'bs4'")
    assert cluster.asked[LOG] == {"tailLines": "40", "limitBytes": "65536", "container": "pi"}


def test_the_last_lines_of_a_run_before_the_next_one() -> None:
    waits = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    before = {"terminated": {"exitCode": 1, "reason": "Error"}}
    pod = a_pod(phase="Running", containerStatuses=[{"name": "pi", "state": waits, "lastState": before}])
    found, cluster = look({PODS: {"items": [pod]}, LOG: b"ModuleNotFoundError: No module named 'bs4'\n"})
    assert cluster.asked[LOG]["previous"] == "true"
    assert found.state.cause is not None
    assert found.state.cause.sentence.startswith(
        "It imports bs4, which is not installed there. It is to be started again."
    )
    assert "beautifulsoup4" in str(found.state.cause.fix)


@pytest.mark.parametrize("log", [403, 404, 500, b"unable to retrieve container logs for containerd://x"])
def test_a_log_that_cannot_be_read(log: Any) -> None:
    found, _ = look({PODS: {"items": [ended(1)]}, LOG: log})
    assert found.state.cause is not None
    assert (found.state.cause.kind, found.state.cause.said) == ("exit", None)


@pytest.mark.parametrize("pod", [ended(0), ended(1, message="ValueError: no")])
def test_no_log_is_read_where_none_is_needed(pod: dict[str, Any]) -> None:
    found, cluster = look({PODS: {"items": [pod]}})
    assert LOG not in cluster.asked
    assert found.state.cause is None or found.state.cause.said == "ValueError: no"


def test_events_that_may_not_be_read() -> None:
    found, _ = look({f"{NS}/events": 403})
    assert (found.hidden, found.events) == ((NO_EVENTS,), ())
    assert found.state.cause is not None
    assert found.state.cause.kind == "hidden"


def test_of_several_pods_the_one_in_trouble() -> None:
    """Also where a newer one runs."""
    runs = a_pod(
        phase="Running", containerStatuses=[{"name": "pi", "state": {"running": {"startedAt": "2026-11-23T21:00:10Z"}}}]
    )
    runs["metadata"] |= {"name": "one-newer", "uid": "newer", "creationTimestamp": "2026-11-23T21:00:09Z"}
    pods = {"items": [unplaced("0/1 nodes are available: 1 Insufficient cpu."), runs]}
    found, _ = look({JOB: a_job(parallelism=2, completions=2), PODS: pods, NODES: 403})
    assert found.state.cause is not None
    assert (found.state.phase, found.state.cause.sentence) == (
        "running",
        "one-abcde: No node has that much CPU or memory free.",
    )


WAITS = {"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": "insufficient unused quota"}
WORKLOAD = {"status": {"conditions": [WAITS]}}
AHEAD = {"items": [{"metadata": {"ownerReferences": [{"uid": "job-uid"}]}, "positionInLocalQueue": 3}]}


@pytest.mark.parametrize(
    ("workloads", "ahead", "sentence"),
    [
        ({"items": [WORKLOAD]}, AHEAD, "It waits in Kueue's queue gpus, behind 3 other jobs."),
        ({"items": [WORKLOAD]}, {"items": []}, "It waits in Kueue's queue gpus."),
        ({"items": [WORKLOAD]}, 403, "It waits in Kueue's queue gpus."),
        ({"items": []}, 404, "Kueue has made no Workload of it"),
        (404, 404, "Kueue has made no Workload of it"),
        (403, 403, "for what is not to be seen here"),
    ],
)
def test_a_queue(workloads: Any, ahead: Any, sentence: str) -> None:
    found, cluster = look({JOB: a_job(suspend=True), WORKLOADS: workloads, PENDING: ahead})
    assert found.state.cause is not None
    assert sentence in found.state.cause.sentence
    assert cluster.asked[WORKLOADS] == {"labelSelector": "kueue.x-k8s.io/job-uid=job-uid"}


def test_a_job_that_is_not_there() -> None:
    with pytest.raises(errors.NotFound):
        look({JOB: 404})


def test_a_job_that_is_gone_is_told_by_its_events() -> None:
    made = {
        **event("SuccessfulCreate", "Created pod: one-abcde", "Job", "job-uid"),
        "lastTimestamp": "2026-11-23T21:00:01Z",
    }
    older = {**event("Completed", "Job completed", "Job", "older-uid"), "lastTimestamp": "2026-11-23T20:00:00Z"}
    killed = event("Killing", "Stopping container pi", "Pod", "pod-uid")
    found, _ = look({JOB: 404, **events_of(killed, made, older)})
    assert (found.state.phase, [each["reason"] for each in found.events]) == ("gone", ["SuccessfulCreate", "Killing"])
    assert found.state.cause is not None
    assert found.state.cause.sentence.startswith(
        "The job was deleted, by whom Kubernetes does not keep. It was not over"
    )
    completed = event("Completed", "Job completed", "Job", "job-uid")
    found, _ = look({JOB: 404, **events_of(made, completed)})
    assert found.state.cause is not None
    assert "It had succeeded before." in found.state.cause.sentence
    assert found.state.cause.said == "Completed: Job completed"


@pytest.mark.parametrize("events", [403, {"items": []}])
def test_a_job_that_was_never_there(events: Any) -> None:
    with pytest.raises(errors.NotFound):
        look({JOB: 404, f"{NS}/events": events})
