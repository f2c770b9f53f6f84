"""The cluster as its administrator has set it up, asked for: `%kube doctor --admin`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from kube_magics.cluster.client import Client
from kube_magics.doctor.judging import provided, site
from kube_magics.doctor.line import Line
from kube_magics.errors import NotFound
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
    "storage": "/apis/storage.k8s.io/v1/storageclasses",
    "deployments": "/apis/apps/v1/deployments",
    "daemons": "/apis/apps/v1/daemonsets",
    "pools": "/apis/karpenter.sh/v1/nodepools",
}
AUTOSCALER = "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status"


async def lines(client: Client) -> list[Line]:
    """Raises Forbidden for who is no administrator."""
    *answers, status = await asyncio.gather(*(_asked(client, path) for path in (*PATHS.values(), AUTOSCALER)))
    found = {name: rows(answer, "items") for name, answer in zip(PATHS, answers, strict=True)}
    return [
        *site.hub(found["roles"], found["policies"], found["bindings"]),
        site.priorities(found["classes"]),
        *site.pool(found["nodes"]),
        *site.corners(found["namespaces"], found["quotas"], found["limits"], found["networks"]),
        *provided.login(found["deployments"]),
        provided.storage(found["storage"]),
        provided.network(found["daemons"]),
        *provided.autoscaler(found["deployments"], status, found["pools"], found["classes"]),
    ]


async def _asked(client: Client, path: str) -> Mapping[str, Any] | None:
    """None: there is no such thing in this cluster."""
    try:
        found: Mapping[str, Any] = await client.get(path)
    except NotFound:
        return None
    return found
