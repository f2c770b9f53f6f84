"""Each notebook passes its own assertions. On the cluster, the API tells that its cells ran as Jobs there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import Cluster, Namespace
from tests.notebooks.notebooks import plain, run_here, submitting_cells
from tests.notebooks.pod import completed_jobs, run_inside

pytestmark = pytest.mark.notebook
QUICKSTART = "quickstart.ipynb"
MNIST = "mnist_job.ipynb"


@pytest.mark.timeout(600)
def test_quickstart_on_this_machine(tmp_path: Path) -> None:
    done = run_here(QUICKSTART, tmp_path, KUBE_MAGICS_BACKEND="local", KUBE_MAGICS_STATE=str(tmp_path / "state"))
    assert done.returncode == 0, plain(done.stdout + done.stderr)


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


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_mnist_job_from_inside_the_cluster(cluster: Cluster, namespace: Namespace) -> None:
    variables = {"KUBE_MAGICS_IMAGE": cluster.images.torch, "KUBE_MAGICS_NOTEBOOK": MNIST}
    passed, log = run_inside(MNIST, cluster, namespace, variables)
    assert passed, plain(log)
    wanted = submitting_cells(MNIST)
    assert wanted >= 1
    assert completed_jobs(namespace, MNIST, wanted) == wanted
