"""Notebooks as people write them give the same values, texts and pictures when some of their cells run as jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from tests.cluster import Cluster, Namespace
from tests.cluster.paths import CHECKOUT
from tests.notebooks import play
from tests.notebooks.notebooks import NAMES
from tests.notebooks.outcomes import errors, same, shown, shown_by_job, values
from tests.notebooks.pod import completed_jobs, play_inside
from tests.notebooks.versions import Book, book

IN_THE_IMAGE = ["torch_digits"]
"""Need what only the notebook image has."""
MORE_THAN_NUMPY = ["bike_features", "digits_pipeline", "plots", "progress_bars", "wage_models"]
"""Need what the quickstart image has not."""
QUICK = ["local_modules", "process_pool"]
"""On the cluster each time; the others in the long form."""
FEW = "--cpus 100m"
"""The cluster of the tests has one small node."""
pytestmark = pytest.mark.notebook


def played(path: Path, **variables: str) -> nbformat.NotebookNode:
    """The notebook after "Run All" in a process of its own, with none of our variables but `variables`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "JPY_", "VSCODE"))}
    own = {
        "IPYTHONDIR": str(path.parent.parent / "ipython"),
        "KUBE_MAGICS_NOTEBOOK": path.name,
        "PYTHONPATH": str(CHECKOUT),
    }
    done = subprocess.run(
        [sys.executable, play.__file__, path.name],
        cwd=path.parent,
        env=inherited | own | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return nbformat.reads(done.stdout, as_version=4)


def both(
    found: Book, folder: Path, options: str = "", **variables: str
) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """The plain version and the one with jobs, side by side."""
    folder.mkdir()
    paths = [found.write(folder / kind, jobs=kind == "jobs", options=options) for kind in ("plain", "jobs")]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(played, paths[0]), pool.submit(played, paths[1], **variables)]
        return runs[0].result(), runs[1].result()


def compare(found: Book, plain: nbformat.NotebookNode, jobs: nbformat.NotebookNode) -> None:
    assert not list(errors(plain)), "the notebook itself is broken:\n" + "\n".join(errors(plain))
    assert not list(errors(jobs)), "\n".join(errors(jobs))
    for i in found.jobs:
        here, there = shown(plain.cells[i]), shown_by_job(jobs.cells[i])
        assert (there.text, there.pictures, there.bars) == (here.text, here.pictures, here.bars), jobs.cells[i].source
    here, there = values(plain), values(jobs)
    assert set(here) == set(there) == set(found.compare)
    differ = [text for text in here if not same(here[text], there[text], found.tolerance.get(text, 0.0))]
    assert not differ, "\n".join(f"{text}\n  plain {here[text]}\n  jobs  {there[text]}" for text in differ)


def on_the_cluster(name: str, cluster: Cluster, namespace: Namespace, folder: Path) -> None:
    found = book(name)
    plain, jobs = both(
        found,
        folder / "run",
        FEW,
        KUBECONFIG=str(namespace.kubeconfig),
        KUBE_MAGICS_CONTEXT=namespace.context,
        KUBE_MAGICS_IMAGE=cluster.images.quickstart,
        KUBE_MAGICS_STATE=str(folder / "state"),
    )
    compare(found, plain, jobs)
    assert completed_jobs(namespace, f"{name}.ipynb", len(found.jobs)) == len(found.jobs)


@pytest.mark.parametrize("name", sorted({*NAMES} - {*IN_THE_IMAGE}))
def test_on_this_machine(name: str, tmp_path: Path) -> None:
    found = book(name)
    state = tmp_path / "state"
    plain, jobs = both(found, tmp_path / "run", KUBE_MAGICS_BACKEND="local", KUBE_MAGICS_STATE=str(state))
    compare(found, plain, jobs)
    assert len([path for path in (state / "jobs").iterdir() if path.is_dir()]) == len(found.jobs)


@pytest.mark.cluster
@pytest.mark.parametrize("name", QUICK)
def test_on_the_cluster(name: str, cluster: Cluster, namespace: Namespace, tmp_path: Path) -> None:
    on_the_cluster(name, cluster, namespace, tmp_path)


@pytest.mark.cluster
@pytest.mark.long
@pytest.mark.parametrize("name", sorted({*NAMES} - {*IN_THE_IMAGE} - {*MORE_THAN_NUMPY} - {*QUICK}))
def test_more_on_the_cluster(name: str, cluster: Cluster, namespace: Namespace, tmp_path: Path) -> None:
    on_the_cluster(name, cluster, namespace, tmp_path)


@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", IN_THE_IMAGE)
def test_inside_the_cluster(name: str, cluster: Cluster, namespace: Namespace, tmp_path: Path) -> None:
    """Both versions in a pod of the notebook image, as a hub user's; the jobs in the torch image."""
    found = book(name)
    written = {
        "plain": found.write(tmp_path / "plain", jobs=False),
        "jobs": found.write(tmp_path / "jobs", jobs=True, options=FEW),
    }
    variables = {"KUBE_MAGICS_IMAGE": cluster.images.torch, "KUBE_MAGICS_NOTEBOOK": f"{name}.ipynb"}
    plain, jobs = play_inside(written, cluster, namespace, variables)
    compare(found, plain, jobs)
    assert completed_jobs(namespace, f"{name}.ipynb", len(found.jobs)) == len(found.jobs)
