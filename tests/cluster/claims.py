"""PersistentVolumeClaims as an administrator provides them where nothing makes volumes by itself: folders of the node."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .cluster import Cluster
from .namespaces import Namespace

ROOT = "/tmp/kube-magics-test-claims"
"""On the node: what volumes are made of."""
_PATIENCE_S = 60.0


@contextmanager
def claim(
    cluster: Cluster,
    space: Namespace,
    name: str,
    modes: Sequence[str] = ("ReadWriteMany",),
    mode: str | None = "777",
) -> Iterator[str]:
    """A bound claim; None as `mode`: there is no folder, so that nothing can mount it."""
    with volume(cluster, space.name, name, modes, mode) as made:
        try:
            cluster.kubectl.apply(unbound(space, name, made, {"accessModes": list(modes), "storageClassName": ""}))
            where = f"--namespace={space.name}"
            cluster.kubectl("wait", f"pvc/{name}", where, "--for=jsonpath={.status.phase}=Bound", "--timeout=30s")
            yield name
        finally:
            cluster.kubectl("delete", "pvc", name, f"--namespace={space.name}", "--wait=false", check=False)


@contextmanager
def volume(
    cluster: Cluster, namespace: str, claimed: str, modes: Sequence[str] = ("ReadWriteOnce",), mode: str | None = "777"
) -> Iterator[str]:
    """Kept for the claim `claimed`, which somebody makes; its folder on the node has `mode`, since fsGroup does not
    reach into a node's folders."""
    folder = f"{namespace}-{claimed}-{secrets.token_hex(2)}"
    if mode is not None:
        on_node(cluster, f"mkdir -p {ROOT}/{folder} && chmod {mode} {ROOT}/{folder}")
    made = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": folder},
        "spec": {
            "accessModes": list(modes),
            "storageClassName": "",
            "capacity": {"storage": "1Gi"},
            "claimRef": {"namespace": namespace, "name": claimed},
            "hostPath": {"path": f"{ROOT}/{folder}", "type": "Directory"},
            "persistentVolumeReclaimPolicy": "Retain",
        },
    }
    try:
        cluster.kubectl.apply(made)
        yield folder
    finally:
        cluster.kubectl("delete", "pv", folder, "--wait=false", check=False)
        on_node(cluster, f"rm -rf {ROOT}/{folder}")


def unbound(space: Namespace, name: str, volume: str | None, common: dict[str, Any]) -> dict[str, Any]:
    """A claim's manifest; without `volume` it waits for one."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": space.name, "name": name},
        "spec": {
            **common,
            "resources": {"requests": {"storage": "1Gi"}},
            **({"volumeName": volume} if volume else {}),
        },
    }


def on_node(cluster: Cluster, command: str) -> None:
    """As root, in a pod that sees the node's /tmp."""
    name = f"node-{secrets.token_hex(4)}"
    mount = {"name": "tmp", "mountPath": "/tmp"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "main",
                    "image": cluster.images.quickstart,
                    "command": ["sh", "-c", command],
                    "securityContext": {"runAsUser": 0},
                    "volumeMounts": [mount],
                }
            ],
            "volumes": [{"name": "tmp", "hostPath": {"path": "/tmp"}}],
        },
    }
    cluster.kubectl("create", "--filename=-", input=json.dumps(pod))
    try:
        until = time.monotonic() + _PATIENCE_S
        while (phase := cluster.kubectl.get("pod", name, "--namespace=default")["status"].get("phase")) != "Succeeded":
            assert phase != "Failed", f"{command} failed on the node"
            assert time.monotonic() < until, f"{command} does not run on the node: {phase}"
            time.sleep(0.1)
    finally:
        cluster.kubectl("delete", "pod", name, "--namespace=default", "--wait=false", check=False)
