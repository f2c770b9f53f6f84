"""A Job that is suspended: in Kueue's queue, by a person's hand, or for good.

Kueue's words are those of its Workload's conditions (`kueue.x-k8s.io/v1beta2`); "never" and "not now" share the reason
Pending there, and only the message tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.objects import part, rows, text, true_condition

_RESUME = """kubectl patch job NAME --type merge -p '{"spec": {"suspend": false}}'"""
_WAIT = "wait, or ask for less; %kube delete NAME takes it out of the queue"


@dataclass(frozen=True)
class Queue:
    """What Kueue has of one Job."""

    workload: Mapping[str, Any] | None = None
    """None: there is none, or the user may not read it."""
    readable: bool = True
    ahead: int | None = None
    """Jobs before it in its local queue; None: unknown."""


def suspended(job: Mapping[str, Any], queue: Queue | None) -> Cause:
    """Why its controller makes no pods; `queue`: None where Kueue was not asked."""
    name = text(job, "metadata", "labels", names.LABEL_QUEUE)
    if not name:
        return _by_hand(job)
    where = f"Kueue's queue {name}"
    if queue is None or (queue.workload is None and not queue.readable):
        return Cause("queued", f"It is suspended, and waits in {where}; for what is not to be seen here.", fix=_WAIT)
    if queue.workload is None:
        what = f"It is suspended for {where}, and Kueue has made no Workload of it."
        return Cause(
            "queued", what, fix="correct --queue (and its priority class): Kueue knows them, or is not running"
        )
    return _waits(queue.workload, where, queue.ahead)


def _waits(workload: Mapping[str, Any], where: str, ahead: int | None) -> Cause:
    evicted, reserved = true_condition(workload, "Preempted"), _quota(workload)
    said = text(reserved, "message") or None
    if text(reserved, "reason") == "Inadmissible":
        return Cause(
            "queued", f"{where} cannot take it.", said, "correct --queue: %kube yaml NAME shows the job's label"
        )
    if said and "insufficient quota" in said:
        return Cause("queued", f"It asks for more than {where} ever has.", said, "ask for less, or another --queue")
    if said and "unavailable in ClusterQueue" in said:
        fix = "ask for none of what it names, or another --queue"
        return Cause("queued", f"{where} has nothing of a kind that it asks for.", said, fix)
    if evicted is not None:
        what = f"It had to make room for a job of higher priority, and waits in {where} again, to start anew."
        return Cause("queued", what, text(evicted, "message") or said, _WAIT)
    place = (
        "" if ahead is None else ", as the next one" if ahead == 0 else f", behind {ahead} other job{'s' * (ahead > 1)}"
    )
    return Cause("queued", f"It waits in {where}{place}.", said, _WAIT)


def _quota(workload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The condition that says whether room is kept for it, True or not."""
    found = rows(workload, "status", "conditions")
    return next((row for row in found if row.get("type") == "QuotaReserved"), None)


def _by_hand(job: Mapping[str, Any]) -> Cause:
    condition = true_condition(job, "Suspended")
    by = _who(job)
    what = "It is suspended: it has no pods until somebody lets it run again."
    said = f"spec.suspend was set by {by}" if by else text(condition, "message") or None
    fix = f"{_RESUME}   (in a terminal), or run the cell again"
    return Cause("suspended", what, said, fix)


def _who(job: Mapping[str, Any]) -> str:
    """The program that set spec.suspend, as the API server keeps account of it; empty: unknown."""
    for entry in rows(job, "metadata", "managedFields"):
        if "f:suspend" in part(entry, "fieldsV1", "f:spec"):
            at = text(entry, "time")
            return f"{text(entry, 'manager')}{f' at {at}' if at else ''}"
    return ""
