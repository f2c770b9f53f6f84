"""A frozen picture of a job's state, the same for every backend and for Jobs that kubectl made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry import attempts
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.causes.queue import Queue
from kube_magics.telemetry.causes.starting import NEVER_STARTED
from kube_magics.telemetry.explain import explain
from kube_magics.telemetry.made import NOTHING, Made, made_of
from kube_magics.telemetry.objects import gpus, last_word, part, rows, text, true_condition
from kube_magics.telemetry.pulling import Pull, pull_of

PENDING = "pending"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
STOPPED = "stopped"
"""By a user, for good."""
SUSPENDED = "suspended"
INCOMPLETE = "incomplete"
"""Its files have not arrived, or not yet: it cannot start."""
GONE = "gone"
"""Deleted: by its owner, or with its time to live."""


@dataclass(frozen=True)
class Snapshot:
    """What is known of one job at one moment. Unknown is None."""

    name: str
    namespace: str
    """`local` on this machine."""
    phase: str
    """pending, running, succeeded, failed, stopped, suspended, incomplete, gone."""
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
    """Seconds since the epoch, as are the others."""
    started_at: float | None = None
    finished_at: float | None = None
    queued_at: float | None = None
    """Since when this attempt's pod has waited for a node."""
    scheduled_at: float | None = None
    pull: Pull | None = None
    """Of its image, as far as events have told."""
    gpus: int | None = None
    without_gpus: bool = False
    """It has none of those: --cpu-ok, where there are none."""
    memory: str | None = None
    """What was asked for, as a quantity; a limit counts before a request."""
    cpus: str | None = None
    notebook: str | None = None
    label: str | None = None
    """Of its cell there: In [3]."""
    ours: bool = False
    """Made by kube_magics: its log speaks the line protocol."""
    returns: tuple[str, ...] = ()
    uid: str | None = None
    submission_id: str | None = None
    fetched: bool = False
    """Its values, or its exception, have arrived in a notebook."""
    artifacts: str | None = None
    """Where its annotation says that its files are in a store; anybody may have written it."""
    made: Made = NOTHING
    attempt: int = 1
    """Which one the pod is."""
    attempts: int = 1
    """How many there may be."""
    pods: str = ""
    """A word that is another one when anything of its pods is; empty: it has none, or nobody has looked for that."""

    @property
    def status(self) -> str:
        """The phase, for people: `running`, `running (attempt 2 of 3)`."""
        return self.phase if self.attempt == 1 else f"{self.phase} (attempt {self.attempt} of {self.attempts})"

    @property
    def over(self) -> bool:
        """Nothing will change any more."""
        return self.phase in (SUCCEEDED, FAILED, STOPPED, GONE)


def of_job(
    job: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]] | None = (),
    *,
    nodes: Sequence[Mapping[str, Any]] = (),
    queue: Queue | None = None,
    lines: Sequence[str] = (),
    name: str = "",
    namespace: str = "",
) -> Snapshot:
    """The snapshot of a `batch/v1` Job, its pods (the newest counts) and its events; `job` None: it is gone.

    `events` None: the user may not read them. `nodes` are all of the cluster's, or none. `queue`: what Kueue has of it.
    `lines`: the last ones of its newest pod's log, where they were read.
    """
    mine = own_pods(text(job, "metadata", "uid"), pods)
    pod = ([None, *attempts.ordered(mine)])[-1]
    if job is None:
        return Snapshot(name, namespace, GONE, explain(None, pod, events), terminated=True)
    cause = explain(job, pod, events, nodes, queue=queue, lines=lines)
    found = _as_asked(job, name, namespace, cause, attempts.number(job, mine, pod))
    return _as_it_runs(found, job, pod, events)


def _as_asked(job: Mapping[str, Any], name: str, namespace: str, cause: Cause | None, attempt: int) -> Snapshot:
    """What the Job itself says."""
    meta, annotations = part(job, "metadata"), part(job, "metadata", "annotations")
    containers = rows(job, "spec", "template", "spec", "containers")
    return Snapshot(
        name=text(meta, "name") or name,
        namespace=text(meta, "namespace") or namespace,
        phase=PENDING,
        cause=cause,
        created_at=unix(meta.get("creationTimestamp")),
        gpus=_gpus(containers),
        memory=_asked(containers, "memory"),
        cpus=_asked(containers, "cpu"),
        notebook=text(annotations, names.ANNOTATION_NOTEBOOK) or None,
        label=text(annotations, names.ANNOTATION_LABEL) or None,
        ours=names.ANNOTATION_BUNDLE in annotations,
        returns=tuple(filter(None, text(annotations, names.ANNOTATION_RETURNS).split(","))),
        uid=text(meta, "uid") or None,
        submission_id=text(annotations, names.ANNOTATION_SUBMISSION) or None,
        fetched=names.ANNOTATION_FETCHED in annotations,
        artifacts=text(annotations, names.ANNOTATION_ARTIFACTS) or None,
        attempt=attempt,
        attempts=max(attempt, attempts.most(job)),
    )


def _as_it_runs(
    found: Snapshot,
    job: Mapping[str, Any],
    pod: Mapping[str, Any] | None,
    events: Sequence[Mapping[str, Any]] | None,
) -> Snapshot:
    """The same, with what its pod and that one's container say."""
    status = _container_status(pod)
    before, ended = part(status, "lastState", "terminated"), part(status, "state", "terminated")
    ran = part(status, "state", "running") or (ended if text(ended, "reason") not in NEVER_STARTED else {})
    given_up = bool(before and found.cause and found.cause.hopeless)
    node, pod_uid = text(pod, "spec", "nodeName"), text(pod, "metadata", "uid") or None
    return replace(
        found,
        phase=_phase(job, pod, status, found),
        made=made_of(job, status),
        pod=text(pod, "metadata", "name") or None,
        pod_uid=pod_uid,
        node=node or None,
        scheduled=bool(node),
        queued_at=found.created_at if found.attempt == 1 else unix(part(pod, "metadata").get("creationTimestamp")),
        scheduled_at=_scheduled_at(pod),
        pull=pull_of(pod_uid, events),
        started=bool(ran or before),
        terminated=bool(ended) or given_up or text(pod, "status", "phase") in ("Succeeded", "Failed"),
        end=last_word(ended),
        started_at=unix(ran.get("startedAt") or (None if ended else part(job, "status").get("startTime"))),
        finished_at=unix(ended.get("finishedAt") or part(job, "status").get("completionTime")),
    )


def incomplete(state: Snapshot) -> Snapshot:
    """The same, of which is known that its files are not there."""
    fix = "run the cell again   (whoever submitted it: the next %kube jobs there removes it)"
    return replace(
        state, phase=INCOMPLETE, cause=Cause("incomplete", "Its files are not there: it has not run.", fix=fix)
    )


def succeeded(end: Mapping[str, Any] | None) -> bool:
    """Whether the last word is success; a job that was stopped and then ended with 0 did not come to its end."""
    return end is not None and end.get("code") == 0 and end.get("reason", "completed") == "completed"


def failed(job: Mapping[str, Any]) -> bool:
    """Given up by its controller: no pod will follow the last one."""
    return true_condition(job, "Failed", "FailureTarget") is not None


def own_pods(uid: str, pods: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of the Job `uid`: pods of a deleted Job bear its name for a while, also beside a new Job of that name."""

    def others(pod: Mapping[str, Any]) -> bool:
        owners = {text(owner, "uid") for owner in rows(pod, "metadata", "ownerReferences")}
        return bool(uid and owners) and uid not in owners

    return [pod for pod in pods if not others(pod)]


def unix(stamp: Any) -> float | None:
    """Seconds since the epoch of an RFC 3339 timestamp, as Kubernetes writes them; None: there is none."""
    try:
        return datetime.fromisoformat(stamp).timestamp() if stamp else None
    except (TypeError, ValueError):
        return None


def _phase(job: Mapping[str, Any], pod: Mapping[str, Any] | None, status: Mapping[str, Any], found: Snapshot) -> str:
    phase = _by_its_objects(job, pod, status, found.attempt)
    return STOPPED if phase == FAILED and found.cause is not None and found.cause.kind == "stopped" else phase


def _by_its_objects(
    job: Mapping[str, Any], pod: Mapping[str, Any] | None, status: Mapping[str, Any], attempt: int
) -> str:
    if true_condition(job, "Complete", "SuccessCriteriaMet"):
        return SUCCEEDED
    if failed(job):
        return FAILED
    if part(job, "spec").get("suspend"):
        return PENDING if _queued(job) else SUSPENDED
    phase = text(pod, "status", "phase")
    spec = part(job, "spec")
    # The Job's own condition follows seconds later; of a Job that may get more pods only that counts.
    if phase == "Succeeded" and (spec.get("completions") or 1) == 1:
        return SUCCEEDED
    if phase == "Failed" and (not spec.get("backoffLimit") or attempt >= attempts.most(job) > 1):
        return FAILED
    if phase == "Failed" and attempts.in_turn(job):
        return PENDING  # until the next attempt
    state = part(status, "state")
    unseen = pod is None and part(job, "status").get("ready")  # of pods that the user may not list
    return RUNNING if state.get("running") or state.get("terminated") or unseen else PENDING


def _queued(job: Mapping[str, Any]) -> bool:
    """Whether Kueue has suspended it, which resumes it when it is its turn; not, where a user has stopped it."""
    return bool(text(job, "metadata", "labels", names.LABEL_QUEUE)) and not text(
        job, "metadata", "annotations", names.ANNOTATION_STOPPED
    )


def _container_status(pod: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Of our container; in a pod of somebody else's, of its first one, which is also the one whose log is read."""
    found = {text(status, "name"): status for status in rows(pod, "status", "containerStatuses")}
    first = [text(container, "name") for container in rows(pod, "spec", "containers")][:1]
    for name in (names.CONTAINER, *first, *found):
        if name in found:
            return found[name]
    return {}


def _gpus(containers: Sequence[Mapping[str, Any]]) -> int:
    resources = [part(container, "resources") for container in containers]
    return sum(gpus({**part(each, "requests"), **part(each, "limits")}) for each in resources)


def _asked(containers: Sequence[Mapping[str, Any]], resource: str) -> str | None:
    """Of the only container; several share what is used in ways that nobody tells."""
    if len(containers) != 1:
        return None
    limits, requests = (part(containers[0], "resources", key) for key in ("limits", "requests"))
    return text(limits, resource) or text(requests, resource) or None


def _scheduled_at(pod: Mapping[str, Any] | None) -> float | None:
    return unix((true_condition(pod, "PodScheduled") or {}).get("lastTransitionTime"))
