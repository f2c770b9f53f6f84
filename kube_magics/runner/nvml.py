"""NVIDIA GPUs: NVML through ctypes (the library that the container runtime mounts), else nvidia-smi, else nothing.

Both can hang for seconds on a sick driver, so `Gpus` reads them in a thread of its own and remembers the last reading.
NVML's structures and numbers: nvml.h of the driver, as the nvidia-ml-py package states them.
"""

from __future__ import annotations

import ctypes
import os
import select
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Reading = list["float | None"]

LIBRARIES = ("libnvidia-ml.so.1", "libnvidia-ml.so")
TEMPERATURE_GPU = 0
INTERVAL_S = 1.0
SMI_PATIENCE_S = 10.0


class Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


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

    def read(self) -> list[Reading]:
        """For each device: utilisation %, memory used and total in bytes, power in W, temperature in C."""
        readings = []
        for handle in self._handles:
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

    def busy(self) -> list[str]:
        """UUIDs of the devices on which a process computes: asked without room, the library says how many there are."""
        found = []
        for device, handle in zip(self.devices(), self._handles):
            count = ctypes.c_uint()
            self._call("nvmlDeviceGetComputeRunningProcesses_v3", handle, ctypes.byref(count), None)
            if count.value and device["uuid"]:
                found.append(device["uuid"])
        return found

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
        memory = Memory()
        if not self._call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory)):
            return None, None
        return memory.used, memory.total

    def _utilization(self, handle: ctypes.c_void_p) -> int | None:
        rates = Utilization()
        return rates.gpu if self._call("nvmlDeviceGetUtilizationRates", handle, ctypes.byref(rates)) else None


class Smi:
    """`nvidia-smi`, asked once for each reading. Raises OSError where it is not there or knows no device."""

    FIELDS = "index,uuid,name,utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu"

    def __init__(self) -> None:
        self._rows = self._ask()
        if not self._rows:
            raise OSError("nvidia-smi knows no device")

    def devices(self) -> list[dict[str, Any]]:
        return [
            {"index": int(row[0]), "uuid": row[1], "name": row[2], "memory_bytes": _mebibytes(row[5])}
            for row in self._rows
        ]

    def read(self) -> list[Reading]:
        return [
            [_number(row[3]), _mebibytes(row[4]), _mebibytes(row[5]), _number(row[6]), _number(row[7])]
            for row in self._ask()
        ]

    def _ask(self) -> list[list[str]]:
        """Rows of `0, GPU-…, NVIDIA H200, 34, 1024, 143771, 76.41, 31`; memory in MiB; `[N/A]` where unknown."""
        lines = _output(["nvidia-smi", "--query-gpu=" + self.FIELDS, "--format=csv,noheader,nounits"]).splitlines()
        rows = [[field.strip() for field in line.split(",")] for line in lines]
        return [row for row in rows if len(row) == 8 and row[0].isdigit()]


class Gpus(threading.Thread):
    """Reads the devices once a second, in the background. `devices` is None until they have been looked for."""

    def __init__(self) -> None:
        super().__init__(name="gpus", daemon=True)
        self.devices: list[dict[str, Any]] | None = None
        self.latest: list[Reading] = []
        self._stop = threading.Event()

    def run(self) -> None:
        source = _source()
        try:
            self.devices = source.devices() if source else []
            while source and not self._stop.wait(INTERVAL_S):
                self.latest = source.read()
        except (OSError, ValueError):
            self.latest = []
            self.devices = self.devices or []

    def stop(self) -> None:
        self._stop.set()


def _source() -> Nvml | Smi | None:
    for kind in (Nvml, Smi):
        try:
            return kind()
        except (OSError, AttributeError):
            continue
    return None


def _open(names: tuple[str, ...]) -> Any:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise OSError("no NVML library")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _mebibytes(text: str) -> int | None:
    number = _number(text)
    return None if number is None else int(number) * 1024 * 1024


def _output(argv: list[str]) -> str:
    """Standard output of a command; "" if it fails or takes too long. The supervisor's loop reaps it."""
    read_end, write_end = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, write_end, 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
    except OSError:
        os.close(read_end)
        os.close(write_end)
        raise
    os.close(write_end)
    chunks: list[bytes] = []
    with os.fdopen(read_end, "rb", 0) as pipe:
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while True:
            if not poll.poll(SMI_PATIENCE_S * 1000):
                os.kill(pid, 9)
                return ""
            data = pipe.read(65536)
            if not data:
                return b"".join(chunks).decode("utf-8", "replace")
            chunks.append(data)
