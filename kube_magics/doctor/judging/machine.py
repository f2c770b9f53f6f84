"""This machine, where jobs run on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kube_magics.doctor.line import Line, broken, degraded, ok
from kube_magics.spec.quantities import human_bytes


@dataclass(frozen=True)
class Device:
    """One GPU."""

    name: str | None
    memory_bytes: int | None
    busy: bool


@dataclass(frozen=True)
class Machine:
    """What a local job can have."""

    python: str
    """The interpreter that jobs run on."""
    version: str | None
    """What it says of itself; None: it does not start."""
    cores: int
    """That this process may use."""
    memory_bytes: int
    """Available now."""


def machine(found: Machine) -> list[Line]:
    if found.version is None:
        what = f"{found.python} does not start: no job does."
        return [broken("python", what, "%kube config python=   (takes it back: the notebook's own is used)")]
    room = f"{found.cores} cores, {human_bytes(found.memory_bytes)} of memory available"
    return [ok("python", f"{found.version} ({found.python})"), ok("machine", room)]


def devices(found: Sequence[Device], wanted: int) -> Line:
    """By NVML; `wanted`: what jobs ask for by default."""
    free = sum(not device.busy for device in found)
    if not found and wanted:
        what = f"Jobs ask for {wanted} by default, and NVML finds no NVIDIA GPU on this machine."
        return degraded("GPUs", what, "%kube config gpus=   (takes it back), or --cpu-ok")
    if not found:
        return ok("GPUs", "NVML finds no NVIDIA GPU on this machine: jobs run on its CPUs")
    kinds = ", ".join(sorted({f"{each.name or 'GPU'}{_memory(each)}" for each in found}))
    return ok("GPUs", f"{free} of {len(found)} free ({kinds})")


def _memory(device: Device) -> str:
    return f", {human_bytes(device.memory_bytes)}" if device.memory_bytes else ""
