"""A hint where the readings carry it, and none elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from kube_magics.telemetry.bottleneck import hint
from kube_magics.telemetry.card import card
from kube_magics.telemetry.cardwords import facts
from kube_magics.telemetry.usage import Usage
from tests.telemetry.test_card import BEGAN, END, RUNNING, on_cluster, stage, told
from tests.telemetry.test_usage import GIB, reading, sample

BATCHES = 24
"""Of five seconds: two minutes."""


def computing(
    *devices: tuple[float | None, float | None], cores: float | None = 1.0, batches: int = BATCHES
) -> list[dict[str, Any]]:
    one = sample(*[[reading(busy, used)] * 5 for busy, used in devices], cpu=[cores] * 5)
    return [one] * batches


def hinted(*events: dict[str, Any]) -> str:
    usage = Usage()
    for event in events:
        usage = usage.after(event)
    return hint(usage)


def test_a_loader_that_is_too_slow() -> None:
    said = "the GPU is under 10 % for 2 min 0 s while one core is full: its data comes too slowly (a DataLoader with num_workers=0 does that)"
    assert hinted(*computing((4, 2 * GIB))) == said
    assert hinted(*computing((90, 2 * GIB)), *computing((4, 2 * GIB))) == said, "whatever was before"
    assert hinted(*computing((4, 2 * GIB), (0, GIB))).startswith("all GPUs are under 10 %")


def test_a_model_that_is_not_there() -> None:
    said = hinted(*computing((0, 5e6), cores=6.5))
    assert (
        said
        == 'the GPU is under 10 % for 2 min 0 s, and nothing is in its memory: .to("cuda") moves a model and its data there'
    )


@pytest.mark.parametrize(
    "events",
    [
        computing((4, GIB), batches=BATCHES - 1),
        [*computing((4, GIB)), *computing((60, GIB), batches=1)],
        computing((4, GIB), (95, GIB)),
        computing((4, GIB), cores=0.1),
        computing((4, GIB), cores=7.0),
        computing((4, GIB), cores=None),
        computing((None, GIB)),
        computing((4, None)),
        computing(),
        [],
    ],
    ids="too-short it-has-begun one-works it-waits many-cores cores-unknown use-unknown memory-unknown no-gpu nothing".split(),
)
def test_no_hint(events: list[dict[str, Any]]) -> None:
    assert hinted(*events) == ""


def test_it_stands_in_the_card_while_the_job_runs() -> None:
    events = [stage("running", 82), *computing((4, 2 * GIB))]
    assert facts(card(on_cluster(RUNNING), told(*events), BEGAN + 300))["hint"].startswith("the GPU is under 10 %")
    assert "hint" not in facts(card(on_cluster(RUNNING), told(*events, END), BEGAN + 300, phase="succeeded"))
