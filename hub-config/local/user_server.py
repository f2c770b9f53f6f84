"""Runs as the user, in their home, when their server is started: lays out the notebooks, then becomes the server.

As the user and not as the hub: root that writes into a user's home writes wherever that user's links point.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
FOLDER = "kube_magics-notebooks"
"""Not `kube_magics`, which Python would take for the package, nor `notebooks`, which people have."""


def lay_out(home: Path) -> None:
    """The notebooks, once: a folder that is there is the user's, whatever they have made of it."""
    target = home / FOLDER
    if target.exists():
        return
    made = Path(tempfile.mkdtemp(dir=home, prefix=f".{FOLDER}-"))
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        shutil.copyfile(notebook, made / notebook.name)
    made.rename(target)


def main() -> None:
    # What people make here is theirs alone, unless they say otherwise.
    os.umask(0o077)
    try:
        lay_out(Path.home())
    except OSError as error:
        # A full disk is no reason to keep people from what they have.
        print(f"{Path.home()} has no notebooks: {error}", file=sys.stderr, flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "jupyterhub.singleuser", *sys.argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
