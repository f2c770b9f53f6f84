"""`nvidia-smi` as the second source: what it prints, and what becomes of a job if it does not."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kube_magics.runner import smi as smi_module
from kube_magics.runner.nvml import LIBRARIES, LOST, UNKNOWN
from kube_magics.runner.smi import Smi
from tests.runner.bundles import Runner, run

MEBIBYTE = 1024 * 1024
# Prints the file `rows` again and again, as `--loop=1` does.
PRINTS = """#!/bin/sh
[ "$2" = "--format=csv,noheader,nounits" ] && [ "$3" = "--loop=1" ] || exit 9
while cat "${0%/*}/rows"; do : > "$0.said"; sleep 0.2; done
"""
ROWS = """0, GPU-0f, NVIDIA H200, 34, 1024, 143771, 76.41, 31, Disabled
3, GPU-3f, NVIDIA H200, [N/A], 2, 143771, [N/A], [N/A], [N/A]
"""
BOTH = [
    [34, 1024 * MEBIBYTE, 143771 * MEBIBYTE, 76.41, 31],
    [None, 2 * MEBIBYTE, 143771 * MEBIBYTE, None, None],
]
# As a container of Kubernetes with a MIG device printed it (driver 535.161.08), and as who may see the memory does.
IN_A_PART = "0, GPU-0f, NVIDIA A100-SXM4-80GB, [N/A], [Insufficient Permissions], [Insufficient Permissions], 87.31, 47, Enabled"
BY_ADMINISTRATORS = "0, GPU-0f, NVIDIA A100-SXM4-80GB, [N/A], 23100, 81920, 163.00, 38, Enabled"
OLD = "0, GPU-0f, GeForce GTX 960M, [Not Supported], 82, 4046, [Not Supported], 44"
ALL_LOST = ", ".join(["1", "GPU-3f", "NVIDIA H200", *["[GPU is lost]"] * 6])
NAMELESS = ", ".join(["3", *["[GPU is lost]"] * 8])
RESET = "3, GPU-3f, NVIDIA H200, [GPU requires reset], [GPU requires reset], 143771, [N/A], [N/A], Disabled"


def smi(folder: Path, script: str = PRINTS, rows: str = ROWS) -> dict[str, str]:
    """The environment of a machine on which there is an nvidia-smi, and no NVML."""
    (folder / "bin").mkdir()
    command = folder / "bin" / "nvidia-smi"
    command.write_text(script)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    print_from_now(folder, rows)
    for name in LIBRARIES:
        (folder / name).write_text("no library")
    return {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "LD_LIBRARY_PATH": str(folder)}


def print_from_now(folder: Path, rows: str) -> None:
    """In one step."""
    (folder / "bin" / "next").write_text(rows)
    (folder / "bin" / "next").replace(folder / "bin" / "rows")


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Smi]]:
    """Opens a source whose nvidia-smi prints these rows."""
    strangers: set[int] = set()

    def open_source(rows: str) -> Smi:
        monkeypatch.setenv("PATH", smi(tmp_path, rows=rows)["PATH"])
        return Smi(strangers)

    yield open_source
    for pid in strangers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def until(source: Smi, readings: list[Any]) -> None:
    deadline = time.monotonic() + 60
    while (found := source.read(list(range(len(readings))))) != readings:
        assert time.monotonic() < deadline, found


def test_it_tells_what_nvml_would(opened: Callable[[str], Smi]) -> None:
    source = opened(ROWS)
    assert source.devices()[1] == {
        "index": 3,
        "uuid": "GPU-3f",
        "name": "NVIDIA H200",
        "memory_bytes": 143771 * MEBIBYTE,
    }
    assert source.read([0, 1]) == BOTH
    assert source.read([1]) == BOTH[1:]


@pytest.mark.parametrize("row", [IN_A_PART, BY_ADMINISTRATORS])
def test_a_gpu_that_is_divided_has_no_numbers_of_the_jobs(opened: Callable[[str], Smi], row: str) -> None:
    source = opened(row + "\n")
    assert source.devices() == [
        {"index": 0, "uuid": "GPU-0f", "name": "NVIDIA A100-SXM4-80GB MIG", "memory_bytes": None}
    ]
    assert source.read([0]) == [UNKNOWN]


def test_what_drivers_before_470_do_not_support_is_unknown(opened: Callable[[str], Smi]) -> None:
    assert opened(OLD + "\n").read([0]) == [[None, 82 * MEBIBYTE, 4046 * MEBIBYTE, None, 44]]


@pytest.mark.parametrize("row", [NAMELESS, ALL_LOST, RESET])
def test_a_device_that_falls_off_the_bus_is_lost_and_the_others_are_not(
    opened: Callable[[str], Smi], tmp_path: Path, row: str
) -> None:
    source = opened(ROWS)
    print_from_now(tmp_path, ROWS.splitlines()[0] + f"\n{row}\n")
    until(source, [BOTH[0], LOST])


def test_a_device_that_was_lost_before_has_no_name(opened: Callable[[str], Smi]) -> None:
    source = opened(f"{ROWS.splitlines()[0]}\n{NAMELESS}\n")
    assert source.devices()[1] == {"index": 3, "uuid": None, "name": None, "memory_bytes": None}
    assert source.read([0, 1]) == [BOTH[0], LOST]


def test_a_device_that_is_not_told_of_is_unknown_and_an_end_is_a_new_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", smi(tmp_path)["PATH"])
    monkeypatch.setattr(smi_module, "LATE_S", 0.5)
    monkeypatch.setattr(smi_module, "PAUSE_S", 0.1)
    strangers: set[int] = set()
    source = Smi(strangers)
    (pid,) = strangers
    try:
        print_from_now(tmp_path, ROWS.partition("\n")[2])
        until(source, [UNKNOWN, BOTH[1]])
    finally:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    print_from_now(tmp_path, ROWS)
    until(source, BOTH)
    (again,) = strangers
    assert again != pid
    os.kill(again, signal.SIGKILL)
    os.waitpid(again, 0)


ONCE = """#!/bin/sh
echo started >> "${0%/*}/starts"
cat "${0%/*}/rows"
"""


def test_one_that_ends_each_time_is_not_started_each_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As once a device is lost, whatever others there are."""
    monkeypatch.setenv("PATH", smi(tmp_path, ONCE)["PATH"])
    monkeypatch.setattr(smi_module, "LATE_S", 0.1)
    monkeypatch.setattr(smi_module, "PAUSE_S", 3600.0)
    strangers: set[int] = set()
    source = Smi(strangers)
    until(source, [UNKNOWN, UNKNOWN])
    os.waitpid(*strangers, 0)
    source.read([0, 1])
    assert (tmp_path / "bin" / "starts").read_text() == "started\n"


KNOWS_NO_MIG = """#!/bin/sh
case $1 in *mig*) echo 'Field "mig.mode.current" is not a valid field to query.'; exit 2 ;; esac
while cat "${0%/*}/rows"; do : > "$0.said"; sleep 0.2; done
"""


@pytest.mark.parametrize(
    ("script", "visible", "found"),
    [
        (PRINTS, "", ["GPU-0f", "GPU-3f"]),
        (PRINTS, "GPU-3f", ["GPU-3f"]),
        (PRINTS, "0", ["GPU-0f", "GPU-3f"]),
        (KNOWS_NO_MIG, "", ["GPU-0f", "GPU-3f"]),
    ],
)
def test_a_job_with_gpus_announces_its_devices(tmp_path: Path, script: str, visible: str, found: list[str]) -> None:
    environment = smi(tmp_path, script)
    said = str(tmp_path / "bin" / "nvidia-smi.said")
    wait = f"import os, time\nwhile not os.path.exists({said!r}):\n    time.sleep(0.01)\ntime.sleep(1.5)"
    log = run(tmp_path, wait, gpus=2, env={**environment, "CUDA_VISIBLE_DEVICES": visible})
    assert [device["uuid"] for device in log.all("start")[-1]["devices"]] == found
    assert log.code == 0


@pytest.mark.parametrize(
    "said",
    [
        "No devices were found",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "Failed to initialize NVML: Driver/library version mismatch",
    ],
)
def test_a_job_with_gpus_where_there_are_none_runs(tmp_path: Path, said: str) -> None:
    log = run(tmp_path, "print('ran')", gpus=1, env=smi(tmp_path, f'#!/bin/sh\necho "{said}"\nexit 9\n'))
    assert (log.out, log.all("start")[-1]["devices"]) == (b"ran\n", [])


HANGING = """#!/bin/sh
trap '' TERM INT
echo $$ > "$ASKED"
read never < "$ASKED.fifo"
"""


def test_an_nvidia_smi_that_hangs_keeps_no_job(tmp_path: Path) -> None:
    """It is no process of the job's: nothing waits for its end, its use is not the job's, and it goes with the job."""
    asked = tmp_path / "asked"
    os.mkfifo(f"{asked}.fifo")  # nobody ever writes into it
    grace_s = 3600  # which a job's own heirs would have
    runner = Runner(
        tmp_path,
        "import time\ntime.sleep(60)",
        gpus=1,
        grace_s=grace_s,
        env={**smi(tmp_path, HANGING), "ASKED": str(asked)},
    )
    until_s = time.monotonic() + 30
    while not (asked.exists() and asked.read_text().strip()):
        assert time.monotonic() < until_s
        time.sleep(0.02)
    runner.signal(signal.SIGTERM)
    log = runner.wait()
    assert log.end["reason"] == "stopped"
    assert not Path("/proc", asked.read_text().strip()).exists()
