"""The notebooks of this checkout, how nbval runs one, and how many jobs it should have made."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster.paths import CHECKOUT

FOLDER = CHECKOUT / "notebooks"
REALISTIC = Path(__file__).with_name("realistic")
NAMES = tuple(sorted(path.parent.name for path in REALISTIC.glob("*/*.ipynb")))
"""Of the realistic ones."""
# nbval-lax: a cell passes unless it raises; what it printed is not compared, for nothing is stored in these files.
NBVAL = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300")


def submitting_cells(name: str) -> int:
    """How many jobs one run of the notebook makes."""
    cells = json.loads((FOLDER / name).read_text(encoding="utf-8"))["cells"]
    return sum("".join(cell["source"]).startswith("%%kubetrain") for cell in cells if cell["cell_type"] == "code")


def plain(text: str) -> str:
    """Without nbval's colours, which it also writes where nothing shows them."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def run_here(name: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """nbval on a copy in `folder`, with none of our variables but `variables`."""
    shutil.copy(FOLDER / name, folder)
    # An empty configuration: the one of this checkout is for our tests, a user's notebook runs without it.
    (folder / "pytest.ini").write_text("[pytest]\n")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "JPY_", "VSCODE"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *NBVAL, name],
        cwd=folder,
        env=inherited | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
