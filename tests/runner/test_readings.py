"""Processor, memory, GPUs: what is read, and in how few words it is told."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kube_magics.runner import nvml, protocol, sampler
from kube_magics.runner import smi as smi_module
from kube_magics.runner.cgroup import Cgroup
from kube_magics.runner.messages import BURST_BYTES, Messages
from kube_magics.runner.smi import Smi
from tests.runner.bundles import Runner, run

STUB = r"""
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { *h = (void *)(long)(i + 1); return 0; }
int nvmlDeviceGetUUID(void *h, char *s, unsigned n) { strcpy(s, h == (void *)1 ? "GPU-a" : "GPU-b"); return 0; }
int nvmlDeviceGetName(void *h, char *s, unsigned n) { strcpy(s, "NVIDIA Stub"); return 0; }
struct m { unsigned long long total, free, used; };
int nvmlDeviceGetMemoryInfo(void *h, struct m *m) { m->total = 85899345920ull; m->used = 1000; m->free = 0; return 0; }
struct u { unsigned gpu, memory; };
int nvmlDeviceGetUtilizationRates(void *h, struct u *u) { u->gpu = (long)h * 10; u->memory = 7; return 0; }
int nvmlDeviceGetPowerUsage(void *h, unsigned *p) { if (h == (void *)2) return 3; *p = 350500; return 0; }
int nvmlDeviceGetTemperature(void *h, int kind, unsigned *t) { *t = 40 + kind; return 0; }
"""
SMI = """#!/bin/sh
[ "$2" = "--format=csv,noheader,nounits" ] && [ "$3" = "--loop=1" ] || exit 9
while cat "${0%/*}/rows"; do : > "$0.said"; sleep 0.2; done
"""
ROWS = """0, GPU-0f, NVIDIA H200, 34, 1024, 143771, 76.41, 31
3, GPU-3f, NVIDIA H200, [N/A], 2, 143771, [N/A], [N/A]
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("folder", ["", "kubepods/x/"])
def test_control_groups_version_2(tmp_path: Path, folder: str) -> None:
    """As a container sees its own group, at the root, and below the host's path."""
    files = {
        "memory.current": "1000\n",
        "memory.stat": "anon 5\ninactive_file 300\n",
        "memory.events": "oom 3\noom_kill 2\n",
        "memory.peak": "5000\n",
        "cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
    }
    write(tmp_path, {"membership": "0::/kubepods/x\n", **{folder + name: text for name, text in files.items()}})
    group = Cgroup(str(tmp_path), str(tmp_path / "membership"))
    assert (group.memory_bytes(), group.oom_kills(), group.peak_bytes(), group.cpu_s()) == (700, 2, 5000, 1.5)


@pytest.mark.parametrize("folder", ["", "a/b/"])
@pytest.mark.parametrize("cpu", ["cpuacct", "cpu,cpuacct"])
def test_control_groups_version_1(tmp_path: Path, folder: str, cpu: str) -> None:
    write(
        tmp_path,
        {
            "membership": "4:memory:/a/b\n2:cpu,cpuacct:/a/b\n0::/\n",
            f"memory/{folder}memory.usage_in_bytes": "1000\n",
            f"memory/{folder}memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
            f"memory/{folder}memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
            f"memory/{folder}memory.max_usage_in_bytes": "5000\n",
            f"{cpu}/{folder}cpuacct.usage": "2500000000\n",
        },
    )
    group = Cgroup(str(tmp_path), str(tmp_path / "membership"))
    assert (group.memory_bytes(), group.oom_kills(), group.peak_bytes(), group.cpu_s()) == (700, 1, 5000, 2.5)


def test_no_control_groups_are_unknown_numbers(tmp_path: Path) -> None:
    group = Cgroup(str(tmp_path), str(tmp_path / "membership"))
    assert (group.memory_bytes(), group.oom_kills(), group.peak_bytes(), group.cpu_s()) == (None,) * 4


class Devices:
    """Stands for the thread that reads devices."""

    def __init__(self, count: int) -> None:
        self._count = count

    def latest(self, now: float) -> list[list[float | None]]:
        return [[100, 85_899_345_920, 85_899_345_920, 700.5, 80]] * self._count


@pytest.mark.parametrize("count", [0, 1, 8])
def test_an_hour_of_telemetry_stays_within_half_a_megabyte(count: int) -> None:
    usage = sampler.Usage(Cgroup("/no", "/no"), own_container=True, strangers=set())
    subject = sampler.Sampler(usage, Devices(count), 0.0)  # type: ignore[arg-type]
    size = 900 * len(protocol.encode_event({"e": "mark", "l": 10**7, "b": 10**9}))
    events = []
    for second in range(1, 3601):
        event = subject.sample(float(second), 1e9 + second)
        if event:
            event["cpu"], event["mem"] = [15.99] * len(event["cpu"]), [85_899_345_920] * len(event["mem"])
            events.append(event)
            assert len(protocol.encode_event(event)) < protocol.MAX_EVENT_BYTES
            size += len(protocol.encode_event(event))
    assert size < 500_000
    assert len(events[0]["cpu"]) == 5
    assert len(events[-1]["cpu"]) == 15
    assert sum(len(event["cpu"]) for event in events) == 3600
    assert {len(event["gpu"]) for event in events} == {count}


def test_several_devices_are_thinned_to_mean_and_peak() -> None:
    assert sampler.thinned([[10, 1, None], [20, 4, None]]) == [[15, 2, None], [20, 4, None]]


def test_the_processes_of_a_job_are_counted_here() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time\nwhile True: time.process_time()"])
    try:
        usage = sampler.Usage(Cgroup(), own_container=False, strangers=set())
        until = time.monotonic() + 30
        cpu_s, memory_bytes = usage.read()
        while not cpu_s and time.monotonic() < until:
            time.sleep(0.02)
            cpu_s, memory_bytes = usage.read()
        assert cpu_s
        assert memory_bytes
        assert memory_bytes > 1_000_000
        assert child.pid in sampler.descendants(os.getpid())
        strangers = set(sampler.descendants(os.getpid()))  # other tests of this process may have left some running
        assert sampler.Usage(Cgroup(), own_container=False, strangers=strangers).read() == (None, None)
    finally:
        child.kill()
        child.wait()


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_nvml_through_its_library(tmp_path: Path) -> None:
    source = tmp_path / "stub.c"
    source.write_text(STUB)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    code = "from kube_magics.runner import nvml\nn = nvml.Nvml()\nprint(n.devices())\nprint(n.read([0, 1]))\nprint(n.read([1]))"
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True, text=True)
    devices, readings, second = map(eval, done.stdout.splitlines())
    total = 85_899_345_920
    assert devices == [
        {"index": 0, "uuid": "GPU-a", "name": "NVIDIA Stub", "memory_bytes": total},
        {"index": 1, "uuid": "GPU-b", "name": "NVIDIA Stub", "memory_bytes": total},
    ]
    assert readings == [[10, 1000, total, 350.5, 40], [20, 1000, total, None, 40]]
    assert second == readings[1:]


def test_a_reading_that_is_old_is_unknown() -> None:
    gpus = nvml.Gpus(set())
    assert gpus.latest(0.0) == []
    gpus._latest, gpus._read_at = [[1, 2, 3, 4, 5]], 100.0
    assert gpus.latest(101.0) == [[1, 2, 3, 4, 5]]
    assert gpus.latest(100.0 + nvml.STALE_S) == [[None] * 5]


def smi(folder: Path, script: str = SMI) -> dict[str, str]:
    """The environment of a machine on which there is an nvidia-smi, and no NVML."""
    (folder / "bin").mkdir()
    command = folder / "bin" / "nvidia-smi"
    command.write_text(script)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    (folder / "bin" / "rows").write_text(ROWS)
    for name in nvml.LIBRARIES:
        (folder / name).write_text("no library")
    return {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "LD_LIBRARY_PATH": str(folder)}


def test_nvidia_smi_is_the_second_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi(tmp_path)["PATH"])
    strangers: set[int] = set()
    source = Smi(strangers)
    mebibyte = 1024 * 1024
    assert source.devices()[1] == {
        "index": 3,
        "uuid": "GPU-3f",
        "name": "NVIDIA H200",
        "memory_bytes": 143771 * mebibyte,
    }
    both = [
        [34, 1024 * mebibyte, 143771 * mebibyte, 76.41, 31],
        [None, 2 * mebibyte, 143771 * mebibyte, None, None],
    ]
    assert source.read([0, 1]) == both
    assert source.read([1]) == both[1:]
    (pid,) = strangers
    try:
        # A device that falls off the bus is unknown after a while, the others are not.
        monkeypatch.setattr(smi_module, "LATE_S", 0.5)
        (tmp_path / "bin" / "rows").write_text(ROWS.partition("\n")[2])
        until = time.monotonic() + 30
        while source.read([0, 1]) != [nvml.UNKNOWN, both[1]]:
            assert time.monotonic() < until
    finally:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    (tmp_path / "bin" / "rows").write_text(ROWS)
    until = time.monotonic() + 30
    while source.read([0, 1]) != both:  # it has been started again
        assert time.monotonic() < until
    (again,) = strangers
    assert again != pid
    os.kill(again, signal.SIGKILL)
    os.waitpid(again, 0)


@pytest.mark.parametrize(
    ("visible", "found"), [("", ["GPU-0f", "GPU-3f"]), ("GPU-3f", ["GPU-3f"]), ("0", ["GPU-0f", "GPU-3f"])]
)
def test_a_job_with_gpus_announces_its_devices(tmp_path: Path, visible: str, found: list[str]) -> None:
    environment = smi(tmp_path)
    said = str(tmp_path / "bin" / "nvidia-smi.said")
    wait = f"import os, time\nwhile not os.path.exists({said!r}):\n    time.sleep(0.01)\ntime.sleep(1.5)"
    log = run(tmp_path, wait, gpus=2, env={**environment, "CUDA_VISIBLE_DEVICES": visible})
    assert [device["uuid"] for device in log.all("start")[-1]["devices"]] == found
    assert log.code == 0


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
    until = time.monotonic() + 30
    while not (asked.exists() and asked.read_text().strip()):
        assert time.monotonic() < until
        time.sleep(0.02)
    runner.signal(signal.SIGTERM)
    log = runner.wait()
    assert log.end["reason"] == "stopped"
    assert not Path("/proc", asked.read_text().strip()).exists()


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_a_driver_that_hangs_keeps_no_job(tmp_path: Path) -> None:
    (tmp_path / "stub.c").write_text("#include <unistd.h>\nint nvmlInit_v2(void) { for (;;) pause(); }\n")
    command = ["cc", "-shared", "-fPIC", "-o", tmp_path / "libnvidia-ml.so.1", tmp_path / "stub.c"]
    subprocess.run(command, check=True)
    log = run(tmp_path, "print('ran')", gpus=1, env={"LD_LIBRARY_PATH": str(tmp_path)})
    assert (log.out, log.code, log.all("start")[-1]["devices"]) == (b"ran\n", 0, [])


def test_a_job_with_gpus_where_there_are_none_runs(tmp_path: Path) -> None:
    log = run(tmp_path, "print('ran')", gpus=1, env=smi(tmp_path, "#!/bin/sh\nexit 9\n"))
    assert (log.out, log.all("start")[-1]["devices"]) == (b"ran\n", [])


def messages(lines: list[bytes]) -> Messages:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    subject = Messages(reader)
    for line in lines:
        os.write(writer, line)
        subject.read(0.0)
    os.close(writer)
    return subject


def test_nothing_passes_as_it_came() -> None:
    subject = messages(
        [
            b'{"e":"end","code":0}\n{"e":"start"}\nnonsense\n[1]\n{"e":["x"]}\n',
            b'{"e":"progress","step":1,"evil":2}\n{"e":"met',
            b'ric","step":2,"values":{"loss":0.5}}\n',
        ]
    )
    assert subject.take(0.0) == [
        {"e": "progress", "step": 1},
        {"e": "metric", "step": 2, "values": {"loss": 0.5}},
    ]


def test_a_flood_of_reports_keeps_its_budget_and_its_newest() -> None:
    line = b'{"e":"metric","step":%d,"values":{"loss":0.1}}\n'
    subject = messages([line % step for step in range(5000)])
    sent = subject.take(0.0)
    assert sum(len(protocol.encode_event(event)) for event in sent) < BURST_BYTES + 100
    assert subject.take(0.0) == []
    later: list[dict[str, Any]] = subject.take(60.0)
    assert [event["step"] for event in later] == [4999]
    assert subject.rest() == []
