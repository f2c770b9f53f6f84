"""The cheapest benchmark, two rounds: `results.json` has its shape. The numbers are not looked at."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure import RESULTS, Goal, Row, Sample, table, write

pytestmark = pytest.mark.jobs

CHECKOUT = Path(__file__).parents[2]
KEYS = {"name", "ours", "peer", "peer_name", "unit", "ratio", "goal", "met", "rounds"}
NAMES = {
    "load",
    "capture",
    "capture-large",
    "capture-memory",
    "card",
    "card-bytes",
    "submit-warm",
    "first-line",
    "first-line-large",
    "done",
    "neighbour",
    "cuts",
    "cuts-unsaid",
    "follow-20-cpu",
    "follow-20-memory",
    "follow-20-connections",
    "dashboard-paint",
    "dashboard-frame",
    "dashboard-rows",
    "dashboard-longest",
    "dashboard-bytes",
    "dashboard-busy-bytes",
    "dashboard-busy-cpu",
    "dashboard-idle-bytes",
    "dashboard-idle-cpu",
    "dashboard-idle-requests",
    "list-2000",
    "list-2000-memory",
    "log-rate",
    "log-rate-cpu",
    "log-rate-exact",
    "notebook-flood-rate",
    "notebook-flood-messages",
    "notebook-flood-notices",
    "notebook-flood-wrong",
    "notebook-flood-answer",
    "notebook-flood-page",
    "notebook-flood-kernel",
    "notebook-flood-saved",
    "runner-line",
    "runner-line-idle",
    "runner-line-memory",
    "resume",
    "stall",
    "runner-start",
    "sampler",
    "sampler-1",
    "sampler-8",
}


def test_load_measures_and_writes(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "load", "--rounds=2", f"--output={path}"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(path.read_text("utf-8"))
    assert set(row) == KEYS
    assert (row["name"], row["unit"], row["rounds"]) == ("load", "ms", 2)
    assert row["ours"] > 0
    assert row["peer"] > 0
    assert isinstance(row["met"], bool)
    assert "load" in done.stdout


def test_committed_results_have_every_number() -> None:
    rows = json.loads(RESULTS.read_text("utf-8"))
    assert all(set(row) == KEYS for row in rows)
    assert {row["name"] for row in rows} >= NAMES


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    command = [sys.executable, "-m", "benchmarks", "lod"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no benchmark lod; there are load, capture, card, notebook-flood, runner-line, sampler" in done.stderr


def test_a_run_of_some_keeps_the_numbers_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    first, second = sample("first", [1.0]), sample("second", [2.0])
    write([first.row, second.row], path)
    write([dataclasses.replace(first.row, ours=9.0)], path)
    assert [(row["name"], row["ours"]) for row in json.loads(path.read_text("utf-8"))] == [("first", 9), ("second", 2)]


@pytest.mark.parametrize(
    ("goal", "met", "text"),
    [
        (Goal("ratio", "<=", 0.5), True, "ratio <= 0.5"),
        (Goal("ratio", ">=", 1.8), False, "ratio >= 1.8"),
        (Goal("ours", "<=", 1), False, "ours <= 1 ms"),
        (Goal("over", "<=", 0), True, "ours - peer <= 0 ms"),
    ],
)
def test_goals(goal: Goal, met: bool, text: str) -> None:
    row = dataclasses.replace(sample("x", [2.0, 1.0, 9.0]), goal=goal).row
    assert row == Row("x", 2.0, 4.0, "kubectl", "ms", 0.5, text, met, 3)


def test_a_peer_of_nothing_has_no_ratio() -> None:
    lost = Sample("lost", "kubectl", "lines", Goal("ours", "<=", 0), [0.0, 0.0], [0.0, 0.0])
    assert lost.row.ratio is None
    assert lost.row.met
    assert "lost" in table([lost])


def sample(name: str, ours: list[float]) -> Sample:
    return Sample(name, "kubectl", "ms", Goal("ratio", "<=", 1), ours, [4.0] * len(ours))
