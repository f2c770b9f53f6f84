"""card, card-bytes: what one update of a job's card costs the cell that waits, and the notebook that gets it.

The card of a job with eight GPUs, ten minutes of readings and eight metrics, 42 % of the way: as large as they come.

ours    processor time from what was heard of the job to the message that leaves: its facts, their words, HTML, text and
        record. Bytes of that message
peer    a pandas DataFrame with the same rows of numbers, without curves, shown in the same way

In turns, in one process; a card is shown at most four times a second.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks.measure import Goal, Sample, interleaved
from kube_magics.magics import cards
from kube_magics.telemetry.card import Card, card
from kube_magics.telemetry.cardwords import metrics, table
from kube_magics.telemetry.curves import Curve
from kube_magics.telemetry.progress import Progress
from tests.telemetry.test_card import BEGAN, RUNNING, on_cluster, stage, told
from tests.telemetry.test_usage import GIB, reading, sample

GOAL = Goal("ours", "<=", 10)
"""Four a second: 4 % of a core."""
GOAL_BYTES = Goal("ours", "<=", 40)
UPDATES = 20
"""Of one round."""
GPUS, BATCHES, METRICS, POINTS = 8, 120, 8, 256


def measure(rounds: int) -> list[Sample]:
    import pandas as pd
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import display

    shell = InteractiveShell.instance()
    publisher = shell.display_pub = CapturingDisplayPublisher(parent=shell)
    show, state, heard, progress = cards.view(_Notebook()), on_cluster(RUNNING), _heard(), _progress()
    assert show is not None

    def shown(at: int) -> Card:
        return card(state, heard, BEGAN + 700 + at, progress=replace(progress, step=420.0 + at))

    numbers = [list(row) for row in (*metrics(shown(0)), *table(shown(0)))]
    ours, peer = interleaved(
        rounds,
        lambda: _of(publisher, lambda at: show(shown(at))),
        lambda: _of(publisher, lambda at: display(pd.DataFrame([*numbers, [at]]), display_id="peer")),
    )
    name = "pandas DataFrame"
    times, sizes = ([side[at] for side in (*ours, *peer)] for at in (0, 1))
    return [
        Sample("card", name, "ms", GOAL, times[: len(ours)], times[len(ours) :]),
        Sample("card-bytes", name, "kB", GOAL_BYTES, sizes[: len(ours)], sizes[len(ours) :]),
    ]


class _Notebook:
    """As far as a card asks what shows it."""

    kernel = True


def _of(publisher: Any, update: Callable[[int], Any]) -> tuple[float, float]:
    """Milliseconds of processor time, and kilobytes, of an update."""
    publisher.outputs.clear()
    began = time.process_time()
    for at in range(UPDATES):
        update(at)
    took_s = time.process_time() - began
    sent = [{key: each[key] for key in ("data", "metadata")} for each in publisher.outputs]
    assert len(sent) == UPDATES
    return 1000 * took_s / UPDATES, len(json.dumps(sent)) / UPDATES / 1000


def _heard() -> Any:
    devices = [{"name": "NVIDIA H100 80GB HBM3", "memory_bytes": 80 * GIB}] * GPUS
    batches = [sample(*[[reading(90)] * 5] * GPUS, cpu=[7.5] * 5, mem=[30 * GIB] * 5) for _ in range(BATCHES)]
    return told({"e": "start", "devices": devices}, stage("running", 82), *batches)


def _progress() -> Progress:
    curves = {
        f"metric {number}": Curve(tuple((float(at), math.sin(at * number)) for at in range(POINTS)))
        for number in range(1, METRICS + 1)
    }
    return Progress(0.42, 420, 1000, 4.2, 138.0, "training", curves)
