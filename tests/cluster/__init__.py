"""A real one-node Kubernetes for the tests, started on this machine and taken down without a trace.

Here: what it takes to build, start, furnish and end a cluster (etcd, the control plane, containerd, kubelet, CoreDNS,
eight pretended GPUs, ...), the images its pods run, kubeconfigs, and the fixtures that hand all this to tests. Not
here: anything of ``kube_magics``, which this must not import: it is the world that the package is tested against.

    with running() as cluster:
        cluster.kubectl("get", "nodes")

On a shell: ``python -m tests.cluster up | down | status | env``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cluster import Cluster
    from .lifecycle import running, why_not
    from .namespaces import Namespace

__all__ = ["Cluster", "Namespace", "running", "why_not"]

_HOMES = {"Cluster": "cluster", "Namespace": "namespaces", "running": "lifecycle", "why_not": "lifecycle"}


def __getattr__(name: str) -> Any:
    """On first use: the fast tests load the fixtures too, and need not wait for cryptography."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
