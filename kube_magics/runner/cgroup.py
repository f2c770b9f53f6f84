"""What the kernel knows of this container's memory and processor use: control groups, version 2 or 1."""

from __future__ import annotations

import os

ROOT = "/sys/fs/cgroup"


class Cgroup:
    """The control group of this process. Every reading is None where the kernel does not tell."""

    def __init__(self, root: str = ROOT, membership: str = "/proc/self/cgroup") -> None:
        paths = _paths(membership)
        unified = _folder(root, "", paths.get("", ""), "memory.current")
        self._version = 2 if unified else 1
        self._memory = unified or _folder(root, "memory", paths.get("memory", ""), "memory.usage_in_bytes")
        cpu = "cpuacct" if os.path.isdir(os.path.join(root, "cpuacct")) else "cpu,cpuacct"
        self._cpu = unified or _folder(root, cpu, paths.get("cpuacct", ""), "cpuacct.usage")

    def oom_kills(self) -> int | None:
        """Processes that were killed for want of memory so far."""
        return _field(self._memory, "memory.events" if self._version == 2 else "memory.oom_control", "oom_kill")

    def memory_bytes(self) -> int | None:
        """Memory in use without what the kernel could drop at once: what `kubectl top` shows."""
        used = _number(self._memory, "memory.current" if self._version == 2 else "memory.usage_in_bytes")
        if used is None:
            return None
        field = "inactive_file" if self._version == 2 else "total_inactive_file"
        return max(0, used - (_field(self._memory, "memory.stat", field) or 0))

    def peak_bytes(self) -> int | None:
        """The most memory ever in use, what the kernel could have dropped included."""
        return _number(self._memory, "memory.peak" if self._version == 2 else "memory.max_usage_in_bytes")

    def cpu_s(self) -> float | None:
        """Processor time used so far."""
        if self._version == 2:
            micros = _field(self._cpu, "cpu.stat", "usage_usec")
            return None if micros is None else micros / 1e6
        nanos = _number(self._cpu, "cpuacct.usage")
        return None if nanos is None else nanos / 1e9


def _paths(membership: str) -> dict[str, str]:
    """Controller to path, from lines like `4:memory:/a/b` (version 1) and `0::/a/b` (version 2)."""
    found = {}
    for line in _read(membership).splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                found[controller] = parts[2]
    return found


def _folder(root: str, controller: str, path: str, proof: str) -> str:
    """The group's folder: as its path says, or the root where a container sees its own group there; "" if none."""
    top = os.path.join(root, controller)
    for folder in (os.path.join(top, path.lstrip("/")), top):
        if os.path.exists(os.path.join(folder, proof)):
            return folder
    return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _number(folder: str, name: str) -> int | None:
    text = _read(os.path.join(folder, name)).strip() if folder else ""
    return int(text) if text.isdigit() else None


def _field(folder: str, name: str, field: str) -> int | None:
    """A number in a file of lines `field number`."""
    for line in _read(os.path.join(folder, name)).splitlines() if folder else ():
        key, _, value = line.partition(" ")
        if key == field and value.strip().isdigit():
            return int(value)
    return None
