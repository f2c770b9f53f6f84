"""The pods of a Job from near: which comes first, why each is no further, what its containers are at."""

from __future__ import annotations

from typing import Any

import pytest

from kube_magics.telemetry.pods import INDEX, Container, pods_of

AT = "2026-01-01T00:00:00Z"
SINCE = 1767225600.0


def pod(name: str, phase: str = "Running", *, spec: Any = None, status: Any = None, **meta: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "creationTimestamp": AT, **meta},
        "spec": {"nodeName": "n1", "containers": [{"name": "main"}], **(spec or {})},
        "status": {"phase": phase, **(status or {})},
    }


def told(state: str, name: str = "main", restarts: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": name, "restartCount": restarts, "state": {state: more}}


def indexed(name: str, index: int) -> dict[str, Any]:
    return pod(name, annotations={INDEX: str(index)})


def test_those_of_an_indexed_job_stand_by_their_index_also_those_that_were_tried_again() -> None:
    first, again = indexed("x-0-aaaaa", 0), indexed("x-0-bbbbb", 0)
    again["metadata"]["creationTimestamp"] = "2026-01-01T00:00:09Z"
    found = pods_of([indexed("x-10-ccccc", 10), again, indexed("x-2-ddddd", 2), first])
    assert [each.name for each in found] == ["x-0-aaaaa", "x-0-bbbbb", "x-2-ddddd", "x-10-ccccc"]
    assert [each.index for each in found] == ["0", "0", "2", "10"]
    assert [each.name for each in pods_of([pod("b"), pod("a")])] == ["b", "a"], "the cluster's order, at one moment"


def test_one_that_runs_beside_one_that_was_killed_and_came_again() -> None:
    statuses = [
        told("running", startedAt=AT),
        told("waiting", "sidecar", 3, reason="CrashLoopBackOff", message="back-off 40s"),
    ]
    (found,) = pods_of([pod("x", status={"containerStatuses": statuses})])
    assert (found.phase, found.reason, found.node, found.restarts) == ("Running", "CrashLoopBackOff", "n1", 3)
    assert found.created_at == SINCE
    assert found.containers == (
        Container("main", "running", restarts=0, since=SINCE),
        Container("sidecar", "waiting", "CrashLoopBackOff", "back-off 40s", restarts=3),
    )


def test_how_one_has_ended() -> None:
    ended = told("terminated", exitCode=137, reason="OOMKilled", finishedAt=AT, message='{"e":"end"}')
    (found,) = pods_of([pod("x", "Failed", status={"containerStatuses": [ended]})])
    assert (found.phase, found.reason) == ("Failed", "OOMKilled")
    assert found.containers == (Container("main", "ended", "OOMKilled", exit_code=137, restarts=0, since=SINCE),)
    well = told("terminated", exitCode=0, reason="Completed")
    assert pods_of([pod("x", "Succeeded", status={"containerStatuses": [well]})])[0].reason == "", "the phase says it"


def test_why_one_has_no_node_and_what_it_will_have() -> None:
    placed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}
    spec = {"nodeName": None, "initContainers": [{"name": "first"}]}
    (found,) = pods_of([pod("x", "Pending", spec=spec, status={"conditions": [placed]})])
    assert (found.reason, found.said, found.node) == ("Unschedulable", "0/2 nodes", "")
    assert found.containers == (Container("first", ""), Container("main", ""))
    (found,) = pods_of([pod("x", "Failed", status={"reason": "Evicted", "message": "disk", "conditions": [placed]})])
    assert (found.reason, found.said) == ("Evicted", "disk")
    (found,) = pods_of([pod("x", deletionTimestamp=AT)])
    assert found.phase == "Terminating"


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"metadata": None, "spec": [], "status": "x"},
        {"metadata": {"annotations": {INDEX: "-1"}, "creationTimestamp": 7}},
        {"metadata": {"annotations": {INDEX: "³"}}, "spec": {"containers": [None, {}]}},
        {"status": {"containerStatuses": [{}, {"state": {"terminated": {"exitCode": "x"}}, "restartCount": "y"}]}},
        {"status": {"conditions": [{"type": "PodScheduled", "status": False}], "reason": 1}},
    ],
)
def test_nothing_is_taken_for_granted(found: dict[str, Any]) -> None:
    assert [each.name for each in pods_of([found, pod("x")])] == ["", "x"]
