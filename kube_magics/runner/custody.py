"""The user's process and everything below it: signals passed on, time limits, stopping with grace, reaping.

TERM goes to the program's own process alone, as it does to a container's first one. What the program has started is its
own to end: a worker that dies under its hands is an error there, or is waited for without an end, and nothing is saved.
What it leaves behind, when it has ended for a stop, is told too then, and has the rest of the grace. INT goes to its
whole process group, as a terminal's Ctrl-C does: that is what pools, subprocess and shells are made for. A program that
has a handler for TERM has said how it wants to be ended, and hears that one in INT's place.

The steps before and after the program are in the same custody, one after the other: one time limit, one way to stop.
"""

from __future__ import annotations

import os
import time

from .launch import stop_file
from .signals import SIGCHLD, SIGINT, SIGKILL, SIGTERM, STOPPING, hear

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

NEVER = float("inf")
SWEEP_S = 1.0
"""A process that the kernel does not let go of (a hung disk, a hung GPU) is left behind."""


class Custody:
    """Signal handlers only note what came and wake the loop through a pipe; `obey` acts."""

    def __init__(self, pid: int, folder: str, spec: dict[str, Any], now: float, strangers: set[int]) -> None:
        """`strangers`: processes below this one that are none of the program's; they come and go."""
        self.status: int | None = None
        """The wait status of the process in custody, once it has ended, at `ended`."""
        self.ended: float | None = None
        self.last = True
        """Nothing is started after it: once it has ended, it is too late to stop the job."""
        self.asked = ""
        """Why the runner ended it: "timeout", "stopped", or "" if it did not."""
        self._pid = pid
        self._strangers = strangers
        self._folder = folder
        self._grace_s: float = spec.get("grace_s") or 0.0
        self._time_limit = now + spec["timeout_s"] if spec.get("timeout_s") else NEVER
        self._term_at = NEVER
        self._kill_at = NEVER
        self._heirs_told = False
        self._caught: list[int] = []
        self.wakeup, write_end = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(write_end, False)
        hear(self._note, write_end)
        self.reap()

    def take(self, pid: int) -> None:
        """The next process, once the one before has ended."""
        self._pid = pid
        self.status = self.ended = None
        self._heirs_told = False
        self.reap()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._caught.append(number)

    def due(self) -> float:
        return min(self._time_limit, self._term_at, self._kill_at)

    def obey(self, now: float) -> None:
        """Act on what was caught, and on the time."""
        while self._caught:
            number = self._caught.pop(0)
            if number == SIGCHLD:
                self.reap()
            elif number in STOPPING:
                self._ask_to_end("stopped", now, number)
            else:
                self.signal(number)
        if now >= self._time_limit:
            self._time_limit = NEVER
            self._ask_to_end("timeout", now, SIGTERM)
        if now >= self._term_at:
            self._term_at = NEVER
            self.signal(SIGTERM)
        if now >= self._kill_at:
            self._kill_at = NEVER
            self.signal(SIGKILL)

    def _ask_to_end(self, why: str, now: float, number: int) -> None:
        """Tell the program, by file and by signal. INT is followed by TERM at a third of the grace, all by KILL."""
        if self.ended is not None and self.last:
            return
        if number == SIGINT and _catches(self._pid, SIGTERM):
            number = SIGTERM
        if not self.asked:
            self.asked = why
            self._kill_at = now + self._grace_s
            if number == SIGINT:
                self._term_at = now + self._grace_s / 3
            _touch(stop_file(self._folder))
        self.signal(number)

    def signal(self, number: int) -> None:
        """To the user's program; INT and KILL to its whole process group."""
        if self.ended is not None or not self._pid:
            return
        try:
            (os.killpg if number in (SIGINT, SIGKILL) else os.kill)(self._pid, number)
        except OSError:
            return  # it has just ended

    def heirs(self) -> bool:
        """Whether something of a program that has ended for a stop still runs, and has some of the grace left."""
        if not self.asked or self.ended is None or self._kill_at == NEVER:
            return False
        try:
            from .sampler import descendants
        except (ImportError, OSError):
            return False  # the program has removed its own folder
        left = [pid for pid in descendants(os.getpid()) if pid not in self._strangers]
        if left and not self._heirs_told:
            self._heirs_told = True
            _tell(left, SIGTERM)
        return bool(left)

    def reap(self) -> None:
        """Every process that has ended: ours, and orphans that were handed to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self.status = status
                self.ended = time.monotonic()

    def sweep(self) -> None:
        """End what the program left behind, as the end of a container does anyway."""
        if os.getpid() == 1:
            return
        from .sampler import descendants

        until = time.monotonic() + SWEEP_S
        while time.monotonic() < until:
            left = list(descendants(os.getpid()))
            _tell(left, SIGKILL)
            self.reap()
            if not left:
                return
            time.sleep(0.002)


def _catches(pid: int, number: int) -> bool:
    """Whether a process has a handler of its own for a signal; False where the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            caught = [int(line.split()[1], 16) for line in file if line.startswith("SigCgt:")]
    except OSError:
        return False
    return bool(caught and caught[0] >> (number - 1) & 1)


def _tell(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            continue


def _touch(path: str) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        return  # a full disk: the signal tells the program too
