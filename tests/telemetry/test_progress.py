"""How far a job is: recorded bars (bars.json says of what), what report() says, and what nobody should have to read."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.telemetry.bars import MOST_MEASURED, Sighting, sighting
from kube_magics.telemetry.curves import MOST_MARKS, MOST_POINTS, Curve, History, Pace
from kube_magics.telemetry.nesting import MOST_BARS, Nesting
from kube_magics.telemetry.progress import MOST_CHARACTERS, MOST_METRICS, Meter, Progress
from kube_magics.telemetry.streams import LOOK_BYTES, RATE_BYTES_S, Streams

RECORDED: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("bars.json").read_text("utf-8"))
HALVES = [0.0, 1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1.0]
EIGHTHS = [step / 8 for step in range(9)]
FIFTHS = [step / 5 for step in range(6)]
QUARTERS = [step / 4 for step in range(5)]
AT_THE_END: dict[str, tuple[list[float], dict[str, Any], dict[str, float]]] = {
    "tqdm plain": (QUARTERS, {"step": 4, "total": 4, "rate": 19.74, "label": ""}, {}),
    "tqdm desc": (FIFTHS, {"step": 5, "label": "train"}, {"loss": 0.2, "acc": 0.8, "lr": 1e-3}),
    "tqdm nested": (HALVES, {"fraction": 1.0, "label": "epochs"}, {}),
    "tqdm nested-auto": (HALVES, {"fraction": 1.0, "label": "epochs"}, {}),
    "tqdm unknown": ([], {"fraction": None, "step": 4, "total": None, "rate": 32.54, "eta_s": None}, {}),
    "tqdm bytes": ([0, 0.977 / 2.86, 1.91 / 2.86, 1], {"total": 2.86e6, "rate": 19.8e6}, {}),
    "tqdm slow": ([0, 1 / 3], {"rate": 1e-5, "eta_s": 200_000.0}, {}),
    "tqdm narrow": (QUARTERS, {"step": 4, "rate": None}, {}),
    "tqdm epochs-desc": (HALVES, {"label": "Epoch 3/3", "step": 2}, {}),
    "tqdm broken": ([0, 0.1, 0.2, 0.3, 0, 0.5, 1], {"label": "train"}, {}),
    "tqdm write": ([0, 1 / 3, 2 / 3, 1], {"step": 3}, {}),
    "keras 3": (EIGHTHS, {"step": 4, "label": "Epoch 2/2"}, {"loss": 0.3208, "accuracy": 0.15, "val_loss": 0.5}),
    "keras 3 without a total": ([], {"step": 1, "total": None}, {"loss": 1e-5}),
    "fastprogress": ([0, 1 / 3, 2 / 3, 1], {"step": 3, "eta_s": 0.0}, {}),
    "joblib": ([1], {"step": 12, "total": 12}, {}),
    "keras 2": (
        [0, 0.01],
        {"step": None, "label": "Epoch 2/100"},
        {"loss": 1.8386, "mean_squared_error": 0.0049, "acc": 0.6136},
    ),
    "keras 2 verbose=2": ([0, 0.05, 0.1], {"label": "Epoch 2/20"}, {"loss": 0.2135}),
    "keras 2 under way": ([0, 61 / 82 / 2], {"step": 61, "total": 82}, {"loss": 0.6016, "accuracy": 0.926}),
    "lightning": (
        [4 / 18, 5 / 18],
        {"label": "Epoch 0", "eta_s": 53.0, "rate": pytest.approx(1 / 4.14)},
        {"loss": 9.85},
    ),
    "lightning without a terminal": ([0.5, 0, 1, 0], {"label": "Epoch 1"}, {"loss": 2.29, "val_acc": 0.166}),
    "transformers": (
        [],
        {"fraction": None, "step": None},
        {"loss": 1.5197, "grad_norm": 91.43226300518772, "learning_rate": 2.8571428571428573e-06},
    ),
    "pytorch's tutorials": ([0, 1 / 24], {"label": "Epoch 1/24"}, {}),
}
"""Fractions in the order in which they are seen; then what is known of the last, and the metrics."""


def read(said: bytes, size: int, stream: int = 2) -> tuple[list[float], Progress | None]:
    """The fractions that a reader sees, to whom `size` bytes come at once; and what is known at the end."""
    meter, seen = Meter(), []
    for at in range(0, len(said), size):
        meter.output(stream, said[at : at + size], 0.0)
        found = meter.reading(0.0)
        if found is not None and found.fraction is not None and found.fraction not in seen[-1:]:
            seen.append(found.fraction)
    return seen, meter.reading(0.0)


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_bar_is_understood_however_it_is_cut(name: str) -> None:
    fractions, last, metrics = AT_THE_END[name]
    said = RECORDED[name]["said"].encode()
    for size in (1, 7, 64, len(said)):
        seen, found = read(said, size)
        assert found is not None
        assert {key: getattr(found, key) for key in last} == last
        assert {key: curve.last for key, curve in found.metrics.items()} == metrics
        if size == 1:
            assert seen == pytest.approx(fractions)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Epoch [3/10], Step [100/400], Loss: 0.1234", (0.225, {"Loss": 0.1234})),
        ("Epoch 3 of 10: loss=0.5", (0.3, {"loss": 0.5})),
        ("[train] epoch: 3/10", (0.2, {})),
        ("Downloading 45%", (0.45, {})),
        ("12.3/49.2 MB 7.8 MB/s eta 0:00:05", (0.25, {})),
        ("12/100 [00:03<00:20, 4.2it/s]", (0.12, {})),
    ],
)
def test_what_people_print_of_their_progress(line: str, expected: tuple[float, dict[str, float]]) -> None:
    meter = Meter()
    meter.output(1, f"\r{line}\n".encode(), 0.0)
    found = meter.reading(0.0)
    assert found is not None
    assert found.fraction == pytest.approx(expected[0])
    assert {name: curve.last for name, curve in found.metrics.items()} == expected[1]


@pytest.mark.parametrize(
    "line",
    [
        "served 12/100 requests",
        "2026-11-26 12/11/2026 10:00 [INFO] 50% of nothing",
        "accuracy 97% on 3/4 of the data",
        "GET /epoch/3/10 200",
        "{'a': 'b'}",
        "100",
        "loss: 0.5",
    ],
)
def test_what_is_no_bar_says_nothing(line: str) -> None:
    meter = Meter()
    meter.output(1, f"{line}\n".encode(), 0.0)
    assert meter.reading(0.0) is None


def event(kind: str, **keys: Any) -> dict[str, Any]:
    return {"e": kind, **keys}


def test_what_is_reported_counts_more_than_what_is_drawn() -> None:
    meter = Meter()
    meter.output(2, b"\r 50%|x| 1/2 [00:01<00:01, 1.00it/s, loss=7.0, lr=0.1]\r", 0.0)
    meter.event(event("progress", step=10, total=100, text="training"), 0.0)
    meter.event(event("metric", step=10, values={"loss": 0.5}), 0.0)
    meter.output(2, b"\r100%|x| 2/2 [00:02<00:00, 1.00it/s, loss=6.0, lr=0.2]\r", 1.0)
    meter.event(event("progress", step=20, total=100, text="training"), 10.0)
    found = meter.reading(10.0)
    assert found is not None
    assert (found.fraction, found.step, found.total, found.label) == (0.2, 20, 100, "training")
    assert (found.rate, found.eta_s) == (1.0, 80.0)
    assert found.metrics["loss"].last == 0.5
    assert found.metrics["lr"].last == 0.2


def test_a_step_without_a_total_leaves_the_word_to_the_bar() -> None:
    meter = Meter()
    meter.output(2, b"\r 50%|x| 1/2 [00:01<00:01, 1.00it/s]\r\n", 0.0)
    meter.event(event("metric", step=10, values={"loss": 0.5}), 0.0)
    found = meter.reading(0.0)
    assert found is not None
    assert (found.fraction, found.metrics["loss"].points) == (0.5, ((10, 0.5),))


def test_how_long_it_takes_holds_while_it_goes_on_and_grows_when_it_stops() -> None:
    pace = Pace()
    pace.add(0.0, 0.0)
    pace.add(0.1, 0.001)
    assert pace.speed(0.1) is None
    for second in range(1, 11):
        pace.add(float(second), second / 100)
    assert pace.remaining_s(1.0, 10.0) == pytest.approx(90)
    assert pace.remaining_s(1.0, 12.0) == pytest.approx(88)
    stopped = pace.remaining_s(1.0, 100.0)
    assert stopped is not None
    assert stopped > 800
    pace.add(101.0, 0.0)
    assert pace.remaining_s(1.0, 101.0) is None


def test_what_was_slow_at_first_is_forgotten_in_time_and_a_pause_is_not_all_there_is() -> None:
    pace = Pace()
    at = 0.0
    for step in range(10_000):
        at += 1.0 if step < 1000 else 0.1
        pace.add(at, step)
    assert pace.speed(at) == pytest.approx(10, abs=0.1)
    for step in range(10_000, 40_000):
        at += 0.1 + (60.0 if step % 10_000 == 0 else 0.0)
        pace.add(at, step)
    assert pace.speed(at) == pytest.approx(9.6, abs=0.3)
    assert len(pace.marks) <= MOST_MARKS


def test_two_processes_that_report_the_same_are_one_pace() -> None:
    """One of them is a step behind."""
    meter = Meter()
    for second in range(1, 101):
        meter.event(event("progress", step=100 + second, total=1000), float(second))
        meter.event(event("progress", step=99 + second, total=1000), float(second))
    found = meter.reading(100.0)
    assert found is not None
    assert found.rate == pytest.approx(1.0)
    assert found.eta_s == pytest.approx(800.0)


def test_a_log_that_is_read_later_tells_the_pace_at_which_it_was_written() -> None:
    """Four hours of it come in no time."""
    meter = Meter()
    for second in range(0, 4 * 3600, 15):
        meter.event(event("progress", step=second, total=8 * 3600), 0.0)
        meter.event(event("sample", t=1e9 + second, dt=1, cpu=[1] * 15), 0.0)
    found = meter.reading(0.0)
    assert found is not None
    assert found.eta_s == pytest.approx(4 * 3600, rel=0.01)
    assert found.rate == pytest.approx(1.0, rel=0.01)
    assert found.age_s == 15.0


def test_a_metric_that_is_no_number_any_more_is_a_value_and_others_are_none() -> None:
    meter = Meter()
    for step, value in enumerate([1.0, "NaN", "Infinity", "-Infinity", "1.0", None, [1], True, 10**400]):
        meter.event(event("metric", step=step, values={"loss": value}), 0.0)
    found = meter.reading(0.0)
    assert found is not None
    values = [value for _, value in found.metrics["loss"].points]
    assert values[0] == 1.0
    assert math.isnan(values[1])
    assert values[2:] == [math.inf, -math.inf, 1.0]


def test_a_curve_is_as_fine_at_its_beginning_as_at_its_end() -> None:
    history = History()
    for step in range(100_000):
        history.add(step, -step)
    points = history.curve().points
    assert len(points) <= MOST_POINTS + 1
    assert points[0] == (0, 0)
    assert points[-1] == (99_999, -99_999)
    gaps = {after[0] - before[0] for before, after in pairwise(points[:-1])}
    assert len(gaps) == 1


def test_a_count_that_begins_again_goes_on_and_one_a_little_behind_does_not() -> None:
    history = History()
    for step in [0, 1, 2, 10, 9, 11, 0, 1]:
        history.add(step, step)
    assert [x for x, _ in history.curve().points] == [0, 1, 2, 10, 11, 12]


def test_names_and_labels_are_one_line_of_what_can_be_shown() -> None:
    meter = Meter()
    meter.event(event("progress", step=1, text="<b>\x1b[31m\u202eabc\n" + "x" * 1000), 0.0)
    for number in range(100):
        meter.event(event("metric", values={f"m{number}\x00\n": number}), 0.0)
    found = meter.reading(0.0)
    assert found is not None
    assert found.label.startswith("<b> [31m abc x")
    assert found.label.isprintable()
    assert len(found.label) == MOST_CHARACTERS
    assert len(found.metrics) == MOST_METRICS
    assert all(name.isprintable() for name in found.metrics)


@pytest.mark.parametrize(
    ("progress", "sentence"),
    [
        (
            Progress(0.42, 420, 1000, 4.2, 138.0, "training"),
            "42 % (420 of 1,000), 4.2 a second, 2 min 18 s left; training",
        ),
        (Progress(0.999, 999, 1000), "99 % (999 of 1,000)"),
        (Progress(0.45), "45 %"),
        (Progress(step=1234567.0), "step 1,234,567"),
        (Progress(metrics={"loss": Curve(((1, math.nan),)), "lr": Curve(((1, 1e-5),))}), "loss nan, lr 1e-05"),
        (Progress(step=math.inf), "step inf"),
        (Progress(), ""),
    ],
)
def test_progress_in_words(progress: Progress, sentence: str) -> None:
    assert progress.sentence == sentence


def test_of_a_flood_the_last_line_is_seen() -> None:
    meter = Meter()
    for step in range(1000):
        meter.output(1, b"x" * 4000 + b"\n", 0.0)
        meter.output(1, f"\r{step}%|#| {step}/1000 [00:01<00:09, 1.0it/s]".encode(), 0.0)
    found = meter.reading(0.0)
    assert found is not None
    assert found.step == 999


def test_of_very_many_bars_the_newest_are_kept() -> None:
    nesting = Nesting()
    for number in range(1000):
        nesting.see(Sighting("bar", "tqdm", 1, 2 + number, 1 / (2 + number)), float(number))
    assert len(nesting.bars) == MOST_BARS
    view = nesting.view(1000.0)
    assert view is not None
    assert view.total == 1001


class Flood(Streams):
    """Counts what is looked at."""

    looked = 0

    def add_all(self, data: bytes) -> None:
        self.looked += sum(len(line) for line, _ in self.add(1, data, 0.0))


def test_what_is_looked_at_and_kept_of_a_flood_is_bounded() -> None:
    flood = Flood()
    for _ in range(200):
        flood.add_all(b"a line\n" * 50_000)
        flood.add_all(b"no newline" * 500)
    assert flood.looked <= 2 * RATE_BYTES_S
    assert len(flood.unfinished(1)[0]) <= LOOK_BYTES


HOSTILE = [
    "1" * 5000,
    "1/" * 2000,
    "a=" * 2000,
    "[" * 3000,
    "%|" * 2000,
    "\x1b[" * 2000,
    "Epoch " * 900,
    "9" * 400 + "%",
]
alphabet = st.sampled_from(
    [*"0123456789/%|[]<>:., =-", "Epoch", "it/s", "loss", "eta", "ms/step", "\x1b[A", "\b", "\u202e"]
)
bars = st.lists(alphabet, max_size=80).map("".join)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:6])
@pytest.mark.parametrize("redrawn", [True, False])
def test_a_line_made_to_be_slow_is_not(text: str, redrawn: bool) -> None:
    """Each pattern goes over a line once: a quadratic one would take the suite's patience, and its time-out."""
    for _ in range(200):
        found = sighting(text, redrawn=redrawn)
    assert found is None or len(found.metrics) <= MOST_MEASURED


@given(bars | st.text(max_size=300), st.booleans(), st.booleans())
def test_any_line_is_nothing_or_something_sound(line: str, redrawn: bool, whole: bool) -> None:
    found = sighting(line, redrawn=redrawn, whole=whole)
    if found is None:
        return
    assert found.fraction is None or 0 <= found.fraction <= 1
    for value in (found.step, found.total, found.rate, found.eta_s):
        assert value is None or (value >= 0 and math.isfinite(value))
    assert len(found.metrics) <= MOST_MEASURED


values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers(), max_size=2)
)
keys = st.sampled_from(["step", "total", "text", "values", "t", "dt", "cpu", "x"])
events = st.builds(
    lambda kind, rest: {**rest, "e": kind},
    st.sampled_from(["progress", "metric", "sample", "beat"]),
    st.dictionaries(keys, values | st.dictionaries(st.text(max_size=5), values, max_size=3), max_size=5),
)
said = (bars | st.text(max_size=50)).map(lambda text: f"\r{text}".encode("utf-8", "surrogatepass")) | st.binary(
    max_size=50
)


@given(st.lists(st.tuples(events | said, st.floats(0, 1e9)), max_size=30))
def test_whatever_a_job_says_it_is_read_and_makes_sense(story: list[tuple[dict[str, Any] | bytes, float]]) -> None:
    meter = Meter()
    for each, now in story:
        if isinstance(each, bytes):
            meter.output(1 + len(each) % 2, each, now)
        else:
            meter.event(each, now)
        found = meter.reading(now)
        if found is None:
            continue
        assert found.fraction is None or 0 <= found.fraction <= 1
        assert found.total is None or found.total > 0
        for value in (found.rate, found.eta_s, found.age_s):
            assert value is None or (value >= 0 and math.isfinite(value))
        assert found.label.isprintable()
        assert all(curve.points for curve in found.metrics.values())
