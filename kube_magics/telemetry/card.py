"""The card of a job: its stages, what it uses, how it ended; from what the cluster and its runner have told. Pure.

`Card` holds facts; `cardwords.py` puts them into words, which `kube_magics.widgets.card` lays out as HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube_magics.telemetry import cardwords
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.earlier import NOTHING as NONE_EARLIER
from kube_magics.telemetry.earlier import Earlier
from kube_magics.telemetry.heard import Heard, seconds
from kube_magics.telemetry.made import Made
from kube_magics.telemetry.progress import Progress
from kube_magics.telemetry.snapshot import SUCCEEDED, Snapshot
from kube_magics.telemetry.stages import ENDS, Stage, stages
from kube_magics.telemetry.usage import BYTES_AT_MOST, Usage, number


@dataclass(frozen=True)
class Brought:
    """What came back of a job to where it was submitted. None, or empty: nothing, or not known yet."""

    names: tuple[str, ...] = ()
    files: Mapping[str, int] | None = None
    """By path, their sizes in bytes."""
    log: str | None = None
    """Where its whole log is."""


NOTHING = Brought()


@dataclass(frozen=True, repr=False)
class Card:
    """One job at one moment. Unknown is None."""

    name: str
    namespace: str
    phase: str
    status: str
    """The phase, for people: which attempt it is."""
    node: str | None
    cause: Cause | None
    stages: tuple[Stage, ...]
    heard: Heard
    made: Made
    gpus: int | None
    memory: str | None
    """Asked for, as a quantity, as is the next."""
    cpus: str | None
    duration_s: float | None
    """Of its program alone."""
    held_s: float | None
    """For how long it has had, or had, its node's GPUs: since it was given them, its image's pull included."""
    end: Mapping[str, Any] | None
    """The runner's last word."""
    progress: Progress | None
    """By the job's own words."""
    brought: Brought
    at: float
    """When this was so, in seconds since the epoch."""
    earlier: Earlier = NONE_EARLIER
    """Jobs with the same image."""

    @property
    def usage(self) -> Usage:
        """Of GPUs, CPU and memory."""
        return self.heard.usage

    @property
    def over(self) -> bool:
        """It will not change any more, but for what comes back."""
        return self.phase == SUCCEEDED or self.phase in ENDS

    @property
    def peak_memory_bytes(self) -> float | None:
        """As far as it was seen."""
        told = number((self.end or {}).get("peak_memory_bytes"), BYTES_AT_MOST) or None
        return max((each for each in (self.usage.memory_bytes.peak, told) if each is not None), default=None)

    def __repr__(self) -> str:
        return "\n".join(cardwords.lines(self))


def card(
    state: Snapshot,
    heard: Heard,
    now: float,
    *,
    phase: str | None = None,
    progress: Progress | None = None,
    brought: Brought = NOTHING,
) -> Card:
    """Of the job of `state`, whose runner has told `heard`; `phase`: where that was told before the cluster knew."""
    phase = phase or state.phase
    end = heard.end or state.end
    duration_s = seconds((end or {}).get("duration_s"))
    ended_at = heard.ended_at if state.finished_at is None else state.finished_at
    over = phase == SUCCEEDED or phase in ENDS
    until = ended_at if over else now
    given_at = state.started_at if state.scheduled_at is None else state.scheduled_at
    began = given_at if state.started and not state.without_gpus else None
    return Card(
        name=state.name,
        namespace=state.namespace,
        phase=phase,
        status=state.status if phase == state.phase else phase,
        node=state.node,
        cause=state.cause,
        stages=stages(state, heard.marks, phase=phase, duration_s=duration_s, ended_at=ended_at, now=now),
        heard=heard,
        made=state.made,
        gpus=state.gpus,
        memory=state.memory,
        cpus=state.cpus,
        duration_s=duration_s,
        held_s=None if began is None or until is None else max(0.0, until - began),
        end=end,
        progress=progress,
        brought=brought,
        at=now,
    )
