"""Names of jobs as they were last seen, for a shell that completes them: it asks a new process each time."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kube_magics.backends.jobfolder import state_folder, write_atomically

MOST = 200


def read() -> list[str]:
    """The newest first; empty where none are known."""
    try:
        return _file().read_text("utf-8").split()
    except (OSError, ValueError):
        return []


def write(names: Iterable[str]) -> None:
    """A state folder that cannot be written to keeps no names, and nothing worse."""
    with suppress(OSError):
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_file(), "\n".join(list(names)[:MOST]))


def _file() -> Path:
    return state_folder() / "names"
