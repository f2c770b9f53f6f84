"""What is said of a stage that lasts, beside what it took before; and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kube_magics.telemetry.card import card
from kube_magics.telemetry.cardwords import facts
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.earlier import Earlier, hung, took
from kube_magics.telemetry.heard import Heard
from kube_magics.telemetry.stages import Stage
from tests.telemetry.test_card import BEGAN, END, PULLED, PULLING, RUNNING, on_cluster, stage, told


def now(name: str, seconds: float | None) -> list[Stage]:
    return [Stage("queued", "over", 1.0), Stage(name, "now", seconds), Stage("done", "ahead")]


def before(name: str, *seconds: float) -> Earlier:
    return Earlier({name: seconds})


@pytest.mark.parametrize(
    ("stages", "earlier", "said"),
    [
        (now("starting", 31.0), before("starting", 2.0), ""),
        (now("starting", 33.0), before("starting", 2.0), "starting for 33 s; in the one earlier job with this image that took 2.0 s"),
        (now("pulling image", 170.0), before("pulling image", 20.0, 62.0), ""),
        (now("pulling image", 303.0), before("pulling image", 62.0, 20.0), "pulling image for 5 min 3 s; in 2 earlier jobs with this image that took 20 s to 1 min 2 s"),
        (now("starting", 99.0), before("starting", 2.0, 2.01), "starting for 1 min 39 s; in 2 earlier jobs with this image that took 2.0 s"),
        (now("rendezvous", 119.0), before("starting", 2.0), ""),
        (now("rendezvous", 121.0), before("starting", 2.0), "rendezvous for 2 min 1 s; no earlier job tells how long that takes here"),
        (now("starting", None), before("starting", 2.0), ""),
        (now("queued", 9999.0), before("starting", 2.0), ""),
        (now("running", 9999.0), before("starting", 2.0), ""),
        ([Stage("starting", "over", 9999.0), Stage("failed", "over")], before("starting", 2.0), ""),
    ],
)  # fmt: skip
def test_a_stage_is_too_long_beside_earlier_ones_only(stages: list[Stage], earlier: Earlier, said: str) -> None:
    assert hung(stages, earlier) == said


def test_what_a_job_leaves_for_later_ones() -> None:
    state = on_cluster(RUNNING, PULLING, PULLED)
    shown = card(state, told(stage("installing", 78.5), stage("running", 82.25), END), BEGAN + 999, phase="succeeded")
    assert took(shown.stages) == {"scheduled": 1.0, "pulling image": 72.3, "starting": 1.5, "installing": 3.75}


def test_a_job_that_never_ran_has_hung_itself() -> None:
    state = replace(on_cluster(None, PULLING), phase="stopped", finished_at=BEGAN + 999)
    assert took(card(state, Heard(), BEGAN + 999).stages) == {}


def test_what_is_in_its_way_is_a_better_word() -> None:
    shown = replace(card(on_cluster(None, PULLING), Heard(), BEGAN + 400), earlier=before("pulling image", 20.0))
    assert facts(shown) == {
        "hung?": "pulling image for 6 min 35 s; in the one earlier job with this image that took 20 s"
    }
    assert "hung?" not in facts(replace(shown, cause=Cause("image", "The registry does not answer.")))
