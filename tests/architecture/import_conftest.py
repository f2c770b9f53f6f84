"""Imports tests/conftest.py and its plugins; fails with what they did to the world outside the process."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

DEEDS = ("subprocess.Popen", "socket.connect", "os.mkdir", "os.fork", "os.exec", "os.remove", "os.rename")


def is_deed(event: str, args: tuple[Any, ...]) -> bool:
    if event == "open":
        return bool((args[2] or 0) & (os.O_WRONLY | os.O_RDWR))
    return event in DEEDS


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.dont_write_bytecode = True
    seen: list[Any] = []
    sys.addaudithook(lambda event, args: seen.append((event, args)) if is_deed(event, args) else None)
    for plugin in importlib.import_module("tests.conftest").pytest_plugins:
        importlib.import_module(plugin)
    sys.exit("\n".join(map(str, seen)) or 0)
