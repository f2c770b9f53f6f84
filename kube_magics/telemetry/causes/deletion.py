"""Who deleted a pod, as far as the cluster tells: its own parts say so in an event, people do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.telemetry.causes.cause import Cause, newest
from kube_magics.telemetry.objects import text

_PARTS = {
    "SuccessfulDelete": "by the Job's controller, as of a Job that is suspended or asks for fewer pods",
    "TaintManagerEviction": "by the cluster: its node may not run it any more, or was cut off",
    "Preempted": "by the scheduler, to make room for a higher priority",
    "NodeControllerEviction": "by the cluster: its node is gone",
}
"""By the reason of an event of the pod, or of the Job where it names the pod."""
SOMEBODY = "by a person or a program with the right to (no part of the cluster says that it was itself)"


def by_whom(cause: Cause, pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]] | None) -> Cause:
    """A deletion, with who did it; `events` None: they may not be read, and it is not known."""
    if cause.kind != "deleted" or events is None:
        return cause
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
        return replace(cause, sentence=f"The job's pod was deleted {who}.", said=said or None)
    told = any(text(event, "reason") == "Killing" for event in events)
    return replace(cause, sentence=f"The job's pod was deleted {SOMEBODY}.") if told else cause
