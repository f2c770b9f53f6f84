"""The pods of a Job from near, one by one: where each is, what it is at, and what its containers say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kube_magics.telemetry.description import containers_of
from kube_magics.telemetry.objects import part, rows, text
from kube_magics.telemetry.snapshot import unix

INDEX = "batch.kubernetes.io/job-completion-index"
"""https://kubernetes.io/docs/reference/labels-annotations-taints/#batch-kubernetes-io-job-completion-index-annotation"""


@dataclass(frozen=True)
class Container:
    """One of a pod; what is unknown is empty, or None."""

    name: str
    status: str
    """running, ended, waiting, or the pod's phase."""
    reason: str = ""
    """The cluster's word for it: Completed, OOMKilled, ImagePullBackOff."""
    said: str = ""
    """Its sentence about that."""
    exit_code: int | None = None
    restarts: int | None = None
    since: float | None = None
    """Seconds since the epoch, as are the others."""


@dataclass(frozen=True)
class Pod:
    """One of a job."""

    name: str
    index: str
    """Of an indexed job; empty: it is none."""
    phase: str
    """Pending, Running, Succeeded, Failed, Unknown; Terminating, where it was told to end."""
    reason: str
    """Why it is no further: the scheduler's word, the node's, or that of a container."""
    said: str
    node: str
    created_at: float | None
    restarts: int
    containers: tuple[Container, ...]


def pods_of(found: Sequence[Mapping[str, Any]]) -> list[Pod]:
    """By their index where they have one, else the oldest first."""
    made = [_pod(each) for each in found]
    return sorted(made, key=lambda pod: (int(pod.index) if pod.index.isdecimal() else -1, pod.created_at or 0.0))


def _pod(found: Mapping[str, Any]) -> Pod:
    containers = tuple(_containers(found))
    reason, said = _why(found)
    telling = next((each for each in containers if each.reason and each.reason != "Completed"), None)
    return Pod(
        name=text(found, "metadata", "name"),
        index=text(found, "metadata", "annotations", INDEX) or text(found, "metadata", "labels", INDEX),
        phase="Terminating" if text(found, "metadata", "deletionTimestamp") else text(found, "status", "phase"),
        reason=reason or (telling.reason if telling else ""),
        said=said,
        node=text(found, "spec", "nodeName"),
        created_at=unix(text(found, "metadata", "creationTimestamp")),
        restarts=sum(each.restarts or 0 for each in containers),
        containers=containers,
    )


def _why(found: Mapping[str, Any]) -> tuple[str, str]:
    """Of the pod as a whole: it was evicted, no node takes it."""
    status = part(found, "status")
    if text(status, "reason") or text(status, "message"):
        return text(status, "reason"), text(status, "message")
    placed = next((each for each in rows(status, "conditions") if text(each, "type") == "PodScheduled"), {})
    waits = text(placed, "status") == "False" and not text(found, "spec", "nodeName")
    return (text(placed, "reason"), text(placed, "message")) if waits else ("", "")


def _containers(found: Mapping[str, Any]) -> list[Container]:
    """Those that have a state; of a pod without any, those that it will have."""
    statuses = rows(found, "status", "initContainerStatuses") + rows(found, "status", "containerStatuses")
    if not statuses:
        planned = rows(found, "spec", "initContainers") + rows(found, "spec", "containers")
        return [Container(text(each, "name"), "") for each in planned]
    return [_container(told, status) for told, status in zip(containers_of([found]), statuses, strict=True)]


def _container(told: Mapping[str, Any], status: Mapping[str, Any]) -> Container:
    state = part(status, "state")
    ended = part(state, "terminated")
    return Container(
        name=text(status, "name"),
        status=told["status"] or "",
        reason=told["reason"] or "",
        # What a program leaves there is the runner's last word, as JSON: nothing to read here.
        said=text(state, "waiting", "message"),
        exit_code=ended.get("exitCode") if isinstance(ended.get("exitCode"), int) else None,
        restarts=status.get("restartCount") if isinstance(status.get("restartCount"), int) else None,
        since=unix(told["finished_at"] or told["started_at"]),
    )
