"""A job's stages, their seconds, and the card as text."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from kube_magics.telemetry.card import Brought, Card, card
from kube_magics.telemetry.cardwords import facts, metrics, rows
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.curves import Curve
from kube_magics.telemetry.heard import Heard
from kube_magics.telemetry.progress import Progress
from kube_magics.telemetry.pulling import Pull, pull_of
from kube_magics.telemetry.snapshot import Snapshot, of_job
from kube_magics.telemetry.sparkline import sampled, sparkline
from tests.telemetry.test_snapshot import a_job, a_pod
from tests.telemetry.test_usage import GIB, reading, sample

BEGAN = 1795467600.0
"""Of the job of test_snapshot."""
SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-23T21:00:04Z"}
PULLING = {"reason": "Pulling", "firstTimestamp": "2026-11-23T21:00:05Z", "message": 'Pulling image "team/torch:1"'}
PULLED = {
    "reason": "Pulled",
    "lastTimestamp": "2026-11-23T21:01:17Z",
    # As kubelet 1.37 writes it.
    "message": 'Successfully pulled image "team/torch:1" in 1m12.3s (1m12.4s including waiting). Image size: 3140000000 bytes.',
}
RUNNING = {"running": {"startedAt": "2026-11-23T21:01:18Z"}}
END = {
    "e": "end",
    "code": 0,
    "reason": "completed",
    "duration_s": 30.25,
    "peak_memory_bytes": 9 * GIB,
}


def on_cluster(state: dict[str, Any] | None = None, *events: dict[str, Any], scheduled: bool = True) -> Snapshot:
    pod = a_pod(state, phase="Running" if state else "Pending", **({"conditions": [SCHEDULED]} if scheduled else {}))
    if not scheduled:
        del pod["spec"]["nodeName"]
    return of_job(a_job(), [pod], events)


def told(*events: dict[str, Any]) -> Heard:
    heard = Heard()
    for event in events:
        heard = heard.after(event, BEGAN + 112.5)
    return heard


def stage(name: str, after_s: float) -> dict[str, Any]:
    return {"e": "stage", "name": name, "t": BEGAN + after_s}


def strip(shown: Card) -> list[str]:
    return [f"{each.name}: {each.took or each.state}{f' ({each.note})' if each.note else ''}" for each in shown.stages]


def test_a_job_that_waits_for_a_node() -> None:
    shown = card(on_cluster(scheduled=False), Heard(), BEGAN + 75)
    assert strip(shown) == [
        "queued: 1 min 15 s",
        "scheduled: ahead",
        "starting: ahead",
        "running: ahead",
        "done: ahead",
    ]


def test_what_a_job_comes_to_is_one_entry_which_says_so() -> None:
    shown = card(on_cluster(scheduled=False), Heard(), BEGAN + 75)
    assert repr(shown).splitlines()[1] == "  ● queued 1 min 15 s  ○ then scheduled, starting, running, done"


def test_a_metric_that_was_never_a_number() -> None:
    curve = Curve(((0.0, math.nan), (1.0, math.inf)))
    shown = card(on_cluster(RUNNING), Heard(), BEGAN, progress=Progress(metrics={"loss": curve}))
    assert metrics(shown)[1] == ("loss", "inf", "··", "unknown", "unknown")


def test_a_job_whose_image_is_pulled() -> None:
    shown = card(on_cluster(None, PULLING), Heard(), BEGAN + 40)
    assert strip(shown)[:4] == ["queued: 4 s", "scheduled: 1 s", "pulling image: 35 s", "starting: ahead"]


def test_a_job_that_runs_after_its_packages_were_installed() -> None:
    state = on_cluster(RUNNING, PULLING, PULLED)
    shown = card(state, told(stage("installing", 78.5), stage("running", 82.25)), BEGAN + 100)
    assert strip(shown) == [
        *("queued: 4 s", "scheduled: 1 s", "pulling image: 1 min 12 s (3.1 GB)"),
        *("starting: 2 s", "installing: 3.8 s", "running: 18 s", "done: ahead"),
    ]


def test_a_job_that_is_over_by_its_own_word() -> None:
    state = on_cluster(RUNNING)
    shown = card(
        state, told(stage("running", 82), {"e": "stage", "name": "collecting"}, END), BEGAN + 999, phase="succeeded"
    )
    assert strip(shown) == [
        "queued: 4 s",
        "scheduled: 1 min 14 s",
        "starting: 4 s",
        "running: 30 s",
        "collecting: 0.2 s",
        "done: over",
    ]
    assert [each.state for each in shown.stages] == ["over"] * 6
    assert shown.held_s == 112.5 - 4


def test_a_job_of_this_machine_waits_for_nobody() -> None:
    state = Snapshot(
        "job", "local", "running", scheduled=True, started=True, ours=True, created_at=1e9 + 0.5, started_at=1e9 + 0.5
    )
    heard = told({"e": "stage", "name": "running", "t": 1e9 + 0.9})
    assert strip(card(state, heard, 1e9 + 3.1)) == ["starting: 0.4 s", "running: 2.2 s", "done: ahead"]


def test_what_nobody_tells_is_unknown() -> None:
    state = replace(on_cluster(RUNNING), scheduled_at=None)
    assert strip(card(state, Heard(), BEGAN + 79))[:3] == ["queued: unknown", "scheduled: unknown", "starting: 1 s"]
    heard = told({"e": "stage", "name": "running"})
    assert strip(card(state, heard, BEGAN + 100))[2:4] == ["starting: unknown", "running: unknown"]


def test_a_program_without_our_runner_begins_with_its_container() -> None:
    state = replace(on_cluster(RUNNING), ours=False)
    assert strip(card(state, Heard(), BEGAN + 100))[2:4] == ["starting: under 1 s", "running: 22 s"]


def test_a_job_that_never_started() -> None:
    state = replace(
        on_cluster(),
        phase="failed",
        finished_at=BEGAN + 60,
        cause=Cause("image", "No such image.", fix="%kube logs NAME"),
    )
    shown = card(state, Heard(), BEGAN + 99)
    assert strip(shown) == ["queued: 4 s", "scheduled: 56 s", "failed: over"]
    assert shown.stages[-1].sign == "✗"
    assert facts(shown) == {"reason": "No such image.", "next": "%kube logs digits-x7k2p"}


@pytest.mark.parametrize("back_in_time_s", [-5.0])
def test_clocks_that_differ_make_no_negative_seconds(back_in_time_s: float) -> None:
    shown = card(on_cluster(RUNNING), told(stage("running", 78 + back_in_time_s)), BEGAN)
    assert [each.seconds for each in shown.stages if each.name in ("starting", "running")] == [0.0, 0.0]


def test_a_pull_is_read_from_its_nodes_events() -> None:
    assert pull_of("u", [PULLING, PULLED]) == Pull(BEGAN + 5, BEGAN + 77, 72.3, 3_140_000_000)
    there = {
        "reason": "Pulled",
        "message": 'Container image "x" already present on machine and can be accessed by the pod',
    }
    assert pull_of("u", [there]) is None
    assert pull_of("u", None) is None
    another = {**PULLING, "involvedObject": {"kind": "Pod", "uid": "another"}}
    assert pull_of("u", [another]) is None


def test_the_card_of_a_job_that_computes() -> None:
    heard = told(
        {"e": "start", "devices": [{"index": 0, "name": "NVIDIA H100", "memory_bytes": 80 * GIB}]},
        stage("running", 82),
        sample([reading(0)] * 5),
        sample([reading(90)] * 5, cpu=[1.5] * 5, mem=[3 * GIB] * 5),
    )
    assert repr(card(on_cluster(RUNNING), heard, BEGAN + 100)).splitlines() == [
        "job digits-x7k2p  running  (team, on node-1; at 21:01 UTC)",
        "  ✓ queued 4 s  ✓ scheduled 1 min 14 s  ✓ starting 4 s  ● running 18 s  ○ then done",
        "                     now        lately  peak       of",
        "  GPU 0 NVIDIA H100  90 %       ▁█      90 %",
        "  GPU 0 memory       1.1 GB     ▁▁      1.1 GB     85.9 GB",
        "  GPU                unknown            unknown    1 more asked for",
        "  CPU                1.5 cores  ▆█      1.5 cores",
        "  memory             3.0Gi      ▃█      3.0Gi      1Gi asked for",
    ]


def test_the_card_of_a_job_that_has_ended() -> None:
    heard = told(stage("running", 82), sample([reading(0)] * 5), sample([reading(90)] * 5), END)
    brought = Brought(("model", "score"), {"out/a.csv": 2_000_000}, ".kube_magics/logs/digits-x7k2p.log")
    shown = card(on_cluster(RUNNING), heard, BEGAN + 999, phase="succeeded", brought=brought)
    assert repr(shown).splitlines()[0] == "job digits-x7k2p  succeeded after 30 s  (team, on node-1)"
    assert facts(shown) == {
        "GPU-hours": "0.06",  # two devices for 108.5 s, the pull of the image among them
        "idle GPU-hours": "0.0014 of 0.0028 that were measured",
        "back": "model, score, 1 file (2.0 MB)",
        "log": ".kube_magics/logs/digits-x7k2p.log",
    }
    assert [(row.peak, row.of) for row in rows(shown) if row.name == "memory"] == [("9.0Gi", "1Gi asked for")]


def test_gpus_that_nobody_can_read_are_unknown() -> None:
    shown = card(on_cluster(RUNNING), told(stage("running", 82), sample(), END), BEGAN + 999, phase="succeeded")
    assert facts(shown)["idle GPU-hours"] == "unknown"
    assert rows(shown)[0].peak == "unknown"


def test_a_gpu_that_falls_off_the_bus_is_called_lost_to_the_end() -> None:
    gone = {"gpu": [[reading(90)] * 2, [reading(70), []]]}
    heard = told(stage("running", 82), {**sample(), **gone})
    shown = card(on_cluster(RUNNING), heard, BEGAN + 100)
    assert [(row.name, row.now, row.peak) for row in rows(shown)[:4]] == [
        ("GPU 0", "90 %", "90 %"),
        ("GPU 0 memory", "1.1 GB", "1.1 GB"),
        ("GPU 1", "lost", "70 %"),
        ("GPU 1 memory", "lost", "1.1 GB"),
    ]
    assert facts(shown)["lost"].startswith("GPU 1: fallen off the bus, or must be reset; ")
    ended = card(
        on_cluster(RUNNING), told(stage("running", 82), {**sample(), **gone}, END), BEGAN + 999, phase="failed"
    )
    assert facts(ended)["lost"] == facts(shown)["lost"]


def test_a_gpu_that_is_not_told_of_beside_another_is_unknown() -> None:
    shown = card(on_cluster(RUNNING), told(stage("running", 82), sample([reading(90)] * 5)), BEGAN + 100)
    assert [(row.name, row.now, row.of) for row in rows(shown)][2] == ("GPU", "unknown", "1 more asked for")


def test_a_job_that_does_without_its_gpus_has_no_gpu_hours() -> None:
    state = Snapshot("job", "local", "succeeded", started=True, started_at=1e9, finished_at=2e9, gpus=1)
    assert facts(card(state, told(END), 2e9))["idle GPU-hours"] == "unknown"
    without = card(replace(state, without_gpus=True), told(END), 2e9)
    assert (facts(without), [row.name for row in rows(without)]) == ({}, ["memory"])


@pytest.mark.parametrize(
    ("held_s", "hours"),
    [(0.01, "under 0.0001"), (1, "0.00028"), (60, "0.017"), (3600, "1"), (9.96 * 3600, "10"), (99.7 * 3600, "100")],
)
def test_hours_are_plain_numbers(held_s: float, hours: str) -> None:
    state = Snapshot("job", "local", "running", scheduled=True, started=True, started_at=1e9, gpus=1)
    ended = replace(state, phase="succeeded", finished_at=1e9 + held_s)
    assert facts(card(ended, told(END), 2e9))["GPU-hours"] == hours


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"code": 3, "reason": "failed"}, "exit code 3"),
        ({"code": 139, "reason": "signal", "signal": 11}, "ended by signal 11"),
        ({"code": 137, "reason": "oom"}, "it was killed at its memory limit"),
        ({"code": "3; rm", "reason": ["odd"]}, None),
    ],
)
def test_why_it_ended(end: dict[str, Any], reason: str | None) -> None:
    shown = card(on_cluster(RUNNING), told({"e": "end", **end}), BEGAN + 999, phase="failed")
    assert facts(shown).get("reason") == reason


def test_the_last_word_of_a_job_whose_log_is_gone() -> None:
    ended = {
        "terminated": {
            "exitCode": 0,
            "startedAt": "2026-11-23T21:01:18Z",
            "finishedAt": "2026-11-23T21:01:53Z",
            "message": json.dumps(END),
        }
    }
    state = of_job(
        a_job({"conditions": [{"type": "Complete", "status": "True"}]}),
        [a_pod(ended, phase="Succeeded", conditions=[SCHEDULED])],
    )
    assert strip(card(state, Heard(), BEGAN + 999)) == [
        "queued: 4 s",
        "scheduled: 1 min 14 s",
        "starting: under 1 s",
        "running: 30 s",
        "done: over",
    ]


def test_text_from_outside_stays_in_its_line() -> None:
    state = replace(on_cluster(), cause=Cause("x", "one\ntwo\x1b[2J\u202edesrever"), node="node\r\n1")
    text = repr(card(state, Heard(), BEGAN))
    assert all(each.isprintable() for each in text.replace("\n", ""))
    assert len(text.splitlines()) == 3


def test_a_sparkline_has_eight_heights() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8, None, 99], 8) == "▁▂▃▄▅▆▇██·█"
    assert sparkline([0, None], 0) == "▁·"


def test_a_curve_is_drawn_from_its_least_to_its_greatest() -> None:
    assert sampled([-1.0, 0.0, 1.0], 24) == "▁▅█"
    assert sampled([float(n) for n in range(1000)], 8) == "▁▂▃▄▅▆▇█"
    assert sampled([math.nan, 1.0, math.inf], 8) == "·▁·"


def test_what_a_job_reports_stands_above_what_it_uses() -> None:
    progress = Progress(0.42, 420, 1000, 4.2, 138.0, "training", {"loss": Curve(((0.0, 3.0), (1.0, 1.0)))})
    shown = card(on_cluster(RUNNING), told(stage("running", 82), sample()), BEGAN + 100, progress=progress)
    assert repr(shown).splitlines()[2:6] == [
        "  42 % (420 of 1,000), 4.2 a second, 2 min 18 s left; training",
        "        now  so far  least  most",
        "  loss  1    █▁      1      3",
        "          now        lately  peak       of",
    ]
    assert "42 %" not in repr(replace(shown, phase="succeeded"))
