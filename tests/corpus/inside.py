"""What a corpus kernel needs inside: a clean table for the next case, and a look at what the last one left."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_OF_IPYTHON = re.compile(r"_|__|___|_i|_ii|_iii|_i?\d+|_[dio]h")
MARK = "@seen "
"""Begins the line that a look prints."""


def look(namespace: Mapping[str, Any], expressions: Sequence[str]) -> dict[str, str]:
    """`repr` of each expression, or what it raises."""
    found = {}
    for expression in expressions:
        try:
            found[expression] = repr(eval(expression, {**namespace}))
        except Exception as error:  # noqa: BLE001 - what is not there is an answer
            found[expression] = f"{type(error).__name__}: {error}"
    return found


def clean(shell: Any, before: Mapping[str, Any], folder: Path) -> None:
    """The names of `before` and no others, no module of the last case's folder, and `folder` to work in."""
    last = Path.cwd()
    for name, module in list(sys.modules.items()):
        if Path(str(getattr(module, "__file__", None) or "/")).is_relative_to(last):
            del sys.modules[name]
    for name in [*shell.user_ns]:
        if name not in before and not _OF_IPYTHON.fullmatch(name):
            del shell.user_ns[name]
    hook = shell.displayhook
    shell.user_ns.update(before, _=hook._, __=hook.__, ___=hook.___)
    os.chdir(folder)


def load_ipython_extension(shell: Any) -> None:
    """`%corpus_clean FOLDER` and `%corpus_look ["x", "y"]`."""
    before = {name: value for name, value in shell.user_ns.items() if not _OF_IPYTHON.fullmatch(name)}
    names = shell.user_ns

    def corpus_clean(line: str) -> None:
        clean(shell, before, Path(line))

    def corpus_look(line: str) -> None:
        print(MARK + json.dumps(look(names, json.loads(line))))

    shell.register_magic_function(corpus_clean, "line")
    shell.register_magic_function(corpus_look, "line")
