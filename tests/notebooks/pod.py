"""Notebooks run inside the cluster, as a hub user's server would: in-cluster account, no kubeconfig."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from kube_magics.spec.names import ANNOTATION_NOTEBOOK
from tests.cluster import Cluster, Namespace
from tests.cluster.namespaces import ACCOUNT
from tests.notebooks import play
from tests.notebooks.notebooks import FOLDER, NBVAL

_HOME = "/home/scientist"


def run_inside(
    name: str, cluster: Cluster, namespace: Namespace, variables: Mapping[str, str], folder: Path = FOLDER
) -> tuple[bool, str]:
    """(whether all cells passed, what nbval printed) of the notebook `name` in `folder`."""
    # A mounted ConfigMap is read-only, and the log is kept beside the notebook.
    script = f"cp /notebooks/{name} . && exec python3 -m pytest -p no:cacheprovider {' '.join(NBVAL)} {name}"
    return _run(script, {name: folder / name}, cluster, namespace, variables)


def play_inside(
    written: Mapping[str, Path], cluster: Cluster, namespace: Namespace, variables: Mapping[str, str]
) -> list[nbformat.NotebookNode]:
    """The notebooks after "Run All", one after the other, each in a folder of its own, named by its key."""
    player = Path(play.__file__)
    steps = [
        f"mkdir {key} && cd {key} && cp /notebooks/{key} {path.name}"
        f" && {{ python3 /notebooks/{player.name} {path.name} 2> errors || {{ cat errors; exit 1; }}; }} && cd .."
        for key, path in written.items()
    ]
    files = {**written, player.name: player}
    passed, log = _run(" && ".join(steps), files, cluster, namespace, variables)
    assert passed, log
    played = [nbformat.reads(line, as_version=4) for line in log.splitlines() if line.startswith("{")]
    assert len(played) == len(written), log
    return played


def completed_jobs(namespace: Namespace, notebook: str, wanted: int) -> int:
    """Jobs that this notebook made and the cluster calls complete; it says so some seconds after their end."""
    found = -1
    for _ in range(240):
        jobs = namespace.kubectl.get("jobs")["items"]
        of_it = [job for job in jobs if job["metadata"].get("annotations", {}).get(ANNOTATION_NOTEBOOK) == notebook]
        found = sum(
            condition["type"] == "Complete" and condition["status"] == "True"
            for job in of_it
            for condition in job["status"].get("conditions", ())
        )
        if found >= wanted:
            break
        time.sleep(0.5)
    return found


def _run(
    script: str, files: Mapping[str, Path], cluster: Cluster, namespace: Namespace, variables: Mapping[str, str]
) -> tuple[bool, str]:
    """(whether it succeeded, its log) of a shell script in the notebook image, with `files` in /notebooks."""
    pod, here = "notebook", f"--namespace={namespace.name}"
    cluster.kubectl.apply(_config_map(namespace.name, files), _pod(pod, cluster, namespace.name, script, variables))
    phase, deadline = "", time.monotonic() + 400
    while phase not in ("Succeeded", "Failed") and time.monotonic() < deadline:
        time.sleep(1)
        phase = cluster.kubectl.get("pod", pod, here)["status"].get("phase", "")
    log = cluster.kubectl("logs", pod, here, check=False).stdout
    if phase not in ("Succeeded", "Failed"):
        log += cluster.kubectl("describe", "pod", pod, here, check=False).stdout
    return phase == "Succeeded", log


def _config_map(namespace: str, files: Mapping[str, Path]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "notebooks", "namespace": namespace},
        "data": {name: path.read_text(encoding="utf-8") for name, path in files.items()},
    }


def _pod(pod: str, cluster: Cluster, namespace: str, script: str, variables: Mapping[str, str]) -> dict[str, Any]:
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
