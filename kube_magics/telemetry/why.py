"""The answer to "why?": the cause of a job's state, or that nothing is wrong with it, or that it is not known. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry import happenings
from kube_magics.telemetry.causes.program import of_end
from kube_magics.telemetry.objects import text
from kube_magics.telemetry.snapshot import PENDING, RUNNING, SUCCEEDED, Snapshot, unix

CAUSE, WELL, UNKNOWN = "cause", "well", "unknown"
SHOWN = 5
"""Of the last events, where nothing better is known."""
_ON_ITS_WAY = {
    "SuccessfulCreate": "it waits for a node",
    "Scheduled": "its node prepares it",
    "SuccessfulAttachVolume": "its node prepares it",
    "Pulling": "its node downloads the image",
    "Pulled": "its node starts it",
    "Created": "its node starts it",
    "Started": "its node starts it",
}
"""What goes on after an event with this reason."""
SOON_S = 10.0
"""A job that was made less long ago need not have come far."""


@dataclass(frozen=True)
class Why:
    """One answer."""

    verdict: str
    """cause, well, unknown."""
    sentence: str
    kind: str | None = None
    """Of the cause."""
    said: str | None = None
    """The cluster's own words, or the program's."""
    fix: str | None = None
    """What to type next."""
    seen: tuple[str, ...] = ()
    """Of what has no cause that is known: what the cluster did last, in its own words."""


def why(state: Snapshot, events: Sequence[Mapping[str, Any]], now: float) -> Why:
    """`events`: of the job and its newest pod, the oldest first; `now`: seconds since the epoch."""
    if state.phase == SUCCEEDED:
        return Why(WELL, f"Nothing is wrong: it has succeeded{_took(state)}.")
    cause = state.cause or of_end(state.end)  # of a job of this machine its last word alone is known
    if cause is not None:
        return Why(CAUSE, cause.sentence, cause.kind, cause.said, cause.fix_of(state.name))
    if state.phase == RUNNING:
        return Why(WELL, f"Nothing is wrong: it runs{_since(state.started_at, now)}{_on(state)}.")
    if state.phase == PENDING and (waits := _on_its_way(state, events, now)):
        return Why(WELL, f"Nothing is wrong so far: {waits}.")
    fix = f"%kube events {state.name}, %kube describe {state.name}"
    return Why(UNKNOWN, f"It is {state.phase}, and why is not known: {_nothing(state)}", fix=fix, seen=_seen(events))


def _on_its_way(state: Snapshot, events: Sequence[Mapping[str, Any]], now: float) -> str:
    """What it waits for as every job does; empty: it is not known."""
    last = events[-1] if events else None
    reason = text(last, "reason")
    if last is not None and reason in _ON_ITS_WAY:
        return f"{_ON_ITS_WAY[reason]}{_on(state)}{_since(unix(happenings.when(last)), now)}"
    if state.created_at is not None and now - state.created_at < SOON_S:
        return f"it was made {human_seconds(max(0.0, now - state.created_at))} ago"
    return ""


def _nothing(state: Snapshot) -> str:
    if not state.pod:
        return "it has no pod, and the cluster names no reason."
    if not state.scheduled:
        return "its pod has no node, and the scheduler has said nothing of it."
    return "neither its pod nor the cluster's events name a reason."


def _seen(events: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    lines = (
        f"{happenings.when(event)} {happenings.concerned(event)} {text(event, 'reason')}: {text(event, 'message')}"
        for event in events[-SHOWN:]
    )
    return tuple(line.strip() for line in lines)


def _on(state: Snapshot) -> str:
    return f" on {state.node}" if state.node else ""


def _since(at: float | None, now: float) -> str:
    if at is None:
        return ""
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f" since {stamp} ({human_seconds(max(0.0, now - at))})"


def _took(state: Snapshot) -> str:
    if state.started_at is None or state.finished_at is None:
        return ""
    return f", after {human_seconds(max(0.0, state.finished_at - state.started_at))}"
