"""The notebooks as files: what is committed is what a reader should find."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.notebooks.notebooks import FOLDER, NAMES, submitting_cells
from tests.notebooks.versions import book

pytestmark = pytest.mark.notebook


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_valid_stores_no_output_and_ends_in_assertions(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    # A stored output would be somebody's machine, and nbval would compare with it.
    assert not [cell.source for cell in code if cell.outputs or cell.execution_count]
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].source.startswith("# ")
    assert code[-1].source.startswith("assert ")
    assert submitting_cells(path.name) >= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_realistic_notebook_has_jobs_and_knows_nothing_of_them(name: str) -> None:
    found = book(name)
    nbformat.validate(found.notebook)
    code = [cell for cell in found.notebook.cells if cell.cell_type == "code"]
    assert not [cell.source for cell in code if cell.outputs or cell.execution_count or "kube" in cell.source]
    assert 8 <= len(found.notebook.cells) <= 16
    assert len(found.jobs) >= 2
    assert len(found.compare) >= 5
