"""`--files` with `--workdir`: what has travelled stands in the folder that the user has chosen. Travels with such jobs.

A file that is there already is replaced, whole: on a volume it may be last week's.
"""

from __future__ import annotations

import os
import shutil

TAKEN = ".kube-magics"
"""Behind the name of a file while it is written."""


def place(source: str, target: str) -> str:
    """Copy all files below `source` to `target`, the layout kept; why that failed, or ""."""
    path = ""
    try:
        for folder, _, files in os.walk(source):
            inside = os.path.normpath(os.path.join(target, os.path.relpath(folder, source)))
            path = inside
            os.makedirs(inside, exist_ok=True)
            for name in files:
                path = os.path.join(inside, name)
                shutil.copy(os.path.join(folder, name), path + TAKEN)
                os.replace(path + TAKEN, path)
    except OSError as error:
        return f"cannot write {path}, of --files: {error.strerror or error}"
    return ""
