"""Who still holds the program's output after the grace that the end of the program gives; imported only then."""

from __future__ import annotations

import os

from .sampler import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED = 3


def sentence(inodes: Iterable[int], grace_s: float) -> str:
    """`inodes`: of the pipes."""
    pipes = {f"pipe:[{inode}]" for inode in inodes}
    found = [pid for pid in descendants(os.getpid()) if not pipes.isdisjoint(_open_files(pid))]
    names = ", ".join(f"{_command(pid)} (pid {pid})" for pid in found[:NAMED])
    names += f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    what = f"what it has left running holds its output: {names}" if names else "something still holds its output"
    return f"the program ended {grace_s:g} s ago, and {what}. The job ends without that"


def _open_files(pid: int) -> set[str]:
    folder = f"/proc/{pid}/fd"
    found = set()
    try:
        for name in os.listdir(folder):
            found.add(os.readlink(os.path.join(folder, name)))
    except OSError:
        return found  # it has just ended, or is another user's
    return found


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"
