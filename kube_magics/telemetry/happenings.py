"""What the cluster's events mean, in words for who knows Python and not Kubernetes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube_magics.telemetry.objects import part, text

_WORDS: Mapping[str, str] = {
    "SuccessfulCreate": "the job got a pod",
    "Scheduled": "a node was found for it",
    "FailedScheduling": "no node has room for it, or may run it",
    "Pulling": "the node downloads the image",
    "Pulled": "the image is on the node",
    "Created": "its container was made",
    "Started": "its program was started",
    "Killing": "it was told to end",
    "Completed": "the job has succeeded",
    "BackoffLimitExceeded": "the job has failed",
    "DeadlineExceeded": "its time was up, or it was stopped",
    "Stopped": "it was stopped",
    "FailedCreate": "the cluster refused it a pod",
    "SuccessfulDelete": "its pod was removed",
    "Suspended": "it was suspended: it does not run",
    "Resumed": "it may run again",
    "BackOff": "the node tries again, after growing pauses",
    "Failed": "the node could not go on with it",
    "ErrImageNeverPull": "the image is not on the node, and must not be downloaded",
    "InspectFailed": "the image's name is wrong",
    "FailedMount": "a volume, ConfigMap or Secret cannot be mounted",
    "FailedAttachVolume": "a volume cannot be attached to the node",
    "SuccessfulAttachVolume": "a volume was attached to the node",
    "FailedCreatePodSandBox": "the node could not give it a network",
    "Evicted": "its node threw it out",
    "Preempted": "it had to make room for a higher priority",
    "Preempting": "others make room for it",
    "TaintManagerEviction": "its node may not run it any more, or was cut off",
    "NodeNotReady": "its node does not answer",
    "OOMKilling": "its node ran out of memory and killed a process",
    "Unhealthy": "a check of its health failed",
    "TriggeredScaleUp": "the cluster gets another node for it",
    "NotTriggerScaleUp": "another node would not help",
    "FailedScaleUp": "the cluster tried to get another node for it, and could not",
    "Nominated": "a node was chosen for it, or is made",
    "ExceededGracePeriod": "it did not end in its grace, and was killed",
}
"""By the event's reason."""


def what(event: Mapping[str, Any]) -> str | None:
    """What happened; None: only the cluster's words are known."""
    return _WORDS.get(text(event, "reason"))


def when(event: Mapping[str, Any]) -> str:
    """When it happened last, as the cluster writes it: to the second, comparable as text."""
    at = text(event, "series", "lastObservedTime") or text(event, "lastTimestamp") or text(event, "eventTime")
    return at or text(event, "metadata", "creationTimestamp")


def count(event: Mapping[str, Any]) -> int:
    """How often it has happened."""
    for found in (part(event, "series").get("count"), event.get("count")):
        if isinstance(found, int) and found > 0:
            return found
    return 1


def concerned(event: Mapping[str, Any]) -> str:
    """What it happened to: `pod/NAME`."""
    return f"{text(event, 'involvedObject', 'kind').lower()}/{text(event, 'involvedObject', 'name')}"
