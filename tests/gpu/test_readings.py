"""What is read of a real GPU beside what nvidia-smi says at the same time; `-s` shows both."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kube_magics.runner import nvml
from kube_magics.runner.smi import Smi
from tests.gpu import device
from tests.gpu.notebook import Notebook, eventually
from tests.runner import bundles

pytestmark = [pytest.mark.gpu, pytest.mark.alone]

FIELDS = "utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu"
NAMES = ("utilisation %", "memory used", "memory total", "power W", "temperature C")
LOAD = """%%kubetrain --gpus 1 --name load --detach
import time, torch
block = torch.empty({size}, dtype=torch.uint8, device="cuda")
a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
product = a @ a
torch.cuda.synchronize()
print("begun", flush=True)
until = time.monotonic() + 14
while time.monotonic() < until:
    for _ in range(20):
        torch.mm(a, a, out=product)
    torch.cuda.synchronize()
print("ended", flush=True)
"""
Readings = list[list[float]]


@pytest.fixture(scope="module")
def driver() -> nvml.Nvml:
    return nvml.Nvml()


def theirs() -> list[float]:
    """The same five numbers, from nvidia-smi."""
    used = device.asked(FIELDS)[0]
    return [float(used[0]), float(used[1]) * device.MEBIBYTE, float(used[2]) * device.MEBIBYTE, *map(float, used[3:])]


def ours(driver: nvml.Nvml) -> list[float]:
    (reading,) = driver.read([0])
    assert None not in reading, reading
    return [float(number or 0) for number in reading]


def test_the_device_is_called_as_nvidia_smi_calls_it(driver: nvml.Nvml) -> None:
    (index, uuid, name, total), *others = device.asked("index,uuid,name,memory.total")
    found, *more = driver.devices()
    assert (found["index"], found["uuid"], found["name"], len(more)) == (int(index), uuid, name, len(others))
    assert found["memory_bytes"] // device.MEBIBYTE == int(total)
    print(f"\n{name}, driver {device.asked('driver_version')[0][0]}, {uuid}")


def test_idle(driver: nvml.Nvml) -> None:
    beside, read = theirs(), ours(driver)
    shown("idle", [read], [beside])
    assert abs(read[1] - beside[1]) <= device.MEBIBYTE
    assert read[2] // device.MEBIBYTE == beside[2] // device.MEBIBYTE
    assert abs(read[0] - beside[0]) <= 5
    assert abs(read[4] - beside[4]) <= 3


def test_under_load(driver: nvml.Nvml, dark: Notebook) -> None:
    """A known block of memory, and matrix products without a pause: by NVML, by nvidia-smi, and in the job's events."""
    size = min(10 * device.GIBIBYTE, int(ours(driver)[2]) // 2)
    before = ours(driver)
    dark.right(LOAD.format(size=size))
    dark.says("load", b"begun")
    time.sleep(2)
    read: Readings = []
    beside: Readings = []
    while b"ended" not in dark.log("load").out:
        read.append(ours(driver))
        beside.append(theirs())
        time.sleep(0.5)
    eventually(lambda: dark.log("load").all("end"), "the end of the job")
    read, beside = read[:-1], beside[:-1]  # the last may be of after the load
    shown("under load", read, beside)
    told = [reading for event in dark.log("load").all("sample") for reading in event["gpu"][0]]
    loaded = [reading for reading in told if reading[1] >= size][2:-1]
    shown("in the job's events", loaded, beside)
    print(f"memory: {(median(read)[1] - before[1]) / device.MEBIBYTE:.0f} MiB more, {size / device.MEBIBYTE:.0f} asked")
    for found in (median(read), median(loaded)):
        assert found[0] >= 90
        assert abs(found[0] - median(beside)[0]) <= 5
        assert abs(found[1] - median(beside)[1]) <= device.MEBIBYTE
        assert found[3] == pytest.approx(median(beside)[3], rel=0.1)
        assert abs(found[4] - median(beside)[4]) <= 4
    assert size < median(read)[1] - before[1] < size + 2 * device.GIBIBYTE
    (start, *_) = (event for event in dark.log("load").all("start") if event["devices"])
    assert start["devices"] == driver.devices()


def test_nvidia_smi_as_the_second_source_tells_the_same(driver: nvml.Nvml) -> None:
    strangers: set[int] = set()
    second = Smi(strangers)
    try:
        assert second.devices() == [
            {**each, "memory_bytes": each["memory_bytes"] // device.MEBIBYTE * device.MEBIBYTE}
            for each in driver.devices()
        ]
        (told,), (read,) = second.read([0]), driver.read([0])
    finally:
        for pid in strangers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    shown("nvidia-smi as our second source", [list(told)], [list(read)])
    assert None not in told
    assert abs(told[1] - read[1]) <= device.MEBIBYTE  # type: ignore[operator]


def test_a_job_without_nvml_reads_by_nvidia_smi(driver: nvml.Nvml, tmp_path: Path) -> None:
    """The library is hidden from the runner, not from nvidia-smi."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "")
    write(tmp_path / "lib" / "libnvidia-ml.so.1", "no library")
    write(tmp_path / "lib" / "libnvidia-ml.so", "no library")
    command = (
        f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "$(PATH="{os.environ["PATH"]}" command -v nvidia-smi)" "$@"\n'
    )
    write(tmp_path / "bin" / "nvidia-smi", command)
    env = {
        "LD_LIBRARY_PATH": f"{tmp_path / 'lib'}{os.pathsep}{libraries}",
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    log = bundles.run(tmp_path / "job", "import time\ntime.sleep(8)", gpus=1, env=env)
    devices = log.all("start")[-1]["devices"]
    assert [each["uuid"] for each in devices] == [each["uuid"] for each in driver.devices()]
    assert devices[0]["memory_bytes"] % device.MEBIBYTE == 0
    told = [reading for event in log.all("sample") for reading in event["gpu"][0]]
    assert len(told) >= 3
    assert abs(told[-1][1] - ours(driver)[1]) <= 8 * device.MEBIBYTE
    print(f"by nvidia-smi in a job: {told[-1]}; the job, which slept: cpu {[e['cpu'] for e in log.all('sample')]}")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def median(readings: Sequence[Sequence[Any]]) -> list[float]:
    return [statistics.median(column) for column in zip(*readings, strict=True)]


def shown(what: str, read: Sequence[Sequence[Any]], beside: Sequence[Sequence[Any]]) -> None:
    sys.stdout.write(f"\n{what}: {len(read)} readings, {len(beside)} of the other; medians\n")
    for name, one, other in zip(NAMES, median(read), median(beside), strict=True):
        sys.stdout.write(f"  {name:<14} {one:>16.1f} {other:>16.1f}   difference {one - other:+.1f}\n")
