"""How much a user may have at once, and what a container gets that does not say what it wants."""

from __future__ import annotations

from typing import Any

from .settings import Quota, Site, User


def quota(site: Site, user: User, allowed: Quota) -> dict[str, Any]:
    """`nvidia.com/gpu` and `limits.nvidia.com/gpu` are accepted in a quota and ignored: only `requests.` counts."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "kube-magics-user", "namespace": user.namespace},
        "spec": {
            "hard": {
                f"requests.{site.gpu_resource}": str(allowed.gpus),
                "requests.cpu": allowed.cpus,
                "requests.memory": allowed.memory,
                "requests.storage": allowed.storage,
                "pods": str(allowed.pods),
                "count/jobs.batch": str(allowed.jobs),
                # Ways out of the namespace that nobody needs for training.
                "services.loadbalancers": "0",
                "services.nodeports": "0",
            }
        },
    }


def priorities(site: Site, user: User) -> list[dict[str, Any]]:
    """A pod may name any priority class, so a job could push out other people's servers, or the cluster's own pods."""
    barred = {"system": (["system-cluster-critical", "system-node-critical"], 0)}
    if site.server_priority:
        barred["server"] = ([site.server_priority], 1)
    return [_pods_of(user, name, *each) for name, each in barred.items()]


def limits(site: Site, user: User, allowed: Quota) -> dict[str, Any]:
    """A `max` without a `default` would give that many GPUs to every container, so the default is said: none.

    No default limit of memory: it would kill a job that never said what it needs. The requests are those that a quota
    on cores and memory asks every pod to have.
    """
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "kube-magics-user", "namespace": user.namespace},
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "default": {site.gpu_resource: "0"},
                    "defaultRequest": {"cpu": "100m", "memory": "256Mi", site.gpu_resource: "0"},
                    "max": {site.gpu_resource: str(allowed.gpus)},
                }
            ]
        },
    }


def _pods_of(user: User, name: str, classes: list[str], most: int) -> dict[str, Any]:
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": classes}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": f"priority-{name}", "namespace": user.namespace},
        "spec": {"hard": {"pods": str(most)}, "scopeSelector": {"matchExpressions": [scope]}},
    }
