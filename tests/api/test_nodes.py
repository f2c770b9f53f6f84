"""What nodes have, who uses it, and what the user's rights hide."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from kube_magics.backends.contract import NodeReport
from kube_magics.backends.nodes import node_report
from tests.api.servers import api

READY = [{"type": "Ready", "status": "True"}]
HAS = {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "4"}
NODES = [
    {
        "metadata": {"name": "busy", "labels": {"nvidia.com/gpu.product": "NVIDIA-H100"}},
        "spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]},
        "status": {"allocatable": HAS, "conditions": READY},
    },
    {
        "metadata": {"name": "closed"},
        "spec": {
            "unschedulable": True,
            "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}],
        },
        "status": {"allocatable": {"cpu": "1500m", "memory": "1Gi"}, "conditions": READY},
    },
    {"metadata": {"name": "lost"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
]


def pod(
    namespace: str, name: str, node: str | None, gpus: int, phase: str = "Running", job: str = ""
) -> dict[str, Any]:
    asked = {"cpu": "500m", "memory": "1Gi"}
    limits = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": {"job-name": job} if job else {}},
        "spec": {"nodeName": node, "containers": [{"resources": {"requests": asked, "limits": limits}}]},
        "status": {"phase": phase},
    }


PODS = [
    pod("team", "a-1", "busy", 1, job="a"),
    pod("team", "a-2", "busy", 1, job="a"),
    pod("other", "serve", "busy", 1),
    pod("team", "ended", "busy", 4, phase="Succeeded", job="ended"),
    pod("team", "waits", None, 4, phase="Pending", job="waits"),
    pod("team", "plain", "busy", 0),
]


def report(*refused: str, pods: list[dict[str, Any]] = PODS) -> NodeReport:
    """As a user sees it who may not list what is below `refused`."""
    own = [each for each in pods if each["metadata"]["namespace"] == "team"]
    lists = {"/api/v1/nodes": NODES, "/api/v1/pods": pods, "/api/v1/namespaces/team/pods": own}

    async def answer(request: web.Request) -> web.Response:
        if request.path in refused:
            return web.json_response({"message": "forbidden"}, status=403)
        return web.json_response({"items": lists[request.path]})

    async def run() -> NodeReport:
        async with api(answer) as client:
            return await node_report(client, "team")

    return asyncio.run(run())


def test_all_of_it() -> None:
    busy, closed, lost = report().nodes
    assert (busy.status, busy.gpus, busy.used, busy.product) == ("ready", 4, 3, "NVIDIA-H100")
    assert (busy.cpus, busy.cpus_free) == (8.0, 6.0)
    assert (busy.memory_bytes, busy.memory_free_bytes) == (64 << 30, 60 << 30)
    assert (busy.taints, busy.users) == (("gpu=yes:NoSchedule",), {"team/a": 2, "other/serve": 1})
    assert (closed.status, closed.cpus, closed.taints, closed.gpus) == ("cordoned", 1.5, (), 0)
    assert (lost.status, lost.cpus, lost.memory_free_bytes) == ("not ready", None, None)


def test_what_runs_before_the_containers_is_reserved_too() -> None:
    """As the scheduler counts: the larger of what comes first and what runs side by side, and a sidecar is of both."""
    asked = pod("team", "a", "busy", 1)
    large = {"resources": {"requests": {"cpu": "2"}, "limits": {"nvidia.com/gpu": "2"}}}
    sidecar = {"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}
    asked["spec"] |= {"initContainers": [sidecar, large], "overhead": {"cpu": "250m"}}
    busy = report(pods=[asked]).nodes[0]
    assert (busy.cpus_free, busy.used, busy.users) == (8 - 3.25, 2, {"team/a": 2})


def test_with_the_own_pods_alone() -> None:
    """What others use is not known, so neither is what is free."""
    found = report("/api/v1/pods")
    assert (found.nodes[0].used, found.nodes[0].cpus_free, found.nodes[0].users) == (None, None, {"team/a": 2})
    assert [text.partition(":")[0] for text in found.hidden] == [
        "You may not list pods of other namespaces (what is in use, and by whom)"
    ]


def test_without_the_nodes() -> None:
    found = report("/api/v1/nodes", "/api/v1/pods")
    assert [(each.name, each.status, each.gpus, each.users) for each in found.nodes] == [
        ("busy", "unknown", None, {"team/a": 2})
    ]
    assert len(found.hidden) == 2
    assert report("/api/v1/nodes", "/api/v1/pods", "/api/v1/namespaces/team/pods").nodes == ()
