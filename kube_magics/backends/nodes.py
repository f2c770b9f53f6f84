"""Nodes of a cluster and their GPUs, as far as the user's rights show them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import GpuNode, GpuReport
from kube_magics.cluster.client import Client
from kube_magics.telemetry.objects import gpus, part, rows
from kube_magics.telemetry.snapshot import condition

MOST_NODES = 500
_PRODUCT = "nvidia.com/gpu.product"


async def every_node(client: Client) -> list[Mapping[str, Any]]:
    """All nodes; empty where the user may not list them, or where there are too many to read for one sentence."""
    try:
        found = await client.get("/api/v1/nodes", {"limit": str(MOST_NODES)})
    except errors.ClusterError:
        return []
    return [] if part(found, "metadata").get("continue") else rows(found, "items")


async def gpu_report(client: Client, namespace: str) -> GpuReport:
    """Nodes with GPUs; without the right to list nodes, what the user's own pods say."""
    hidden: list[str] = []
    nodes, pods = await asyncio.gather(
        _list(client, "/api/v1/nodes", "nodes (total GPUs and their kind)", hidden),
        _list(client, "/api/v1/pods", "pods of other namespaces (GPUs in use)", hidden),
    )
    everything = pods is not None
    if pods is None:
        pods = await _list(client, f"/api/v1/namespaces/{namespace}/pods", f"pods in {namespace}", hidden) or []
    used = _used(pods)
    if nodes is None:
        seen = tuple(GpuNode(name, None, 0, count) for name, count in sorted(used.items()))
        return GpuReport(seen, tuple(hidden))
    found = []
    for node in nodes:
        total = gpus(part(node, "status", "allocatable"))
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        if total or _PRODUCT in labels:
            count = used.get(name, 0) if everything else None
            ready = condition(node["status"], "Ready") is not None and not node["spec"].get("unschedulable")
            found.append(GpuNode(name, labels.get(_PRODUCT), total, count, ready))
    return GpuReport(tuple(found), tuple(hidden))


async def _list(client: Client, path: str, what: str, hidden: list[str]) -> list[Mapping[str, Any]] | None:
    try:
        return list((await client.get(path))["items"])
    except errors.Forbidden:
        hidden.append(f"You may not list {what}: ask your administrator for `list` there to see it.")
        return None


def _used(pods: list[Mapping[str, Any]]) -> dict[str, int]:
    used: dict[str, int] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if not node or pod["status"].get("phase") in ("Succeeded", "Failed"):
            continue
        for container in pod["spec"]["containers"]:
            if count := gpus(part(container, "resources", "limits")):
                used[node] = used.get(node, 0) + count
    return used
