"""The cluster as its administrator has set it up, asked for: `%kube doctor --admin`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from kube_magics.cluster.client import Client
from kube_magics.doctor.judging import site
from kube_magics.doctor.line import Line
from kube_magics.telemetry.objects import rows

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
PATHS = {
    "roles": f"{_RBAC}/clusterroles",
    "policies": f"{_ADMISSION}/validatingadmissionpolicies",
    "bindings": f"{_ADMISSION}/validatingadmissionpolicybindings",
    "classes": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "nodes": "/api/v1/nodes",
    "namespaces": "/api/v1/namespaces",
    "quotas": "/api/v1/resourcequotas",
    "limits": "/api/v1/limitranges",
    "networks": "/apis/networking.k8s.io/v1/networkpolicies",
}


async def lines(client: Client) -> list[Line]:
    """Raises Forbidden for who is no administrator."""
    answers = await asyncio.gather(*(_listed(client, path) for path in PATHS.values()))
    found = dict(zip(PATHS, answers, strict=True))
    return [
        *site.hub(found["roles"], found["policies"], found["bindings"]),
        site.priorities(found["classes"]),
        *site.pool(found["nodes"]),
        *site.corners(found["namespaces"], found["quotas"], found["limits"], found["networks"]),
    ]


async def _listed(client: Client, path: str) -> Sequence[Mapping[str, Any]]:
    return rows(await client.get(path), "items")
