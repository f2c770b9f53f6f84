"""A realistic notebook twice: as its author wrote it, and with some of its cells as jobs.

`realistic/NAME/NAME.ipynb` knows nothing of kube_magics. A cell that becomes a job says so in its metadata
(`"job": "--returns model"`: the options), and the notebook's own metadata say what is compared afterwards:

    "realistic": {
      "compare": ["score", "coef.tolist()"],    expressions, evaluated in both, whose `repr` must be equal
      "tolerance": {"coef.tolist()": 1e-9}      relative, for the numbers in that one
    }
"""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tests.notebooks.notebooks import REALISTIC

_ASK = """import json as _json
print(_json.dumps({{text: repr(eval(text)) for text in {texts!r}}}))"""


@dataclass(frozen=True)
class Book:
    """A realistic notebook as it is committed."""

    name: str
    notebook: nbformat.NotebookNode

    @property
    def folder(self) -> Path:
        """With all that lies beside the notebook."""
        return REALISTIC / self.name

    @property
    def jobs(self) -> tuple[int, ...]:
        """Which cells become jobs."""
        return tuple(i for i, cell in enumerate(self.notebook.cells) if "job" in cell.metadata)

    @property
    def compare(self) -> tuple[str, ...]:
        return tuple(self.notebook.metadata.realistic.compare)

    @property
    def tolerance(self) -> dict[str, float]:
        return dict(self.notebook.metadata.realistic.get("tolerance", {}))

    def version(self, *, jobs: bool, options: str = "") -> nbformat.NotebookNode:
        """Cell i stays cell i; behind them stands one that prints the values to compare; `options`: of each job."""
        made = copy.deepcopy(self.notebook)
        for i in self.jobs if jobs else ():
            cell = made.cells[i]
            cell.source = " ".join(["%%kubetrain", *cell.metadata.job.split(), *options.split()]) + "\n" + cell.source
        made.cells.append(nbformat.v4.new_code_cell(_ASK.format(texts=list(self.compare))))
        if jobs:
            first = next(cell for cell in made.cells if cell.cell_type == "code")
            first.source = "%load_ext kube_magics\n" + first.source
        return made

    def write(self, folder: Path, *, jobs: bool, options: str = "") -> Path:
        """Make `folder`: the version, under the notebook's own name, and all that lies beside it."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        path = folder / f"{self.name}.ipynb"
        nbformat.write(self.version(jobs=jobs, options=options), path)
        return path


def book(name: str) -> Book:
    return Book(name, nbformat.read(REALISTIC / name / f"{name}.ipynb", as_version=4))
