"""Runs in the user's process: what must be told at its end, where its disk is full or its folders are spoiled."""

from __future__ import annotations

import os
import sys

from . import quickjson

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SPENT = ("data.pkl", "program.json", "main.py")
"""Of the bundle: nobody reads them any more when the program has ended."""


def write(path: str, value: object) -> bool:
    """A file for the runner; on a full disk what the bundle no longer needs makes room for it. False: it cannot be."""
    for last in (False, True):
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            quickjson.write_file(path, value)
            return True
        except OSError as error:
            if last:
                name = os.path.basename(path)
                sys.stderr.write(f"[kube_magics: {name}, which tells how the job ended, cannot be written: {error}]\n")
            else:
                _make_room()
    return False


def _make_room() -> None:
    for name in SPENT:
        try:
            os.remove(os.path.join(FOLDER, name))
        except OSError:
            continue


def without_folder(error: BaseException | None) -> int:
    """The end of a program that has removed its own bundle, and with it the rest of this package; the exit code."""
    if error is not None and not isinstance(error, SystemExit):
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__)
    sys.stderr.write(f"[kube_magics: the job has removed its own folder, {FOLDER}: no value comes back from it]\n")
    return 0 if error is None else 1
