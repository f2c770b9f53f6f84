"""The stub NVML against NVIDIA's own Python binding: same signatures, sizes, offsets, constants."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from ctypes import sizeof
from pathlib import Path
from typing import Any

import pynvml
import pytest

from kube_magics.runner import nvml

from .gpu import numbers
from .gpu.stub import SOURCE, build

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("cc"), reason="the NVML stub needs Linux and a C compiler"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


def ask(library: Path, numbers_file: Path, script: str, environment: Mapping[str, str] | None = None) -> Any:
    """What ``script`` puts into ``answer``, with pynvml in a process of its own (it loads its library once)."""
    program = f"""
import ctypes, json, pynvml
pynvml.CDLL = lambda name: ctypes.CDLL({str(library)!r})
def attempt(function, *arguments):
    try:
        return function(*arguments)
    except pynvml.NVMLError as error:
        return ["error", error.value]
{script}
print(json.dumps(answer, default=lambda item: item.decode()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"KUBE_MAGICS_NVML_NUMBERS": str(numbers_file)} | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return json.loads(done.stdout)


READ_ALL = """
pynvml.nvmlInit()
count = pynvml.nvmlDeviceGetCount()
def read(index):
    device = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(device)
    memory2 = pynvml.nvmlDeviceGetMemoryInfo(device, pynvml.nvmlMemory_v2)
    rates = pynvml.nvmlDeviceGetUtilizationRates(device)
    uuid = pynvml.nvmlDeviceGetUUID(device)
    again = pynvml.nvmlDeviceGetHandleByUUID(uuid.encode() if isinstance(uuid, str) else uuid)
    return {
        "uuid": uuid, "name": pynvml.nvmlDeviceGetName(device), "minor": pynvml.nvmlDeviceGetMinorNumber(device),
        "rates": [rates.gpu, rates.memory], "memory": [memory.total, memory.used, memory.free],
        "memory2": [memory2.total, memory2.used, memory2.free, memory2.reserved],
        "power": pynvml.nvmlDeviceGetPowerUsage(device), "temperature": pynvml.nvmlDeviceGetTemperature(device, 0),
        "mig": pynvml.nvmlDeviceGetMigMode(device), "max_mig": pynvml.nvmlDeviceGetMaxMigDeviceCount(device),
        "index": pynvml.nvmlDeviceGetIndex(again),
        "processes": [
            [item.pid, item.usedGpuMemory] for item in pynvml.nvmlDeviceGetComputeRunningProcesses_v3(device)
        ],
    }
answer = {
    "devices": [read(index) for index in range(count)],
    "driver": pynvml.nvmlSystemGetDriverVersion(), "cuda": pynvml.nvmlSystemGetCudaDriverVersion_v2(),
}
pynvml.nvmlShutdown()
answer["after"] = attempt(pynvml.nvmlDeviceGetCount)
"""


def test_every_number_arrives(library: Path, tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    devices = [
        dataclasses.replace(
            device, utilisation=90 + index, memory_utilisation=40, memory_used=2**33 + index, power_mw=700_000 - index,
            temperature=60 + index, processes="17:4096 18:8192",
        )
        for index, device in enumerate(numbers.idle(2).devices)
    ]  # fmt: skip
    numbers.write(path, numbers.Numbers(devices))
    answer = ask(library, path, READ_ALL)
    total, reserved, used = 81559 * 1024**2, 545 * 1024**2, 2**33 + 1
    assert answer["devices"][1] == {
        "uuid": numbers.uuid(1),
        "name": numbers.PRODUCT,
        "minor": 1,
        "index": 1,
        "rates": [91, 40],
        "memory": [total, used + reserved, total - used - reserved],
        "memory2": [total, used, total - used - reserved, reserved],
        "power": 699_999,
        "temperature": 61,
        "mig": [0, 0],
        "max_mig": 7,
        "processes": [[17, 4096], [18, 8192]],
    }
    assert (len(answer["devices"]), answer["driver"], answer["cuda"]) == (2, "570.133.20", 12080)
    assert answer["after"] == ["error", pynvml.NVML_ERROR_UNINITIALIZED]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("all", [0, 1, 2, 3]), (f"{numbers.uuid(3)},{numbers.uuid(1)}", [1, 3]), ("2", [2]), ("void", []), ("", [])],
)
def test_a_pod_sees_only_its_devices(library: Path, tmp_path: Path, visible: str, expected: list[int]) -> None:
    path = tmp_path / "numbers"
    numbers.write(path, numbers.idle(4))
    answer = ask(library, path, READ_ALL, {"NVIDIA_VISIBLE_DEVICES": visible})
    assert [device["minor"] for device in answer["devices"]] == expected
    assert [device["index"] for device in answer["devices"]] == list(range(len(expected)))


PARTS = """
pynvml.nvmlInit()
gpus = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
def parts(gpu):
    for index in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        try:
            yield pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index)
        except pynvml.NVMLError_NotFound:
            pass
def read(part):
    whole = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part)
    memory = pynvml.nvmlDeviceGetMemoryInfo(part)
    return [
        pynvml.nvmlDeviceGetUUID(whole), pynvml.nvmlDeviceGetUUID(part), pynvml.nvmlDeviceIsMigDeviceHandle(part).value,
        memory.used, attempt(pynvml.nvmlDeviceGetUtilizationRates, part),
    ]
answer = [
    [pynvml.nvmlDeviceGetMigMode(gpu)[0], pynvml.nvmlDeviceIsMigDeviceHandle(gpu).value, attempt(pynvml.nvmlDeviceGetMemoryInfo, gpu)]
    for gpu in gpus[:1]
] + [read(part) for gpu in gpus for part in parts(gpu)]
"""


@pytest.mark.parametrize(("visible", "seen"), [("all", [1, 2]), (numbers.uuid(0), [1, 2]), (None, [2])])
def test_a_gpu_in_mig_mode_has_parts(library: Path, tmp_path: Path, visible: str | None, seen: list[int]) -> None:
    path, devices = tmp_path / "numbers", numbers.divided(0, [4096, 8192])
    numbers.write(path, numbers.Numbers([*devices, dataclasses.replace(numbers.idle(4).devices[3])]))
    whole, *parts = ask(library, path, PARTS, {"NVIDIA_VISIBLE_DEVICES": visible or devices[2].uuid})
    assert whole == [1, 0, ["error", pynvml.NVML_ERROR_NO_PERMISSION]]
    unsupported = ["error", pynvml.NVML_ERROR_NOT_SUPPORTED]
    assert parts == [[devices[0].uuid, devices[at].uuid, 1, 4096 * at, unsupported] for at in seen]


def test_parts_are_given_out_in_the_place_of_their_gpu() -> None:
    whole, *parts = numbers.divided(0, [1, 2])
    other = numbers.idle(4).devices[3]
    assert numbers.offered([whole, *parts, other]) == [*parts, other]


def test_errors_are_set_by_the_file_while_the_process_runs(library: Path, tmp_path: Path) -> None:
    path, lost = tmp_path / "numbers", tmp_path / "lost"
    first, second = numbers.idle(2).devices
    numbers.write(path, numbers.Numbers([first, dataclasses.replace(second, temperature=None)]))
    dying = dataclasses.replace(first, error=numbers.GPU_IS_LOST)
    refusing = dataclasses.replace(second, errors={"nvmlDeviceGetPowerUsage": numbers.NOT_SUPPORTED})
    numbers.write(lost, numbers.Numbers([dying, refusing]))
    answer = ask(
        library,
        path,
        f"""
import os
pynvml.nvmlInit()
first, second = (pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(2))
before = [attempt(pynvml.nvmlDeviceGetTemperature, second, 0), attempt(pynvml.nvmlDeviceGetPowerUsage, second)]
os.replace({str(lost)!r}, {str(path)!r})
after = [attempt(pynvml.nvmlDeviceGetPowerUsage, first), attempt(pynvml.nvmlDeviceGetPowerUsage, second),
         attempt(pynvml.nvmlDeviceGetHandleByIndex, 0), attempt(pynvml.nvmlDeviceGetTemperature, second, 0)]
answer = [before, after]
""",
    )
    lost_code, unsupported = pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_NOT_SUPPORTED
    assert answer == [
        [["error", unsupported], 71_000],
        [["error", lost_code], ["error", unsupported], ["error", lost_code], 31],
    ]


def test_without_numbers_there_is_no_driver(library: Path, tmp_path: Path) -> None:
    answer = ask(library, tmp_path / "none", "answer = attempt(pynvml.nvmlInit)")
    assert answer == ["error", pynvml.NVML_ERROR_DRIVER_NOT_LOADED]


def test_constants_are_nvidias() -> None:
    names = re.search(r"enum \{(.*?)\};", SOURCE.read_text(), re.DOTALL)
    assert names
    ours = dict(re.findall(r"(\w+) = (\d+)", names[1]))
    assert ours.pop("SUCCESS") == str(pynvml.NVML_SUCCESS)
    assert {name: int(code) for name, code in ours.items()} == {
        name: getattr(pynvml, f"NVML_ERROR_{name}") for name in ours
    }
    assert (numbers.GPU_IS_LOST, numbers.NOT_SUPPORTED, numbers.NO_PERMISSION) == (
        pynvml.NVML_ERROR_GPU_IS_LOST,
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_NO_PERMISSION,
    )
    assert (*nvml.GONE,) == (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED)
    assert pynvml.NVML_TEMPERATURE_GPU == 0


def test_layouts_are_nvidias(tmp_path: Path) -> None:
    """The compiler's sizes and offsets of the stub's structs equal those of nvidia-ml-py."""
    structs = {
        "nvmlUtilization_t": pynvml.c_nvmlUtilization_t,
        "nvmlMemory_t": pynvml.c_nvmlMemory_t,
        "nvmlMemory_v2_t": pynvml.c_nvmlMemory_v2_t,
        "nvmlProcessInfo_t": pynvml.c_nvmlProcessInfo_v3_t,
    }
    checks = [f'_Static_assert(MEMORY_V2 == {pynvml.nvmlMemory_v2}u, "version");']
    for name, theirs in structs.items():
        checks.append(f'_Static_assert(sizeof({name}) == {sizeof(theirs)}, "{name}");')
        for member, *_ in theirs._fields_:
            offset, size = getattr(theirs, member).offset, getattr(theirs, member).size
            checks.append(f'_Static_assert(offsetof({name}, {member}) == {offset}, "{name}.{member}");')
            checks.append(f'_Static_assert(sizeof((({name} *)0)->{member}) == {size}, "{name}.{member} size");')
    program = tmp_path / "layouts.c"
    program.write_text(f'#include <stddef.h>\n#include "{SOURCE}"\n' + "\n".join(checks))
    subprocess.run(["cc", "-fsyntax-only", str(program)], check=True)


def test_numbers_round_trip() -> None:
    device = dataclasses.replace(
        numbers.idle(1).devices[0], power_mw=None, error=15, healthy=0, processes="1:2", errors={"nvmlDeviceGetName": 3}
    )
    content = numbers.Numbers([device, *numbers.divided(1, [1, 2])], errors={"nvmlInit_v2": 9})
    assert numbers.decode(numbers.encode(content)) == content
