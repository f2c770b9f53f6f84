"""Processor, memory, GPUs: in how few words they are told, and how soon."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kube_magics.runner import protocol, sampler
from kube_magics.runner.cgroup import Cgroup
from kube_magics.runner.gpus import Gpus
from kube_magics.runner.messages import BURST_BYTES, Messages
from kube_magics.telemetry import usage as telemetry

GIB = 2**30


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


class Devices(Gpus):
    """Which are read at once, at any time."""

    def __init__(self, *readings: list[float | None]) -> None:
        super().__init__(set())
        self.shown = list(readings)

    def latest(self, now: float) -> list[list[float | None]]:
        return self.shown


def sampling(gpus: Gpus) -> sampler.Sampler:
    """From second 0."""
    return sampler.Sampler(sampler.Usage(Cgroup("/no", "/no"), own_container=True, strangers=set()), gpus, 0.0)


@pytest.mark.parametrize("count", [0, 1, 8])
def test_an_hour_of_telemetry_stays_within_half_a_megabyte(count: int) -> None:
    subject = sampling(Devices(*[[100, 85_899_345_920, 85_899_345_920, 700.5, 80]] * count))
    size = 900 * len(protocol.encode_event({"e": "mark", "l": 10**7, "b": 10**9}))
    events = []
    for second in range(1, 3601):
        event = subject.sample(float(second), 1e9 + second)
        if event:
            event["cpu"], event["mem"] = [15.99] * len(event["cpu"]), [85_899_345_920] * len(event["mem"])
            events.append(event)
            assert len(protocol.encode_event(event)) < protocol.MAX_EVENT_BYTES
            size += len(protocol.encode_event(event))
    print(f"{count} devices: {size:,} bytes an hour")
    assert size < 500_000
    assert len(events[0]["cpu"]) == 5
    assert len(events[-1]["cpu"]) == 15
    assert sum(len(event["cpu"]) for event in events) == 3600
    assert {len(event["gpu"]) for event in events} == {count}


@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize(("from_s", "every_s", "within_s"), [(20.3, 11.3, 7), (620.3, 31.3, 17)])
def test_a_card_shows_what_a_gpu_does_a_batch_later_at_most(
    count: int, from_s: float, every_s: float, within_s: float
) -> None:
    """Whenever it changes between two batches; by the clock of this test."""
    gpus = Devices()
    subject, usage = sampling(gpus), telemetry.NOTHING
    changes = [from_s + every_s * each for each in range(50)]
    late: dict[int, float] = {}
    for second in range(1, int(changes[-1]) + 20):
        begun = sum(change <= second - 1 for change in changes)  # a second passes from the driver to the sampler
        gpus.shown = [[begun, begun * GIB, 80 * GIB, 70.0, 31.0]] * count
        usage = usage.after(subject.sample(float(second), 1e9) or {})
        (shown,) = {(each.utilization_percent.now, each.memory_bytes.now) for each in usage.devices} or {(None, None)}
        if shown == (begun, begun * GIB) and begun:
            late.setdefault(begun, second - changes[begun - 1])
    print(f"shown {min(late.values()):.1f} to {max(late.values()):.1f} s later")
    assert len(late) == len(changes)
    assert max(late.values()) < within_s - 0.25  # to the notebook, and until the card is drawn again


def test_what_was_read_since_the_last_batch_is_told_at_the_end() -> None:
    """Else a job's last seconds, and all of a short one, would be in no peak."""
    subject = sampling(Devices([90, GIB, 80 * GIB, 70.0, 31.0]))
    assert subject.rest(0.5, 1e9) is None
    for second in (1.0, 2.0):
        assert subject.sample(second, 1e9) is None
    rest = subject.rest(2.5, 1e9)
    assert rest
    assert (rest["dt"], rest["gpu"]) == (1.25, [[[90, GIB, 80 * GIB, 70.0, 31.0]] * 2])
    assert subject.rest(2.6, 1e9) is None


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
