"""A job's GPUs, read by the real runner through NVML, which the test cluster's stub library answers."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kube_magics.runner.gpus import STALE_S, Gpus, thinned
from kube_magics.runner.nvml import LIBRARIES, LOST, UNKNOWN
from kube_magics.telemetry.heard import Heard
from tests.cluster.gpu import numbers
from tests.cluster.gpu.stub import build
from tests.runner.bundles import Log, Runner, run

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("cc"), reason="the NVML stub needs Linux and a C compiler"
)
GIB = 2**30
TOTAL = 81559 * 1024**2
SLEEP = "import time\ntime.sleep(600)"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


def driver(library: Path, shown: Path, *devices: numbers.Device, **errors: int) -> dict[str, str]:
    """The environment of a machine with these GPUs; `shown` may be written again."""
    numbers.write(shown, numbers.Numbers(devices, errors=errors))
    return {
        "LD_LIBRARY_PATH": str(library.parent),
        "KUBE_MAGICS_NVML_NUMBERS": str(shown),
        "NVIDIA_VISIBLE_DEVICES": "all",
    }


def busy(index: int, percent: int = 40, used: int = GIB) -> numbers.Device:
    return dataclasses.replace(numbers.idle().devices[index], utilisation=percent, memory_used=used)


def by_nvml(environment: dict[str, str]) -> tuple[list[dict[str, Any]], list[list[float | None]]]:
    code = (
        "from kube_magics.runner import nvml\nn = nvml.Nvml()\nfound = n.devices()\n"
        "print([found, n.read(list(range(len(found))))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, check=True, text=True
    )
    devices, readings = eval(done.stdout)
    return devices, readings


def test_what_nvml_tells(library: Path, tmp_path: Path) -> None:
    mute = dataclasses.replace(busy(1, 20), power_mw=None, memory_used=None)
    devices, readings = by_nvml(driver(library, tmp_path / "numbers", busy(0), mute))
    assert devices == [
        {"index": 0, "uuid": numbers.uuid(0), "name": numbers.PRODUCT, "memory_bytes": TOTAL},
        {"index": 1, "uuid": numbers.uuid(1), "name": numbers.PRODUCT, "memory_bytes": None},
    ]
    assert readings == [[40, GIB, TOTAL, 71.0, 31], [20, None, None, None, 31]]


def test_parts_stand_for_a_gpu_that_is_divided(library: Path, tmp_path: Path) -> None:
    """NVML tells no utilisation of MIG devices, and the GPU's own numbers are others' too."""
    parts = numbers.divided(0, [GIB, 2 * GIB])
    devices, readings = by_nvml(driver(library, tmp_path / "numbers", *parts))
    assert [(each["index"], each["uuid"], each["name"]) for each in devices] == [
        (0, part.uuid, "NVIDIA H100 80GB HBM3 MIG 1g.10gb") for part in parts[1:]
    ]
    assert readings == [[None, GIB, 9984 * 1024**2, None, None], [None, 2 * GIB, 9984 * 1024**2, None, None]]
    alone = {**driver(library, tmp_path / "numbers", *parts), "NVIDIA_VISIBLE_DEVICES": parts[2].uuid}
    assert [each["uuid"] for each in by_nvml(alone)[0]] == [parts[2].uuid]
    hidden = driver(library, tmp_path / "numbers", parts[0])
    assert by_nvml(hidden)[1] == [[None, None, None, 71.0, 31]]


def test_a_gpu_that_was_lost_before_is_told_as_lost(library: Path, tmp_path: Path) -> None:
    gone = dataclasses.replace(busy(0), error=numbers.GPU_IS_LOST)
    devices, readings = by_nvml(driver(library, tmp_path / "numbers", gone, busy(1)))
    assert devices[0] == {"index": 0, "uuid": None, "name": None, "memory_bytes": None}
    assert readings == [LOST, [40, GIB, TOTAL, 71.0, 31]]


def until_heard(runner: Runner, condition: Any) -> Heard:
    """What a reader of the log knows as soon as that is so."""
    assert runner.process.stdout
    heard, raw = Heard(), b""
    for line in runner.process.stdout:
        raw += line
        for event in Log(line).events:
            heard = heard.after(event)
        if condition(heard):
            return heard
    raise AssertionError(raw)


@pytest.mark.jobs
def test_numbers_that_change_and_a_gpu_that_is_lost_while_a_job_runs(library: Path, tmp_path: Path) -> None:
    shown = tmp_path / "numbers"
    job = Runner(tmp_path / "job", SLEEP, gpus=2, env=driver(library, shown, busy(0), busy(1)))
    first = until_heard(job, lambda heard: any(each.utilization_percent.now for each in heard.usage.devices))
    assert [each.utilization_percent.now for each in first.usage.devices] == [40, 40]
    gone = dataclasses.replace(busy(1), error=numbers.GPU_IS_LOST)
    numbers.write(shown, numbers.Numbers([busy(0, 95, 70 * GIB), gone]))
    later = until_heard(job, lambda heard: any(each.lost for each in heard.usage.devices))
    assert [(each.lost, each.utilization_percent.now, each.memory_bytes.now) for each in later.usage.devices] == [
        (False, 95, 70 * GIB),
        (True, None, None),
    ]
    job.process.terminate()
    job.wait()


@pytest.mark.jobs
def test_a_short_job_has_its_peaks(library: Path, tmp_path: Path) -> None:
    """It ends before its first batch is due."""
    shown = tmp_path / "numbers"
    log = run(tmp_path / "job", "import time\ntime.sleep(4)", gpus=1, env=driver(library, shown, busy(0, 77)))
    assert 77 in [reading[0] for told in log.all("sample") for reading in told["gpu"][0]]
    assert log.events.index(log.all("sample")[-1]) < log.events.index(log.end)


def test_without_a_driver_a_job_runs_and_its_gpus_are_unknown(library: Path, tmp_path: Path) -> None:
    """Init fails with DRIVER_NOT_LOADED, and there is no nvidia-smi."""
    environment = {**driver(library, tmp_path / "numbers", busy(0), nvmlInit_v2=9), "PATH": str(tmp_path)}
    log = run(tmp_path / "job", "print('ran')", gpus=1, env=environment)
    assert (log.out, log.all("start")[-1]["devices"]) == (b"ran\n", [])


def test_a_driver_that_hangs_keeps_no_job(tmp_path: Path) -> None:
    (tmp_path / "stub.c").write_text("#include <unistd.h>\nint nvmlInit_v2(void) { for (;;) pause(); }\n")
    command = ["cc", "-shared", "-fPIC", "-o", tmp_path / LIBRARIES[0], tmp_path / "stub.c"]
    subprocess.run(command, check=True)
    log = run(tmp_path, "print('ran')", gpus=1, env={"LD_LIBRARY_PATH": str(tmp_path)})
    assert (log.out, log.code, log.all("start")[-1]["devices"]) == (b"ran\n", 0, [])


def test_a_reading_that_is_old_is_unknown() -> None:
    gpus = Gpus(set())
    assert gpus.latest(0.0) == []
    gpus._latest, gpus._read_at = [[1, 2, 3, 4, 5]], 100.0
    assert gpus.latest(101.0) == [[1, 2, 3, 4, 5]]
    assert gpus.latest(100.0 + STALE_S) == [UNKNOWN]


def test_several_devices_are_thinned_to_mean_peak_and_last() -> None:
    one, other = [10, 1, 9, None, None], [20, 4, 9, None, None]
    mean, peak = [15, 2, 9, None, None], [20, 4, 9, None, None]
    assert thinned([one, other]) == [mean, peak, [20, 4]]
    assert thinned([one, other, LOST]) == [mean, peak, LOST]
    assert thinned([LOST, LOST]) == [UNKNOWN, UNKNOWN, LOST]


def test_idle_readings_are_counted_before_they_are_thinned() -> None:
    gpus = Gpus(set())
    for percent in (0, 100, 4, None):
        gpus._latest, gpus._read_at = [[percent, 1, 9, None, None], LOST], float("inf")
        gpus.take(0.0)
    told = gpus.batch()
    assert (told["seen"], told["idle"]) == ([3, 0], [2, 0])
    assert gpus.batch() == {"gpu": []}
