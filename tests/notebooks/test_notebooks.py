"""Each notebook passes its own assertions. On the cluster, the API tells that its cells ran as Jobs there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from kube_magics.spec.names import ANNOTATION_NOTEBOOK
from tests.cluster import Cluster, Namespace
from tests.notebooks.notebooks import plain, run_here, submitting_cells
from tests.notebooks.pod import run_inside

QUICKSTART = "quickstart.ipynb"
MNIST = "mnist_job.ipynb"


def completed_jobs(namespace: Namespace, notebook: str, wanted: int) -> int:
    """Jobs that this notebook made and the cluster calls complete; it says so some seconds after their end."""
    found = -1
    for _ in range(60):
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


@pytest.mark.notebook
@pytest.mark.timeout(600)
def test_quickstart_on_this_machine(tmp_path: Path) -> None:
    done = run_here(QUICKSTART, tmp_path, KUBE_MAGICS_BACKEND="local", KUBE_MAGICS_STATE=str(tmp_path / "state"))
    assert done.returncode == 0, plain(done.stdout + done.stderr)


@pytest.mark.notebook
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_quickstart_on_the_cluster(cluster: Cluster, namespace: Namespace, tmp_path: Path) -> None:
    done = run_here(
        QUICKSTART,
        tmp_path,
        KUBECONFIG=str(namespace.kubeconfig),
        KUBE_MAGICS_CONTEXT=namespace.context,
        KUBE_MAGICS_IMAGE=cluster.images.quickstart,
        KUBE_MAGICS_NOTEBOOK=QUICKSTART,
        KUBE_MAGICS_STATE=str(tmp_path / "state"),
    )
    assert done.returncode == 0, plain(done.stdout + done.stderr)
    wanted = submitting_cells(QUICKSTART)
    assert wanted >= 1
    assert completed_jobs(namespace, QUICKSTART, wanted) == wanted


@pytest.mark.notebook
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_mnist_job_from_inside_the_cluster(cluster: Cluster, namespace: Namespace) -> None:
    variables = {"KUBE_MAGICS_IMAGE": cluster.images.torch, "KUBE_MAGICS_NOTEBOOK": MNIST}
    passed, log = run_inside(MNIST, cluster, namespace, variables)
    assert passed, plain(log)
    wanted = submitting_cells(MNIST)
    assert wanted >= 1
    assert completed_jobs(namespace, MNIST, wanted) == wanted
