"""Which stage of a job lasts longer than it should, by what it took in earlier jobs with the same image. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry.stages import PULLING, RUNNING, SCHEDULED, STARTING, Stage

ALIKE = (SCHEDULED, PULLING, STARTING, "installing", "fetching", "rendezvous", "collecting")
"""Stages that take about as long each time. A queue, and the program itself, take as long as they take."""
FACTOR = 3.0
LEAST_S = 30.0
"""What lasts so many times longer than ever before, and by so much, is worth a word."""
UNKNOWN_S = 120.0
"""Where nothing is known of earlier ones."""


@dataclass(frozen=True)
class Earlier:
    """What jobs with the same image have told, on the same cluster."""

    took_s: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By stage, of each job that came through it."""


NOTHING = Earlier()


def took(stages: Sequence[Stage]) -> dict[str, float]:
    """What later jobs are compared with; empty: its program never began, so its last stage was not as others are."""
    if not any(each.name == RUNNING for each in stages):
        return {}
    return {
        each.name: each.seconds
        for each in stages
        if each.state == "over" and each.name in ALIKE and each.seconds is not None
    }


def lasting(stages: Sequence[Stage]) -> Stage | None:
    """The stage that a job is in, if it is one that may be too long by now."""
    for each in stages:
        if each.state == "now" and each.name in ALIKE and (each.seconds or 0.0) > LEAST_S:
            return each
    return None


def hung(stages: Sequence[Stage], earlier: Earlier) -> str:
    """The stage, how long, and how long it took before; empty: nothing is too long."""
    stage = lasting(stages)
    if stage is None or stage.seconds is None:
        return ""
    said, known = f"{stage.name} for {human_seconds(stage.seconds)}", sorted(earlier.took_s.get(stage.name, ()))
    if not known:
        return f"{said}; no earlier job tells how long that takes here" if stage.seconds > UNKNOWN_S else ""
    if stage.seconds <= max(FACTOR * known[-1], known[-1] + LEAST_S):
        return ""
    least, most = human_seconds(known[0]), human_seconds(known[-1])
    if len(known) == 1:
        return f"{said}; in the one earlier job with this image that took {most}"
    span = most if least == most else f"{least} to {most}"
    return f"{said}; in {len(known)} earlier jobs with this image that took {span}"
