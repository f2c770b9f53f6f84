"""Processor, memory and GPUs, read once a second and told in few words.

Budget: half a megabyte an hour for each worker, because the log rotates and telemetry must not push the user's lines
out. So readings travel in arrays, every 5 s for the first ten minutes and every 15 s afterwards; those of several
devices are thinned (`gpus.py`).
"""

from __future__ import annotations

import os

from .cgroup import Cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .gpus import Gpus

EVERY_S = 1.0
BATCH_S = 5.0
LATER_BATCH_S = 15.0
LATER_AFTER_S = 600.0


class Usage:
    """Processor time and memory of the job: the container's control group, or here, the processes below the runner."""

    def __init__(self, cgroup: Cgroup, own_container: bool, strangers: set[int]) -> None:
        """`strangers`: the processes below the runner that are none of the job's; they come and go."""
        self._cgroup = cgroup
        self._own_container = own_container
        self._strangers = strangers

    def read(self) -> tuple[float | None, int | None]:
        """Seconds of processor time so far, bytes in use now."""
        if self._own_container:
            cpu_s, memory_bytes = self._cgroup.cpu_s(), self._cgroup.memory_bytes()
            if cpu_s is not None and memory_bytes is not None:
                return cpu_s, memory_bytes
        return _of_processes([pid for pid in descendants(os.getpid()) if pid not in self._strangers])


class Sampler:
    """Collects readings; `sample` gives an event when a batch of them is due."""

    def __init__(self, usage: Usage, gpus: Gpus | None, now: float) -> None:
        self.peak_memory_bytes: int | None = None
        self._usage = usage
        self._gpus = gpus
        self._began = now
        self._batch_began = now
        self._next = now + EVERY_S
        self._last = now
        self._last_cpu_s: float | None = usage.read()[0]
        self._clear()

    def _clear(self) -> None:
        self._cpu: list[float | None] = []
        self._memory: list[int | None] = []

    def due(self) -> float:
        return self._next

    def sample(self, now: float, unix_time: float) -> dict[str, Any] | None:
        """Take a reading if it is time; the event if it is time for that too."""
        if now < self._next:
            return None
        self._take(now)
        self._next = max(self._next + EVERY_S, now + EVERY_S / 2)  # after a pause, no burst
        long_ago = now - self._began > LATER_AFTER_S
        if now - self._batch_began < (LATER_BATCH_S if long_ago else BATCH_S) - EVERY_S / 2:
            return None
        return self._batch(now, unix_time)

    def _take(self, now: float) -> None:
        cpu_s, memory_bytes = self._usage.read()
        cores = None
        if cpu_s is not None and self._last_cpu_s is not None and now > self._last:
            cores = round(max(0.0, cpu_s - self._last_cpu_s) / (now - self._last), 2)
        self._last, self._last_cpu_s = now, cpu_s
        self._cpu.append(cores)
        self._memory.append(memory_bytes)
        if memory_bytes is not None:
            self.peak_memory_bytes = max(memory_bytes, self.peak_memory_bytes or 0)
        if self._gpus:
            self._gpus.take(now)

    def rest(self, now: float, unix_time: float) -> dict[str, Any] | None:
        """What was read since the last event, at the end."""
        return self._batch(now, unix_time) if self._cpu else None

    def _batch(self, now: float, unix_time: float) -> dict[str, Any]:
        took = now - self._batch_began
        event: dict[str, Any] = {
            "e": "sample",
            "t": round(unix_time - took, 1),
            "dt": round(took / len(self._cpu), 2),
            "cpu": self._cpu,
            "mem": self._memory,
            "gpu": [],
        }
        if self._gpus:
            event.update(self._gpus.batch())
        self._batch_began = now
        self._clear()
        return event


def descendants(pid: int) -> Iterator[int]:
    """The processes below `pid`, by the kernel's own lists of children."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                children = file.read().split()
        except OSError:
            continue
        for child in children:
            yield int(child)
            yield from descendants(int(child))


def _of_processes(pids: list[int]) -> tuple[float | None, int | None]:
    """Processor time (with that of their ended children) and resident memory, shared pages counted each time."""
    ticks = os.sysconf("SC_CLK_TCK")
    page = os.sysconf("SC_PAGE_SIZE")
    cpu_s: float | None = None
    memory_bytes: int | None = None
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        cpu_s = (cpu_s or 0.0) + sum(map(int, fields[11:15])) / ticks
        memory_bytes = (memory_bytes or 0) + int(fields[21]) * page
    return cpu_s, memory_bytes
