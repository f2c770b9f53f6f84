"""A notebook run by nbval inside the cluster, as a hub user's server would: in-cluster account, no kubeconfig."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster import Cluster, Namespace
from tests.cluster.namespaces import ACCOUNT
from tests.notebooks.notebooks import FOLDER, NBVAL

_HOME = "/home/scientist"


def run_inside(
    name: str, cluster: Cluster, namespace: Namespace, variables: Mapping[str, str], folder: Path = FOLDER
) -> tuple[bool, str]:
    """(whether all cells passed, what nbval printed) of the notebook `name` in `folder`."""
    pod, here = "notebook", f"--namespace={namespace.name}"
    cluster.kubectl.apply(
        _config_map(namespace.name, folder / name), _pod(pod, cluster, namespace.name, name, variables)
    )
    phase, deadline = "", time.monotonic() + 400
    while phase not in ("Succeeded", "Failed") and time.monotonic() < deadline:
        time.sleep(1)
        phase = cluster.kubectl.get("pod", pod, here)["status"].get("phase", "")
    log = cluster.kubectl("logs", pod, here, check=False).stdout
    if phase not in ("Succeeded", "Failed"):
        log += cluster.kubectl("describe", "pod", pod, here, check=False).stdout
    return phase == "Succeeded", log


def _config_map(namespace: str, notebook: Path) -> dict[str, Any]:
    # nbformat would accept less, nbval would not: the file goes in as it is in the checkout.
    content = notebook.read_text(encoding="utf-8")
    assert json.loads(content)["nbformat"] == 4
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "notebooks", "namespace": namespace},
        "data": {notebook.name: content},
    }


def _pod(pod: str, cluster: Cluster, namespace: str, name: str, variables: Mapping[str, str]) -> dict[str, Any]:
    # A mounted ConfigMap is read-only, and the log is kept beside the notebook.
    script = f"cp /notebooks/{name} . && exec python3 -m pytest -p no:cacheprovider {' '.join(NBVAL)} {name}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": ACCOUNT,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "fsGroup": 100,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "notebook",
                    "image": cluster.images.notebook,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", script],
                    "workingDir": _HOME,
                    "env": [{"name": key, "value": value} for key, value in {"HOME": _HOME, **variables}.items()],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [
                        {"name": "home", "mountPath": _HOME},
                        {"name": "notebooks", "mountPath": "/notebooks"},
                    ],
                }
            ],
            "volumes": [{"name": "home", "emptyDir": {}}, {"name": "notebooks", "configMap": {"name": "notebooks"}}],
        },
    }
