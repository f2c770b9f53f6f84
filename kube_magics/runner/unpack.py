"""What boot.py starts: the bundle's files beside the bundle, then the runner on them.

Imported from inside the zip, because boot.py must stay below a kilobyte and so cannot unpack by itself.
"""

from __future__ import annotations

import os
import sys
import zipimport


def unpack(bundle: str, folder: str) -> None:
    """Write every file of the zip under `folder`. zipimport is loaded in every interpreter; zipfile costs 13 ms."""
    archive = zipimport.zipimporter(bundle)
    made = set()
    names: list[str] = list(archive._files)  # type: ignore[attr-defined]  # noqa: SLF001  (the same from 3.8 to 3.14)
    for name in names:
        if name.endswith(os.sep):
            continue
        path = os.path.join(folder, name)
        parent = os.path.dirname(path)
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        with open(path, "wb") as file:
            file.write(archive.get_data(name))


def main() -> None:
    """Unpack the zip named on the command line, take this package's other modules from the files, drop it, run."""
    bundle = sys.argv[1]
    folder = os.path.dirname(bundle)
    unpack(bundle, folder)
    package = __package__ or ""
    sys.modules[package].__path__[:] = [os.path.join(folder, package)]
    sys.path.remove(bundle)
    os.remove(bundle)
    from .launch import main as launch

    sys.exit(launch(folder))
