"""NVIDIA GPUs: NVML through ctypes (the library that the container runtime mounts), else nvidia-smi, else nothing.

Both can hang for seconds on a sick driver, so `Gpus` reads them in a thread of its own and remembers the last reading.
NVML's structures and numbers: nvml.h of the driver, as the nvidia-ml-py package states them. On an H200 (driver
580.159.04) a reading takes 12 µs; utilisation is of the last fifth of a second, power the mean of the last one.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .smi import Smi

    Reading = list["float | None"]

LIBRARIES = ("libnvidia-ml.so.1", "libnvidia-ml.so")
TEMPERATURE_GPU = 0
INTERVAL_S = 1.0
STALE_S = 15.0
"""A reading that is older says nothing of now: the driver hangs."""
UNKNOWN: Reading = [None] * 5


class Memory(ctypes.Structure):
    """As drivers before 510 tell it: what the driver keeps for itself counts as used."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class Memory2(ctypes.Structure):
    """As nvidia-smi shows it: `used` is what programs have."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("total", ctypes.c_ulonglong),
        ("reserved", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("memory_bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Nvml:
    """The library, opened and initialised. Raises OSError where there is none or it finds no driver."""

    def __init__(self) -> None:
        self._library = _open(LIBRARIES)
        if self._library.nvmlInit_v2() != 0:
            raise OSError("NVML finds no driver")
        count = ctypes.c_uint()
        if self._library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            raise OSError("NVML does not count devices")
        self._handles: list[ctypes.c_void_p] = []
        self._indices: list[int] = []
        for index in range(count.value):
            handle = ctypes.c_void_p()
            if self._library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) == 0:
                self._handles.append(handle)
                self._indices.append(index)

    def devices(self) -> list[dict[str, Any]]:
        return [
            {
                "index": index,
                "uuid": self._text("nvmlDeviceGetUUID", handle),
                "name": self._text("nvmlDeviceGetName", handle),
                "memory_bytes": self._memory(handle)[1],
            }
            for index, handle in zip(self._indices, self._handles)
        ]

    def read(self, chosen: list[int]) -> list[Reading]:
        """Of these, by their place among `devices`: utilisation %, memory used and total in bytes, W, degrees C."""
        readings = []
        for handle in [self._handles[at] for at in chosen]:
            used, total = self._memory(handle)
            power = self._number("nvmlDeviceGetPowerUsage", handle)
            readings.append(
                [
                    self._utilization(handle),
                    used,
                    total,
                    None if power is None else round(power / 1000, 1),
                    self._number("nvmlDeviceGetTemperature", handle, ctypes.c_uint(TEMPERATURE_GPU)),
                ]
            )
        return readings

    def computing(self) -> dict[str, set[int]]:
        """Ids of the processes on each device, by its UUID; 0 is one whose id is not told."""
        found = {}
        for handle in self._handles:
            uuid = self._text("nvmlDeviceGetUUID", handle)
            pids = self._processes(handle)
            if pids and uuid:
                found[uuid] = pids
        return found

    def close(self) -> None:
        """An open driver keeps administrators from resetting a device."""
        self._call("nvmlShutdown")

    def _processes(self, handle: ctypes.c_void_p) -> set[int]:
        count = ctypes.c_uint()
        # Asked without room, the library says how many there are.
        self._call("nvmlDeviceGetComputeRunningProcesses_v3", handle, ctypes.byref(count), None)
        if not count.value:
            return set()
        room = ctypes.c_uint(count.value + 16)  # some may come meanwhile
        processes = (Process * room.value)()
        if not self._call("nvmlDeviceGetComputeRunningProcesses_v3", handle, ctypes.byref(room), processes):
            return {0}
        return {process.pid for process in processes[: room.value]}

    def _call(self, name: str, *args: Any) -> bool:
        function = getattr(self._library, name, None)
        return function is not None and function(*args) == 0

    def _text(self, name: str, handle: ctypes.c_void_p) -> str | None:
        buffer = ctypes.create_string_buffer(96)
        return buffer.value.decode("utf-8", "replace") if self._call(name, handle, buffer, ctypes.c_uint(96)) else None

    def _number(self, name: str, handle: ctypes.c_void_p, *args: Any) -> int | None:
        value = ctypes.c_uint()
        return value.value if self._call(name, handle, *args, ctypes.byref(value)) else None

    def _memory(self, handle: ctypes.c_void_p) -> tuple[int | None, int | None]:
        newer = Memory2(ctypes.sizeof(Memory2) | 2 << 24)
        if self._call("nvmlDeviceGetMemoryInfo_v2", handle, ctypes.byref(newer)):
            return newer.used, newer.total
        memory = Memory()
        if not self._call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory)):
            return None, None
        return memory.used, memory.total

    def _utilization(self, handle: ctypes.c_void_p) -> int | None:
        rates = Utilization()
        return rates.gpu if self._call("nvmlDeviceGetUtilizationRates", handle, ctypes.byref(rates)) else None


class Gpus(threading.Thread):
    """Reads the job's devices once a second, in the background. `devices` is None until they have been looked for."""

    def __init__(self, strangers: set[int]) -> None:
        """`strangers`: the processes below the runner that are none of the job's, in which nvidia-smi is kept."""
        super().__init__(name="gpus", daemon=True)
        self.devices: list[dict[str, Any]] | None = None
        self._latest: list[Reading] = []
        self._read_at = 0.0
        self._strangers = strangers
        self._stop = threading.Event()

    def run(self) -> None:
        source = self._source()
        try:
            found = source.devices() if source else []
            chosen = _of_this_job(found)
            self.devices = [found[at] for at in chosen]
            while source and not self._stop.wait(INTERVAL_S):
                self._latest, self._read_at = source.read(chosen), time.monotonic()
        except (OSError, ValueError):
            self._latest = []
            self.devices = self.devices or []

    def latest(self, now: float) -> list[Reading]:
        """Of each device; nothing before the first."""
        return self._latest if now - self._read_at < STALE_S else [UNKNOWN] * len(self._latest)

    def stop(self) -> None:
        self._stop.set()

    def _source(self) -> Nvml | Smi | None:
        try:
            return Nvml()
        except (OSError, AttributeError):
            return self._second_source()

    def _second_source(self) -> Smi | None:
        try:
            from .smi import Smi

            return Smi(self._strangers)
        except (OSError, ImportError):  # ImportError: the program has removed our files
            return None


def _of_this_job(devices: list[dict[str, Any]]) -> list[int]:
    """A container is shown its own only; a job on this machine is told which are its own, by UUID."""
    own = (os.environ.get("CUDA_VISIBLE_DEVICES") or "").split(",")
    return [at for at, device in enumerate(devices) if device["uuid"] in own] or list(range(len(devices)))


def _open(names: tuple[str, ...]) -> Any:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise OSError("no NVML library")
