"""A script as the user's program: what `python train.py --lr 1e-3` does, in main.py's own names.

Travels only with scripts. Spawned workers find the script itself: multiprocessing asks `__main__.__file__`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(folder: str, step: dict[str, Any], names: dict[str, Any]) -> None:
    """`file` of the step is relative to the bundle's folder; `argv` is what the script sees as sys.argv."""
    path = os.path.join(folder, step["file"])
    sys.argv = list(step["argv"])
    sys.path.insert(0, os.path.dirname(path))
    names["__file__"] = path
    with open(path, "rb") as file:
        source = file.read()
    exec(compile(source, path, "exec", dont_inherit=True), names)  # noqa: S102  (the user's program)
