"""`gpus` and `nodes`: what there is, what is free, and what the user's rights do not show."""

from __future__ import annotations

from typing import Any

from kube_magics.backends.contract import Backend, GpuNode, Node
from kube_magics.jobs import loop
from kube_magics.spec.columns import GPUS, NODES
from kube_magics.spec.quantities import human_bytes
from kube_magics.verbs.door import Call
from kube_magics.verbs.table import UNKNOWN, Row, Table


def gpus(call: Call) -> Table:
    """A row a node with GPUs."""
    backend = call.backend
    report = loop.wait(backend.gpus())
    rows = tuple(_gpus(node) for node in report.nodes)
    empty = "" if report.hidden else "no GPUs on any node"
    return Table("gpus", backend.where(), GPUS, rows, empty, report.hidden).selected(call.given)


def _gpus(node: GpuNode) -> Row:
    total = node.total or None
    free = None if node.used is None or total is None else max(0, total - node.used)
    values = {
        "node": node.name,
        "product": node.product,
        "total": total,
        "used": node.used,
        "free": free,
        "ready": node.ready,
    }
    return Row(values, {} if node.ready else {"node": f"{node.name} (takes no new jobs)"})


def nodes(call: Call) -> Table:
    """A row a node."""
    return of(call.backend).selected(call.given)


def of(backend: Backend) -> Table:
    """All of them."""
    report = loop.wait(backend.nodes())
    rows = tuple(_node(node) for node in report.nodes)
    empty = "" if report.hidden else "no nodes"
    return Table("nodes", backend.where(), NODES, rows, empty, report.hidden)


def _node(node: Node) -> Row:
    free = None if node.gpus is None or node.used is None else max(0, node.gpus - node.used)
    values: dict[str, Any] = {
        "node": node.name,
        "status": node.status,
        "gpus": node.gpus,
        "used": node.used,
        "free": free,
        "product": node.product,
        "cpus": node.cpus,
        "cpus_free": node.cpus_free,
        "memory_bytes": node.memory_bytes,
        "memory_free_bytes": node.memory_free_bytes,
        "taints": node.taints,
        "users": tuple(f"{who} ({count})" for who, count in node.users.items()),
    }
    sizes = {name: values[name] for name in ("memory_bytes", "memory_free_bytes")}
    texts = {name: UNKNOWN if size is None else human_bytes(size) for name, size in sizes.items()}
    texts |= {name: ", ".join(values[name]) or "-" for name in ("taints", "users")}
    texts |= {name: f"{values[name]:g}" for name in ("cpus", "cpus_free") if values[name] is not None}
    return Row(values, texts | ({} if node.product or node.gpus else {"product": "-"}))
