"""What a process holds this moment, as the system counts it: for leaks, and for what following costs."""

from __future__ import annotations

from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Held:
    """Of one process, or of several together."""

    cpu_s: float
    """User and system, of the processes alone: what their children have cost is theirs."""
    memory_mb: float
    """Resident, what it shares with others counted in equal parts (PSS)."""
    files: int
    """Descriptors, connections included."""
    threads: int
    connections: int
    """TCP, established."""

    def __add__(self, other: Held) -> Held:
        return Held(
            self.cpu_s + other.cpu_s,
            self.memory_mb + other.memory_mb,
            self.files + other.files,
            self.threads + other.threads,
            self.connections + other.connections,
        )

    def __str__(self) -> str:
        return (
            f"{self.memory_mb:.1f} MB, {self.files} descriptors, {self.threads} threads, {self.connections} connections"
        )


def held(pid: int, port: int | None = None) -> Held:
    """By process `pid`; its connections to `port` of whatever host, or all."""
    process = psutil.Process(pid)
    with process.oneshot():
        times, full = process.cpu_times(), process.memory_full_info()
        found = [
            each for each in process.net_connections("tcp") if each.status == psutil.CONN_ESTABLISHED and each.raddr
        ]
        return Held(
            cpu_s=times.user + times.system,
            memory_mb=full.pss / 1e6,
            files=process.num_fds(),
            threads=process.num_threads(),
            connections=sum(port is None or each.raddr.port == port for each in found),
        )
