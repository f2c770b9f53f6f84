"""Nodes of a cluster and their GPUs, as far as the user's rights show them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import GpuNode, GpuReport, Node, NodeReport
from kube_magics.cluster.client import Client
from kube_magics.spec.quantities import amount
from kube_magics.telemetry.objects import gpus, part, rows, text, true_condition

MOST_NODES = 500
_PRODUCT = "nvidia.com/gpu.product"
_CORDONED = "node.kubernetes.io/unschedulable"
"""The taint of a cordoned node, whose status says it already."""


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
    used = {node: sum(map(_gpus_of, mine)) for node, mine in _by_node(pods).items()}
    if nodes is None:
        seen = tuple(GpuNode(name, None, 0, count) for name, count in sorted(used.items()) if count)
        return GpuReport(seen, tuple(hidden))
    found = []
    for node in nodes:
        total = gpus(part(node, "status", "allocatable"))
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        if total or _PRODUCT in labels:
            count = used.get(name, 0) if everything else None
            ready = true_condition(node, "Ready") is not None and not node["spec"].get("unschedulable")
            found.append(GpuNode(name, labels.get(_PRODUCT), total, count, ready))
    return GpuReport(tuple(found), tuple(hidden))


async def node_report(client: Client, namespace: str) -> NodeReport:
    """All nodes; without the right to list them, those on which the user's own pods are."""
    hidden: list[str] = []
    nodes, pods = await asyncio.gather(
        _list(client, "/api/v1/nodes", "nodes (what they have, their taints)", hidden),
        _list(client, "/api/v1/pods", "pods of other namespaces (what is in use, and by whom)", hidden),
    )
    everything = pods is not None
    if pods is None:
        pods = await _list(client, f"/api/v1/namespaces/{namespace}/pods", f"pods in {namespace}", hidden) or []
    there = _by_node(pods)
    if nodes is None:
        seen = [Node(name, "unknown", users=_users(mine)) for name, mine in sorted(there.items())]
        return NodeReport(tuple(seen), tuple(hidden))
    found = [_node(node, there.get(text(node, "metadata", "name"), []), whole=everything) for node in nodes]
    return NodeReport(tuple(found), tuple(hidden))


def _node(node: Mapping[str, Any], pods: list[Mapping[str, Any]], *, whole: bool) -> Node:
    """`whole`: `pods` are all that are there, not only the user's."""
    has = part(node, "status", "allocatable")
    status = "cordoned" if part(node, "spec").get("unschedulable") else "ready"
    if true_condition(node, "Ready") is None:
        status = "not ready"
    cpus, memory = _amount(has, "cpu"), _amount(has, "memory")
    users = _users(pods)
    return Node(
        name=text(node, "metadata", "name"),
        status=status,
        gpus=gpus(has),
        used=sum(users.values()) if whole else None,
        product=text(node, "metadata", "labels", _PRODUCT) or None,
        cpus=None if cpus is None else float(cpus),
        cpus_free=float(cpus - _reserved(pods, "cpu")) if whole and cpus is not None else None,
        memory_bytes=None if memory is None else int(memory),
        memory_free_bytes=int(memory - _reserved(pods, "memory")) if whole and memory is not None else None,
        taints=tuple(_taint(each) for each in rows(node, "spec", "taints") if text(each, "key") != _CORDONED),
        users=users,
    )


def _taint(taint: Mapping[str, Any]) -> str:
    value = text(taint, "value")
    return f"{text(taint, 'key')}{f'={value}' if value else ''}:{text(taint, 'effect')}"


def _users(pods: list[Mapping[str, Any]]) -> dict[str, int]:
    """GPUs by NAMESPACE/JOB, or the pod's name where it is no Job's."""
    found: dict[str, int] = {}
    for pod in pods:
        if count := _gpus_of(pod):
            name = text(pod, "metadata", "labels", "job-name") or text(pod, "metadata", "name")
            who = f"{text(pod, 'metadata', 'namespace')}/{name}"
            found[who] = found.get(who, 0) + count
    return found


def _gpus_of(pod: Mapping[str, Any]) -> int:
    return int(_together(pod, lambda each: Decimal(gpus(part(each, "resources", "limits")))))


def _reserved(pods: list[Mapping[str, Any]], resource: str) -> Decimal:
    def of_one(container: Mapping[str, Any]) -> Decimal:
        return _amount(part(container, "resources", "requests"), resource) or Decimal(0)

    overhead = (_amount(part(pod, "spec", "overhead"), resource) or Decimal(0) for pod in pods)
    return sum((_together(pod, of_one) for pod in pods), Decimal(0)) + sum(overhead, Decimal(0))


def _together(pod: Mapping[str, Any], asks: Callable[[Mapping[str, Any]], Decimal]) -> Decimal:
    """What a node keeps for all its containers, as the scheduler counts: those that run side by side added up, or what
    one of those before them asks for, beside the sidecars begun by then, if that is more."""
    sidecars = most = Decimal(0)
    for each in rows(pod, "spec", "initContainers"):
        if text(each, "restartPolicy") == "Always":
            sidecars += asks(each)
            most = max(most, sidecars)
        else:
            most = max(most, sidecars + asks(each))
    return max(most, sidecars + sum((asks(each) for each in rows(pod, "spec", "containers")), Decimal(0)))


def _amount(quantities: Mapping[str, Any], resource: str) -> Decimal | None:
    try:
        return amount(str(quantities[resource]))
    except (KeyError, ValueError):
        return None


async def _list(client: Client, path: str, what: str, hidden: list[str]) -> list[Mapping[str, Any]] | None:
    try:
        return list((await client.get(path))["items"])
    except errors.Forbidden:
        hidden.append(f"You may not list {what}: ask your administrator for `list` there to see it.")
        return None


def _by_node(pods: list[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Those that have something of a node."""
    there: dict[str, list[Mapping[str, Any]]] = {}
    for pod in pods:
        node = text(pod, "spec", "nodeName")
        if node and text(pod, "status", "phase") not in ("Succeeded", "Failed"):
            there.setdefault(node, []).append(pod)
    return there
