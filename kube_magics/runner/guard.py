"""Another process, which ends what a runner leaves behind that was killed; travels only with jobs that are not in a
container, where the kernel does that.

A parent-death signal would reach the program alone, not the processes that it has started, and can be had without
a process in between only by forking by hand.
"""

from __future__ import annotations

import os
import time

from .signals import SIGKILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 100
"""Whoever forks faster than it is killed is given up in the end."""
PAUSE_S = 0.02
MOST_FDS = 256
"""A runner that has just begun has fewer."""


def watch(mark: str) -> int:
    """Start the guard of this process; its process id, 0 where no more processes may be started. `mark`: a `NAME=value`
    in the environment of all of the job."""
    runner = os.getpid()
    session = runner if os.getsid(0) == runner else 0
    end, _ours = os.pipe()  # nobody inherits the other end: it is closed when this process ends, however that happens
    try:
        pid = os.fork()  # there is no thread yet
    except OSError:
        pid = 0
    if pid or os.getpid() == runner:
        os.close(end)
        return pid
    try:
        os.setsid()  # a signal to the runner's group must not reach it
        os.dup2(end, 0)
        os.closerange(1, MOST_FDS)
        os.read(0, 1)
        sweep(session, mark)
    finally:
        os._exit(0)


def sweep(session: int, mark: str) -> None:
    """KILL to all that is in the session of the runner, or has the mark in its environment."""
    for _ in range(ROUNDS):
        left = list(_belonging(session, mark.encode()))
        for pid in left:
            try:
                os.kill(pid, SIGKILL)
            except OSError:
                continue
        if not left:
            return
        time.sleep(PAUSE_S)


def _belonging(session: int, mark: bytes) -> Iterator[int]:
    for name in os.listdir("/proc"):
        pid = int(name) if name.isdigit() else 0
        if not pid or pid == os.getpid():
            continue
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                state = file.read().rpartition(b")")[2].split()[0]
            if state in (b"Z", b"X"):
                continue
            if session and os.getsid(pid) == session:
                yield pid
                continue
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    yield pid
        except OSError:
            continue  # it has just ended, or is another user's
