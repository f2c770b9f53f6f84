"""Notebooks as people write them give the same values, texts and pictures when some of their cells run as jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from tests.cluster.paths import CHECKOUT
from tests.notebooks import play
from tests.notebooks.outcomes import errors, same, shown, shown_by_job, values
from tests.notebooks.versions import NAMES, Book, book

IN_THE_IMAGE = {"torch_digits"}
"""Need what only the notebook image has."""


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


def both(found: Book, folder: Path, **variables: str) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """The plain version and the one with jobs, side by side."""
    folder.mkdir()
    paths = [found.write(folder / kind, jobs=kind == "jobs") for kind in ("plain", "jobs")]
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


@pytest.mark.parametrize("name", NAMES)
def test_a_realistic_notebook_has_jobs_and_knows_nothing_of_them(name: str) -> None:
    found = book(name)
    nbformat.validate(found.notebook)
    code = [cell for cell in found.notebook.cells if cell.cell_type == "code"]
    assert not [cell.source for cell in code if cell.outputs or cell.execution_count or "kube" in cell.source]
    assert 8 <= len(found.notebook.cells) <= 16
    assert len(found.jobs) >= 2
    assert len(found.compare) >= 5


@pytest.mark.notebook
@pytest.mark.parametrize("name", sorted(set(NAMES) - IN_THE_IMAGE))
def test_on_this_machine(name: str, tmp_path: Path) -> None:
    found = book(name)
    state = tmp_path / "state"
    plain, jobs = both(found, tmp_path / "run", KUBE_MAGICS_BACKEND="local", KUBE_MAGICS_STATE=str(state))
    compare(found, plain, jobs)
    assert len([path for path in (state / "jobs").iterdir() if path.is_dir()]) == len(found.jobs)
