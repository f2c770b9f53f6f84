"""From the runner's readings to what a job uses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.runner.gpus import Gpus
from kube_magics.telemetry.heard import Heard
from kube_magics.telemetry.usage import LONGEST_INTERVAL_S, MOST_DEVICES, MOST_POINTS, Usage

GIB = 2**30


def sample(
    *devices: list[list[float | None]], cpu: Any = (1.0,) * 5, mem: Any = (GIB,) * 5, **more: Any
) -> dict[str, Any]:
    return {"e": "sample", "t": 1e9, "dt": 1.0, "cpu": list(cpu), "mem": list(mem), "gpu": list(devices), **more}


def reading(busy: float | None, used: float | None = GIB) -> list[float | None]:
    return [busy, used, 80 * GIB, 300.0, 50.0]


def heard(*events: dict[str, Any]) -> Usage:
    usage = Usage()
    for event in events:
        usage = usage.after(event)
    return usage


def told(*seconds: list[list[float | None]]) -> dict[str, Any]:
    """The event of a runner that has read its devices so, second by second."""
    gpus = Gpus(set())
    for each in seconds:
        gpus._latest, gpus._read_at = each, float("inf")
        gpus.take(0.0)
    return {**sample(cpu=[1.0] * len(seconds), mem=[GIB] * len(seconds)), **gpus.batch()}


def test_of_one_device_every_reading_counts() -> None:
    usage = heard(told(*([reading(each, GIB * (1 + each / 50))] for each in (0, 0, 100, 100, 25))))
    (device,) = usage.devices
    assert (device.utilization_percent.points, device.utilization_percent.peak) == ((45.0,), 100.0)
    assert (device.utilization_percent.now, device.memory_bytes.now) == (25.0, 1.5 * GIB)
    assert (device.memory_bytes.peak, device.memory_total_bytes) == (3 * GIB, 80 * GIB)
    assert (device.idle_s, device.seen_s) == (2.0, 5.0)


def test_of_several_devices_the_same_is_known() -> None:
    one = heard(told(*([reading(each)] for each in (0, 0, 0, 90, 0))))
    usage = heard(told(*([reading(each), reading(1)] for each in (0, 0, 0, 90, 0))))
    assert [each.utilization_percent.points for each in usage.devices] == [(18.0,), (1.0,)]
    assert [each.utilization_percent.now for each in usage.devices] == [0, 1]
    assert [each.utilization_percent.peak for each in usage.devices] == [90, 1]
    assert [(each.idle_s, each.seen_s) for each in usage.devices] == [(4.0, 5.0), (5.0, 5.0)]
    assert (usage.idle_gpu_s, usage.seen_gpu_s) == (9.0, 10.0)
    assert one.devices == usage.devices[:1]


def test_of_a_part_of_a_gpu_only_its_memory_is_known() -> None:
    part = [None, GIB, 10 * GIB, None, None]
    usage = heard(told(*[[part, part]] * 5))
    assert [(each.utilization_percent.now, each.memory_bytes.now) for each in usage.devices] == [(None, GIB)] * 2
    assert (usage.idle_gpu_s, usage.seen_gpu_s) == (None, None)


@pytest.mark.parametrize("others", [0, 1])
def test_a_device_that_is_lost_counts_as_long_as_it_was_there(others: int) -> None:
    beside = [reading(50)] * others
    usage = heard(told(*[[reading(0), *beside]] * 2, *[[[], *beside]] * 3), told(*[[[], *beside]] * 5))
    lost, *rest = usage.devices
    assert (lost.lost, lost.utilization_percent.now, lost.memory_bytes.now) == (True, None, None)
    assert (lost.utilization_percent.points, lost.memory_bytes.peak) == ((0.0, None), GIB)
    assert (lost.idle_s, lost.seen_s) == (2.0, 2.0)
    assert [(each.lost, each.seen_s) for each in rest] == [(False, 10.0)] * others


def test_a_device_that_is_found_late_has_not_been_seen_before() -> None:
    late = {**sample(), "gpu": [[reading(0)]]}  # one reading of it, in a batch of five
    assert heard(late).seen_gpu_s == 1.0


def test_a_pause_of_the_whole_job_is_no_idle_time() -> None:
    """Its container was frozen for an hour, and so was its runner."""
    (device,) = heard({**sample([reading(0)] * 5), "dt": 720.0}).devices
    assert device.seen_s == 5 * LONGEST_INTERVAL_S


def test_what_is_not_known_is_neither_idle_nor_busy() -> None:
    usage = heard(sample([reading(None)] * 5), sample([reading(100)] * 4 + [reading(None)]))
    (device,) = usage.devices
    assert device.utilization_percent.points == (None, 100.0)
    assert (device.idle_s, device.seen_s) == (0.0, 4.0)
    assert heard(sample([reading(None)] * 5)).idle_gpu_s is None
    assert heard(sample(cpu=[None] * 5, mem=[None] * 5)).memory_bytes.now is None


def test_a_device_that_is_no_longer_read_is_unknown_now() -> None:
    usage = heard(sample([reading(80)] * 5), sample())
    (device,) = usage.devices
    assert (device.utilization_percent.now, device.utilization_percent.peak) == (None, 80.0)


def test_devices_have_the_names_of_the_start() -> None:
    start = {"e": "start", "devices": [{"index": 0, "name": "NVIDIA H100", "memory_bytes": 80 * GIB}, {"index": 1}]}
    usage = heard(start, sample([reading(80)], [reading(10)]))
    assert [each.name for each in usage.devices] == ["NVIDIA H100", None]


def test_a_long_job_is_remembered_by_its_last_minutes_and_its_peaks() -> None:
    usage = heard(sample(mem=[9 * GIB]), *[sample() for _ in range(MOST_POINTS)])
    assert usage.memory_bytes.points == (float(GIB),) * MOST_POINTS
    assert usage.memory_bytes.peak == 9 * GIB


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["t", "dt", "cpu", "mem", "gpu", "thin", "seen", "idle", "name", "devices"]), JSON),
    st.sampled_from(["start", "sample", "stage", "end", "progress"]),
)
def test_whatever_a_job_writes_is_no_error_and_no_impossible_number(event: dict[str, Any], kind: str) -> None:
    usage = Heard().after({"e": "start", "devices": [{}]}).after({**event, "e": kind}).usage
    for series in (usage.cpu_cores, usage.memory_bytes, *(each.utilization_percent for each in usage.devices)):
        assert all(each is None or 0 <= each < 2**61 for each in (series.now, series.peak))
    assert all(0 <= each.idle_s <= each.seen_s < 1000 for each in usage.devices)


@pytest.mark.parametrize("many", [10_000])
def test_a_job_cannot_claim_more_devices_than_there_are(many: int) -> None:
    assert len(heard(sample(*[[reading(1)]] * many)).devices) == MOST_DEVICES
