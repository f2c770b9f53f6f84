"""Who deleted a pod, as far as the cluster tells: its own parts say so in an event, people do not. And whose finalizer
keeps what was deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.telemetry.causes.cause import Cause, newest
from kube_magics.telemetry.causes.evictions import AGAIN
from kube_magics.telemetry.objects import part, text

_PARTS = {
    "SuccessfulDelete": "by the Job's controller, as of a Job that is suspended or asks for fewer pods",
    "TaintManagerEviction": "by the cluster: its node may not run it any more, or was cut off",
    "Preempted": "by the scheduler, to make room for a higher priority",
    "NodeControllerEviction": "by the cluster: its node is gone",
}
"""By the reason of an event of the pod, or of the Job where it names the pod."""
_TRACKING = "batch.kubernetes.io/job-tracking"
"""Of every pod of a Job, until its end is counted."""
SOMEBODY = "by a person or a program with the right to (no part of the cluster says that it was itself)"


def by_whom(cause: Cause, pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]] | None) -> Cause:
    """A deletion, with who did it; `events` None: they may not be read, and it is not known."""
    if cause.kind != "deleted" or events is None:
        return cause
    keeps = [each for each in _finalizers(pod) if each != _TRACKING]
    stays = f" It stays until whoever set its finalizer {', '.join(keeps)} takes it off." if keeps else ""
    name, uid = text(pod, "metadata", "name"), text(pod, "metadata", "uid")
    of_pod = [
        event
        for event in events
        if (uid and text(event, "involvedObject", "uid") == uid) or (name and name in text(event, "message"))
    ]
    last = newest(of_pod, *_PARTS)
    said = text(last, "message")
    if last is not None and not said.startswith("Cancelling"):  # of a taint that went away again
        who = _PARTS[text(last, "reason")]
        return replace(cause, sentence=f"The job's pod was deleted {who}.{stays}", said=said or None)
    told = any(text(event, "reason") == "Killing" for event in events)
    by = f" {SOMEBODY}" if told else ""
    return replace(cause, sentence=f"The job's pod was deleted{by}.{stays}") if by or stays else cause


def going(job: Mapping[str, Any]) -> Cause | None:
    """A Job that somebody has deleted, and that is still there."""
    since = text(job, "metadata", "deletionTimestamp")
    if not since:
        return None
    keeps = _finalizers(job)
    until = "its pods have gone" if keeps == ["foregroundDeletion"] else f"{', '.join(keeps)} is taken off it"
    what = f"It was deleted at {since} (by whom the cluster does not keep), and stays until {until}."
    return Cause("deleted", what, f"metadata.finalizers: {', '.join(keeps)}", f"wait until it is gone, then {AGAIN}")


_OVER = {
    "Completed": "It had succeeded before.",
    "BackoffLimitExceeded": "It had failed before.",
    "DeadlineExceeded": "It had reached its deadline before.",
}
"""By the reason of a Job's event; whatever is over is deleted after its time to live, too."""


def gone(events: Sequence[Mapping[str, Any]]) -> Cause:
    """A Job that is there no more, by its own events, which outlive it by an hour."""
    own = [event for event in events if text(event, "involvedObject", "kind") == "Job"]
    ended = newest(own, *_OVER)
    last = ended or newest(own, *(text(event, "reason") for event in own))
    before = _OVER.get(text(last, "reason"), "It was not over, for all that its events tell.")
    what = f"The job was deleted, by whom Kubernetes does not keep. {before}"
    said = ": ".join(filter(None, (text(last, "reason"), text(last, "message"))))
    return Cause("deleted", what, said or None, AGAIN)


def _finalizers(found: Mapping[str, Any]) -> list[str]:
    named = part(found, "metadata").get("finalizers")
    return [each for each in named if isinstance(each, str)] if isinstance(named, (list, tuple)) else []
