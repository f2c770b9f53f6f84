"""Runs in the user's process: what must be told at its end, where its disk is full or its folders are spoiled."""

from __future__ import annotations

import os
import sys

from . import quickjson

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.dirname(HERE)
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


def unkept(error: BaseException | None, problem: Exception) -> int:
    """The end of a program that has taken what this package needs, its files as a rule; the exit code."""
    if error is not None and not isinstance(error, SystemExit):
        import traceback

        stack = error.__traceback__
        while stack is not None and os.path.dirname(stack.tb_frame.f_code.co_filename) in (HERE, FOLDER):
            stack = stack.tb_next
        traceback.print_exception(type(error), error, stack)
    why = problem if os.path.isdir(FOLDER) else f"the job has removed its own folder, {FOLDER}"
    sys.stderr.write(f"[kube_magics: {why}: no value comes back from it]\n")
    return 0 if error is None else 1
