"""Runs a notebook in a kernel of its own and writes it, with its outputs, to stdout: `play.py NOTEBOOK`.

It stands alone: it also travels into a pod, where the package of the tests is not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CELL_TIMEOUT_S = 120


def play(path: Path) -> nbformat.NotebookNode:
    """The notebook at `path` as it stands after "Run All"; a cell that fails has its error as output and ends it."""
    notebook = nbformat.read(path, as_version=4)
    folder = path.resolve().parent
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        startup_timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        print(error, file=sys.stderr)
    return notebook


if __name__ == "__main__":
    # One line: what reads a pod's log gets it whole.
    print(json.dumps(play(Path(sys.argv[1]))))
