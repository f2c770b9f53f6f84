"""A frozen picture of a job's state, the same for every backend and for Jobs that kubectl made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry.explain import NEVER_STARTED, Cause, explain

PENDING = "pending"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
SUSPENDED = "suspended"
GONE = "gone"
"""Deleted: by its owner, or with its time to live."""


@dataclass(frozen=True)
class Snapshot:
    """What is known of one job at one moment. Unknown is None."""

    name: str
    namespace: str
    """`local` on this machine."""
    phase: str
    """pending, running, succeeded, failed, suspended, gone."""
    cause: Cause | None = None
    """Why it does not run, or how it failed."""
    pod: str | None = None
    pod_uid: str | None = None
    node: str | None = None
    scheduled: bool = False
    started: bool = False
    """The container runs or has run: there is a log."""
    terminated: bool = False
    """The container has ended, or its pod is gone: the log grows no more."""
    end: Mapping[str, Any] | None = None
    """The runner's last word, from the termination message."""
    created_at: float | None = None
    """Seconds since the epoch, as are the other two."""
    started_at: float | None = None
    finished_at: float | None = None
    gpus: int | None = None
    notebook: str | None = None
    ours: bool = False
    """Made by kube_magics: its log speaks the line protocol."""
    returns: tuple[str, ...] = ()
    uid: str | None = None
    submission_id: str | None = None

    @property
    def over(self) -> bool:
        """Nothing will change any more."""
        return self.phase in (SUCCEEDED, FAILED, GONE)


def of_job(
    job: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]] = (),
    *,
    name: str = "",
    namespace: str = "",
) -> Snapshot:
    """The snapshot of a `batch/v1` Job, its pods (the newest counts) and its events; `job` None: it is gone."""
    pod = max(pods, key=lambda p: str(p["metadata"].get("creationTimestamp", "")), default=None)
    if job is None:
        return Snapshot(name, namespace, GONE, explain(None, pod, events), terminated=True)
    meta, status = job["metadata"], job.get("status", {})
    annotations, template = meta.get("annotations") or {}, job["spec"]["template"]
    container = _container_status(pod)
    state = container.get("state") or {}
    ended = state.get("terminated")
    ran = state.get("running") or (ended if ended and ended.get("reason") not in NEVER_STARTED else None)
    return Snapshot(
        name=meta["name"],
        namespace=meta.get("namespace", namespace),
        phase=_phase(job, pod, state),
        cause=explain(job, pod, events),
        pod=pod["metadata"]["name"] if pod else None,
        pod_uid=pod["metadata"]["uid"] if pod else None,
        node=pod["spec"].get("nodeName") if pod else None,
        scheduled=bool(pod and pod["spec"].get("nodeName")),
        started=bool(ran),
        terminated=bool(ended) or (pod is not None and pod["status"].get("phase") in ("Succeeded", "Failed")),
        end=_end(ended),
        created_at=unix(meta.get("creationTimestamp")),
        started_at=unix((ran or {}).get("startedAt") or (None if ended else status.get("startTime"))),
        finished_at=unix((ended or {}).get("finishedAt") or status.get("completionTime")),
        gpus=_gpus(template),
        notebook=annotations.get(names.ANNOTATION_NOTEBOOK),
        ours=names.ANNOTATION_SUBMISSION in annotations,
        returns=tuple(filter(None, annotations.get(names.ANNOTATION_RETURNS, "").split(","))),
        uid=meta.get("uid"),
        submission_id=annotations.get(names.ANNOTATION_SUBMISSION),
    )


def unix(stamp: str | None) -> float | None:
    """Seconds since the epoch of an RFC 3339 timestamp, as Kubernetes writes them."""
    return datetime.fromisoformat(stamp).timestamp() if stamp else None


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """The condition of that type if it is True; by type, never by position."""
    for found in status.get("conditions") or ():
        if found["type"] == kind and found["status"] == "True":
            return dict(found)
    return None


def _phase(job: Mapping[str, Any], pod: Mapping[str, Any] | None, state: Mapping[str, Any]) -> str:
    status = job.get("status", {})
    if condition(status, "Complete") or condition(status, "SuccessCriteriaMet"):
        return SUCCEEDED
    if condition(status, "Failed") or condition(status, "FailureTarget"):
        return FAILED
    if job["spec"].get("suspend"):
        return SUSPENDED
    if pod is not None and pod["status"].get("phase") in ("Succeeded", "Failed"):
        # The Job's own condition follows seconds later.
        return SUCCEEDED if pod["status"]["phase"] == "Succeeded" else FAILED
    return RUNNING if state.get("running") or state.get("terminated") else PENDING


def _container_status(pod: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found = (pod or {}).get("status", {}).get("containerStatuses") or [{}]
    ours = [status for status in found if status.get("name") == names.CONTAINER]
    return dict((ours or found)[0])


def _end(terminated: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    try:
        said = json.loads((terminated or {}).get("message") or "")
    except ValueError:
        return None
    return said if isinstance(said, dict) and said.get("e") == "end" else None


def _gpus(template: Mapping[str, Any]) -> int:
    total = 0
    for container in template["spec"].get("containers", ()):
        resources = container.get("resources") or {}
        asked = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
        total += sum(int(count) for name, count in asked.items() if name.endswith("/gpu") and str(count).isdigit())
    return total
