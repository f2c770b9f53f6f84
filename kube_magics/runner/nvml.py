"""NVIDIA GPUs, by NVML through ctypes: the library that the container runtime mounts.

Its structures and numbers: nvml.h of the driver, as the nvidia-ml-py package states them. On an H200 (driver
580.159.04) a reading takes 12 µs; utilisation is of the last fifth of a second, power the mean of the last one. Of MIG
devices NVML tells the memory alone: utilisation, power and temperature are those of the whole GPU, which others share.
"""

from __future__ import annotations

import ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Reading = list["float | None"]

LIBRARIES = ("libnvidia-ml.so.1", "libnvidia-ml.so")
TEMPERATURE_GPU = 0
GONE = (15, 16)
"""GPU_IS_LOST: it has fallen off the bus, or cannot be reached for another reason; RESET_REQUIRED."""
UNKNOWN: Reading = [None] * 5
LOST: Reading = []
"""Of a device that the driver has lost."""


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
        self._lost = False
        """A call was answered so."""
        self._found: list[tuple[int, ctypes.c_void_p | None]] = []
        """By the index of the GPU; a handle is None where the driver had lost the device before."""
        for index in range(count.value):
            handle = ctypes.c_void_p()
            error = self._library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle))
            if error == 0:
                self._found += [(index, each) for each in list(self._instances(handle)) or [handle]]
            elif error in GONE:
                self._found.append((index, None))

    def devices(self) -> list[dict[str, Any]]:
        """Of MIG devices the index is that of their GPU. Of one that was lost before nothing else is known."""
        return [
            {
                "index": index,
                "uuid": handle and self._text("nvmlDeviceGetUUID", handle),
                "name": handle and self._text("nvmlDeviceGetName", handle),
                "memory_bytes": handle and self._memory(handle)[1],
            }
            for index, handle in self._found
        ]

    def read(self, chosen: list[int]) -> list[Reading]:
        """Of these, by their place among `devices`: utilisation %, memory used and total in bytes, W, degrees C."""
        return [self._reading(self._found[at][1]) for at in chosen]

    def _reading(self, handle: ctypes.c_void_p | None) -> Reading:
        if handle is None:
            return LOST
        self._lost = False
        used, total = self._memory(handle)
        power = self._number("nvmlDeviceGetPowerUsage", handle)
        found = [
            self._utilization(handle),
            used,
            total,
            None if power is None else round(power / 1000, 1),
            self._number("nvmlDeviceGetTemperature", handle, ctypes.c_uint(TEMPERATURE_GPU)),
        ]
        return LOST if self._lost and found == UNKNOWN else found

    def _instances(self, handle: ctypes.c_void_p) -> Iterator[ctypes.c_void_p]:
        """The MIG devices of a GPU that this container is shown; none of a GPU that is not divided."""
        mode, pending = ctypes.c_uint(), ctypes.c_uint()
        if not self._call("nvmlDeviceGetMigMode", handle, ctypes.byref(mode), ctypes.byref(pending)) or not mode.value:
            return
        for at in range(self._number("nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
            instance = ctypes.c_void_p()
            if self._call("nvmlDeviceGetMigDeviceHandleByIndex", handle, ctypes.c_uint(at), ctypes.byref(instance)):
                yield instance

    def computing(self) -> dict[str, set[int]]:
        """Ids of the processes on each device, by its UUID; 0 is one whose id is not told."""
        found = {}
        for handle in [handle for _, handle in self._found if handle]:
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
        error = None if function is None else function(*args)
        self._lost = self._lost or error in GONE
        return error == 0

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


def _open(names: tuple[str, ...]) -> Any:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise OSError("no NVML library")
