"""What is brought into the namespace: the Secret for pulling images, claims on shared volumes, Kueue's LocalQueue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .settings import Share, User


def pull_secret(user: User, name: str, content: Mapping[str, str]) -> dict[str, Any]:
    """A copy: pods take it from their own namespace only."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": user.namespace},
        "type": "kubernetes.io/dockerconfigjson",
        "data": dict(content),
    }


def claim(user: User, share: Share) -> dict[str, Any]:
    """For the one volume that an administrator has made for this namespace; until then its pods wait, and say so."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": share.name, "namespace": user.namespace},
        "spec": {
            "accessModes": ["ReadOnlyMany" if share.read_only else "ReadWriteMany"],
            "storageClassName": "",
            "volumeName": share.volume(user.namespace),
            "resources": {"requests": {"storage": share.size}},
        },
    }


def local_queue(user: User, name: str, cluster_queue: str) -> dict[str, Any]:
    """What KUBE_MAGICS_QUEUE names."""
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "LocalQueue",
        "metadata": {"name": name, "namespace": user.namespace},
        "spec": {"clusterQueue": cluster_queue},
    }
