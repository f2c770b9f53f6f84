"""Causes that a node has: planted on nodes that nobody else's pods go to, and on the one that all share."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from kube_magics.telemetry.why import Why
from tests.acceptance.desk import eventually
from tests.acceptance.why.field import Field
from tests.acceptance.why.planted import FREE, LASTS, Manifest, Planted, asking, job
from tests.cluster import Cluster
from tests.cluster.gpu import numbers
from tests.cluster.namespaces import delete

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.alone]

LABEL = "why.example.com/node"
TAINTED, CORDONED, SILENT, LOST = "why-tainted", "why-cordoned", "why-silent", "why-lost"
NODES: Mapping[str, Manifest] = {
    TAINTED: {"taints": [{"key": "team", "value": "vision", "effect": "NoSchedule"}]},
    CORDONED: {"unschedulable": True},
    SILENT: {},
    LOST: {},
}
"""Without a kubelet: whoever is told once that they are ready believes it for less than a minute."""
LOW, HIGH = "why-low", "why-high"
"""Priorities: above everybody's, and above that."""
GONE = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}


def on(node: str, **spec: Any) -> Manifest:
    return job(LASTS, nodeSelector={LABEL: node}, **spec)


PLANTED: Mapping[str, Planted] = {
    "taint": Planted("unschedulable", "has a taint that it does not tolerate (team=vision:NoSchedule)", "tolerations team=vision:NoSchedule", on(TAINTED)),
    "cordoned": Planted("unschedulable", "is cordoned", "uncordon", on(CORDONED)),
    "not-ready": Planted("unschedulable", "is not ready", "well again", on(SILENT)),
    "silent-node": Planted("node", "Its node why-lost does not answer", "wait", on(LOST)),
    "lost-node": Planted("evicted", "Its node stopped answering", "make the job again", on(LOST, tolerations=[GONE])),
}  # fmt: skip
ON_LOST = ("silent-node", "lost-node")


@pytest.fixture(scope="module")
def field(cluster: Cluster) -> Iterator[Field]:
    with ExitStack() as exits:
        space = cluster.namespace(pod_security="privileged")
        exits.callback(delete, space)
        found = Field(cluster, {FREE: space})
        for name, spec in NODES.items():
            exits.callback(cluster.kubectl, "delete", "node", name, "--wait=false", check=False)
            # A zone of its own: of one that has lost most of its nodes the cluster evicts nobody.
            meta = {"name": name, "labels": {LABEL: name, "topology.kubernetes.io/zone": name}}
            cluster.kubectl.apply({"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec})
            furnish(cluster, name, is_ready=name != SILENT)
        for name, value in ((LOW, 1000), (HIGH, 2000)):
            exits.callback(cluster.kubectl, "delete", "priorityclass", name, check=False)
            cluster.kubectl("create", "priorityclass", name, f"--value={value}")
        found.plant({name: (each.job, FREE) for name, each in PLANTED.items()})
        for name in ON_LOST:
            runs(found, name)
        yield found


def furnish(cluster: Cluster, node: str, *, is_ready: bool) -> None:
    """Say in the place of a kubelet what the node has."""
    ready = {"type": "Ready", "status": str(is_ready), "reason": "x", "message": "x"}
    allocatable = {"cpu": "1", "memory": "1Gi", "pods": "10"}
    set_status(cluster, "node", node, {"allocatable": allocatable, "conditions": [ready]})


def runs(field: Field, name: str) -> None:
    """Say in the place of a kubelet that the job's pod runs, once it has a node."""
    here = f"--namespace={field.spaces[FREE].name}"

    def placed() -> str:
        pods = field.cluster.kubectl.get("pods", f"--selector=job-name={name}", here)["items"]
        return next((str(pod["metadata"]["name"]) for pod in pods if pod["spec"].get("nodeName")), "")

    pod = eventually(placed, f"a node for {name}")
    at = "2026-01-01T00:00:00Z"
    container = {"name": "main", "image": "i", "imageID": "", "ready": True, "restartCount": 0, "started": True}
    ready = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")]
    state = {"state": {"running": {"startedAt": at}}}
    status = {"phase": "Running", "startTime": at, "conditions": ready, "containerStatuses": [container | state]}
    set_status(field.cluster, "pod", pod, status, here)


def set_status(cluster: Cluster, kind: str, name: str, status: Manifest, *more: str) -> None:
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", kind, name, "--subresource=status", "--type=strategic", f"--patch={patch}", *more)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_cause(field: Field, name: str) -> None:
    field.tells(name, PLANTED[name])


def test_gpus_that_others_have_and_who_makes_room(field: Field) -> None:
    """All of them, by one job: another one waits, until one of a higher priority takes the place of the first."""
    field.plant({"holder": (holding("8", LOW), FREE)})
    up(field, "holder")
    field.plant({"waits": (asking(gpus="1"), FREE)})
    wanted = Planted("unschedulable", "Not enough free GPUs on ", "%kube gpus shows what is free", {})
    field.tells("waits", wanted)
    field.plant({"urgent": (holding("8", HIGH), FREE)})
    field.tells("holder", Planted("evicted", "make room for one of a higher priority", "make the job again", {}))


def test_a_gpu_that_turns_unhealthy(field: Field) -> None:
    path = field.cluster.nvml_numbers
    before = numbers.read(path)
    first, *others = before.devices
    script = "import os, time\nwhile not os.path.exists('/tmp/end'): time.sleep(0.1)\nraise SystemExit(1)"
    field.cluster.kubectl("delete", "job", "urgent", f"--namespace={field.spaces[FREE].name}", "--ignore-not-found")
    field.plant({"ill": (holding("8", HIGH, script), FREE)})
    up(field, "ill")
    try:
        numbers.write(path, dataclasses.replace(before, devices=[dataclasses.replace(first, healthy=0), *others]))
        here = f"--namespace={field.spaces[FREE].name}"
        eventually(
            lambda: "Unhealthy" in json.dumps(field.cluster.kubectl.get("pods", "--selector=job-name=ill", here)),
            "its GPU's end",
        )
        field.cluster.kubectl("exec", "job/ill", here, "--", "touch", "/tmp/end")
        found = field.tells("ill", Planted("device", first.uuid, "administrator", {}))
        assert "exit code 1" in found.sentence
    finally:
        numbers.write(path, before)


def test_a_pod_that_is_asked_to_leave_its_node(field: Field) -> None:
    """As `kubectl drain` asks."""
    field.plant({"drained": (job(LASTS, terminationGracePeriodSeconds=5), FREE)})
    up(field, "drained")
    space = field.spaces[FREE].name
    pod = field.cluster.kubectl.get("pods", "--selector=job-name=drained", f"--namespace={space}")["items"][0]
    meta = {"name": pod["metadata"]["name"], "namespace": space}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    path = f"/api/v1/namespaces/{space}/pods/{meta['name']}/eviction"
    field.cluster.kubectl("create", f"--raw={path}", "--filename=-", input=json.dumps(eviction))
    field.tells("drained", Planted("evicted", "asked to leave its node", "make the job again", {}))


def holding(gpus: str, priority: str, script: str = LASTS) -> Manifest:
    resources = {"requests": {"cpu": "1m"}, "limits": {"nvidia.com/gpu": gpus}}
    return job(script, priorityClassName=priority, container={"resources": resources})


def up(field: Field, name: str) -> Why:
    eventually(lambda: field.why(name, FREE).sentence.startswith("Nothing is wrong: it runs"), f"the start of {name}")
    return field.why(name, FREE)
