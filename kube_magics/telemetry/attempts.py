"""The attempts of a job that its cluster tries again: a pod each, one after the other.

A container that is started again within its pod (`restartPolicy: OnFailure`, of kubectl's Jobs) is no attempt of its
own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kube_magics.telemetry.objects import part, text


def in_turn(job: Mapping[str, Any] | None) -> bool:
    """Whether the job's pods are attempts at one thing; else they share its work."""
    spec = part(job, "spec")
    return (spec.get("completions") or 1) == 1 and (spec.get("parallelism") or 1) == 1


def most(job: Mapping[str, Any] | None) -> int:
    """How many attempts there may be."""
    limit = part(job, "spec").get("backoffLimit")
    return limit + 1 if isinstance(limit, int) and in_turn(job) else 1


def ordered(pods: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first made first."""
    return sorted(pods, key=lambda pod: text(pod, "metadata", "creationTimestamp"))


def number(job: Mapping[str, Any] | None, pods: Sequence[Mapping[str, Any]], pod: Mapping[str, Any] | None) -> int:
    """Which attempt `pod` is, from 1 on; `pods` are those of the job that are still there, which are its last ones."""
    if pod is None or not in_turn(job):
        return 1
    counted = part(job, "status").get("failed")
    gone = max(0, (counted if isinstance(counted, int) else 0) - sum(map(has_failed, pods)))
    return gone + ordered(pods).index(pod) + 1


def has_failed(pod: Mapping[str, Any]) -> bool:
    """Whether it counts as a failed attempt."""
    return text(pod, "status", "phase") == "Failed"
