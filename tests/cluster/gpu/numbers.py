"""What the stub NVML answers: one text file, written here and read by ``nvml_stub.c`` at every call.

One fact a line, ``WHO KEY VALUE``. WHO is ``system`` or a device's number on the node. A device without a line is not
there; a fact without a line is "not supported". Two keys make errors: ``error`` (every call on the device, for example
15, ``NVML_ERROR_GPU_IS_LOST``) and the name of an NVML function (that call only; ``system nvmlInit_v2 9`` fails all).

    system driver 570.133.20
    0 uuid GPU-6b6d0000-0000-4000-8000-000000000000
    0 power_mw 312500
    0 nvmlDeviceGetTemperature 3
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

COUNT = 8
PRODUCT = "NVIDIA H100 80GB HBM3"
GPU_IS_LOST = 15
NOT_SUPPORTED = 3
NO_PERMISSION = 4

_MEMORY_BYTES = 81559 * 1024**2
_MIG_BYTES = 9984 * 1024**2


@dataclass(frozen=True)
class Device:
    """A GPU as NVML shows it. None: NVML says "not supported"."""

    uuid: str
    """For example ``GPU-6b6d0000-0000-4000-8000-000000000003``."""
    minor: int
    """3 for ``/dev/nvidia3``."""
    name: str = PRODUCT
    utilisation: int | None = 0
    """Percent of the time in which a kernel ran."""
    memory_utilisation: int | None = 0
    """Percent of the time in which memory was read or written."""
    memory_total: int | None = _MEMORY_BYTES
    """Bytes."""
    memory_used: int | None = 0
    """Bytes, without the reserved ones."""
    memory_reserved: int | None = 545 * 1024**2
    """Bytes that the driver keeps."""
    power_mw: int | None = 71_000
    """Milliwatts."""
    temperature: int | None = 31
    """Degrees Celsius."""
    mig: int | None = 0
    """1: MIG mode is on."""
    max_mig: int | None = 7
    parent: int | None = None
    """Of a MIG device: the number of its GPU."""
    processes: str = ""
    """``PID:BYTES PID:BYTES``."""
    error: int | None = None
    """What every call on this device returns, for example ``GPU_IS_LOST``."""
    healthy: int = 1
    """0: the device plugin reports it as unhealthy, and the scheduler stops giving it out. NVML does not show it."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Name of an NVML function -> what it returns."""


@dataclass(frozen=True)
class Numbers:
    devices: Sequence[Device]
    driver: str = "570.133.20"
    cuda: int = 12080
    """1000 x major + 10 x minor."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Name of an NVML function without a device -> what it returns."""


def uuid(index: int) -> str:
    return f"GPU-6b6d0000-0000-4000-8000-{index:012d}"


def idle(count: int = COUNT) -> Numbers:
    """A node whose GPUs do nothing."""
    return Numbers([Device(uuid(index), index) for index in range(count)])


def divided(index: int, used: Sequence[int]) -> list[Device]:
    """The GPU with this number in MIG mode, as a container sees it, and a MIG device for each number of bytes `used`.

    Of the GPU neither utilisation nor, to who is shown a part of it, memory is told; of a MIG device only memory is.
    """
    no = dict.fromkeys(("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"), NO_PERMISSION)
    whole = Device(uuid(index), index, utilisation=None, memory_utilisation=None, mig=1, errors=no)
    part = Device(
        "", index, name=f"{PRODUCT} MIG 1g.10gb", utilisation=None, memory_utilisation=None, memory_total=_MIG_BYTES,
        memory_reserved=0, power_mw=None, temperature=None, mig=None, max_mig=None, parent=index,
    )  # fmt: skip
    return [
        whole,
        *(replace(part, uuid=f"MIG-{uuid(index)[4:-4]}{at:04d}", memory_used=size) for at, size in enumerate(used)),
    ]


def offered(devices: Sequence[Device]) -> list[Device]:
    """What a device plugin gives out, with MIG strategy "single": parts in the place of GPUs that are divided."""
    whole = {device.parent for device in devices}
    return [device for index, device in enumerate(devices) if index not in whole]


def encode(numbers: Numbers) -> str:
    lines = [f"system driver {numbers.driver}", f"system cuda {numbers.cuda}"]
    lines += [f"system {function} {code}" for function, code in numbers.errors.items()]
    for index, device in enumerate(numbers.devices):
        facts = {item.name: getattr(device, item.name) for item in fields(device) if item.name != "errors"}
        facts |= device.errors
        lines += [f"{index} {key} {value}" for key, value in facts.items() if value is not None and value != ""]
    return "\n".join(lines) + "\n"


def decode(text: str) -> Numbers:
    """The inverse of ``encode``."""
    facts: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        who, key, value = line.split(" ", 2)
        facts.setdefault(who, {})[key] = value
    system = facts.pop("system")
    devices = [_device(facts[who]) for who in sorted(facts, key=int)]
    driver, cuda = system.pop("driver"), int(system.pop("cuda"))
    return Numbers(devices, driver, cuda, {key: int(value) for key, value in system.items()})


def write(path: Path, numbers: Numbers) -> None:
    """Replace the file in one step: a reader sees the old numbers or the new ones, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(encode(numbers))
    # Pods run as any user.
    temporary.chmod(0o644)
    temporary.replace(path)


def read(path: Path) -> Numbers:
    return decode(path.read_text())


def _device(facts: Mapping[str, str]) -> Device:
    known = {item.name: item for item in fields(Device) if item.name != "errors"}
    # A number that is not there is None, whatever the default of a new device is.
    values: dict[str, object] = {name: None for name, item in known.items() if "None" in str(item.type)}
    errors = {}
    for key, value in facts.items():
        if key not in known:
            errors[key] = int(value)
        else:
            values[key] = value if known[key].type == "str" else int(value)
    return Device(**values, errors=errors)  # type: ignore[arg-type]
