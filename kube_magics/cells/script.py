"""A script becomes a program: the file itself, its arguments, and the local modules that it imports."""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from kube_magics.cells.analysis.imports import imports
from kube_magics.cells.analysis.seeds import seeds
from kube_magics.cells.capture import Capture
from kube_magics.cells.definitions import modules
from kube_magics.cells.files.cargo import WORK, Cargo, Carried
from kube_magics.cells.files.localmodules import LocalImports
from kube_magics.cells.values.data import Data
from kube_magics.errors import CellError

SUFFIXES = (".py", ".pyw", ".sh", ".ipynb", ".ipy", ".R", ".jl")
"""A name that ends so means a file, whether it is there or not; `team/torch:2.6` does not."""


def is_path(text: str, folder: Path) -> bool:
    """Whether a word means a file rather than an image: it is one, or is written as one."""
    if (folder / Path(text).expanduser()).is_file() or text.endswith(SUFFIXES):
        return True
    first = text.partition("/")[0]
    return "/" in text and (first in ("", ".", "..", "~") or (folder / first).is_dir())


def capture_script(text: str, arguments: Sequence[str], folder: Path) -> Capture:
    """What `python TEXT ARGUMENTS`, typed in `folder`, needs to run elsewhere.

    Raises CellError (there is no such script, or it is no Python) and CaptureError (a module cannot travel).
    """
    file = Path(os.path.abspath(folder / Path(text).expanduser()))  # noqa: PTH100 - a link's own name counts
    source, tree = _parsed(text, file, folder)
    inside = os.path.relpath(file, folder).replace(os.sep, "/")
    path = file.name if inside.startswith("../") else inside
    local = LocalImports((str(file.parent),))
    wanted = list(imports(tree.body))
    local.add(wanted, f"{path}, line {{line}},")
    found = local.result()
    tops = {each.module.partition(".")[0] for each in wanted if each.sure} | found.imports
    needed = sorted(top for top in tops if not local.has(top) and modules.kind(top) in ("installed", "missing"))
    cargo = Cargo(found.files, (), Carried(path, source, str(file), os.access(file, os.X_OK)))
    argv = [path, *arguments]
    digest = hashlib.sha256(json.dumps(["script", argv, cargo.digests()]).encode()).hexdigest()
    step = {"do": "script", "file": f"{WORK}/{path}", "argv": argv}
    return Capture(
        program={
            "v": 1,
            "cells": {},
            "definitions": [],
            "statements": [step],
            "last_expression": False,
            "returns": [],
        },
        data=Data(()),
        imports={top: modules.version(top) for top in needed if top != "__future__"},
        travels=(),
        cell_digest=digest,
        module="__main__",
        incomparable=(),
        left_out=(),
        filenames={},
        own=None,
        shipped=frozenset({"script"}),
        seeds=seeds(tree.body),
        cargo=cargo,
    )


def _parsed(text: str, file: Path, folder: Path) -> tuple[bytes, ast.Module]:
    try:
        source = file.read_bytes()
    except OSError as error:
        if not file.is_file():
            raise CellError(f"There is no script {text} in {folder}.", hint=_nearest(text, file)) from error
        raise CellError(f"{text} cannot be read: {error.strerror}.", hint=f"!chmod +r {text}") from error
    if file.suffix == ".ipynb":
        raise CellError(f"{text} is a notebook, not a script.", hint="open it, and put %%kubetrain above its cells")
    try:
        return source, ast.parse(source, str(file))
    except SyntaxError as error:
        where = f"{text}, line {error.lineno}: {error.msg}"
        said = f": {error.text.strip()}" if error.text and error.text.strip() else ""
        hint = f"correct line {error.lineno} of {text} and run this again"
        if file.suffix not in (".py", ".pyw"):
            where, hint = (
                f"{text} is no Python: line {error.lineno}: {error.msg}",
                "only Python scripts run as they are",
            )
        raise CellError(f"{where}{said}", hint=hint) from error
    except ValueError as error:  # null bytes
        raise CellError(f"{text} is not Python text: {error}.", hint="name a Python script") from error


def _nearest(text: str, file: Path) -> str:
    """The script that was probably meant."""
    folder = file.parent
    names = sorted(each.name for each in folder.glob("*.py")) if folder.is_dir() else []
    close = difflib.get_close_matches(file.name, names, 1)
    if close:
        return f"%kube run {text.removesuffix(file.name)}{close[0]}"
    if names:
        return f"scripts there: {', '.join(names[:5])}"
    return "name a script by its path from the notebook's folder, or an image: %kube run IMAGE"
