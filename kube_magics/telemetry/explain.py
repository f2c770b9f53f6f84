"""Why a job does not run, or how it failed: from the cluster's objects to one sentence and what to type.

Which of the `causes` goes first. A wrong explanation is worse than none: what is not recognised is quoted as the
cluster said it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry.causes.cause import WAS_STOPPED, Cause, concerning
from kube_magics.telemetry.causes.deletion import by_whom, going
from kube_magics.telemetry.causes.ended import ended
from kube_magics.telemetry.causes.evictions import AGAIN
from kube_magics.telemetry.causes.node import silent
from kube_magics.telemetry.causes.podless import HIDDEN, at_its_deadline, given_up, pod_gone, refused
from kube_magics.telemetry.causes.queue import Queue, suspended
from kube_magics.telemetry.causes.scheduling import unscheduled
from kube_magics.telemetry.causes.starting import NO_PYTHON
from kube_magics.telemetry.causes.theirs import fields
from kube_magics.telemetry.causes.waiting import unmounted, waiting
from kube_magics.telemetry.objects import part, text, true_condition

_SECOND = 19  # len("2026-11-23T21:00:00"), of UTC


def explain(
    job: Mapping[str, Any] | None,
    pod: Mapping[str, Any] | None,
    events: Sequence[Mapping[str, Any]] | None = (),
    nodes: Sequence[Mapping[str, Any]] = (),
    *,
    queue: Queue | None = None,
    lines: Sequence[str] = (),
) -> Cause | None:
    """The cause of a job's state; None: nothing is wrong, or nothing is known.

    `events` None: the user may not read them. `nodes`: all of the cluster, or none. `queue`: what Kueue has of it.
    `lines`: the last ones of the pod's log, where they were read.
    """
    if job is None:
        return Cause("deleted", "The job was deleted.", fix=AGAIN)
    if _was_stopped(job, pod):
        return WAS_STOPPED
    found = _podless(job, events, queue) if pod is None else _of_pod(job, pod, events, nodes, lines)
    if found is None and pod is not None and part(job, "spec").get("suspend"):
        found = suspended(job, queue)  # its pod is on its way out
    found = found or (None if true_condition(job, "Complete") else going(job))
    return found if found is None else _as_it_was_made(job, found)


def _of_pod(
    job: Mapping[str, Any],
    pod: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]] | None,
    nodes: Sequence[Mapping[str, Any]],
    lines: Sequence[str],
) -> Cause | None:
    of_pod = concerning(events or (), text(pod, "metadata", "uid"))
    found = (
        at_its_deadline(job)
        or ended(pod, lines)
        or waiting(pod, lines)
        or unscheduled(pod, nodes, of_pod)
        or unmounted(pod, of_pod)
        or silent(pod, of_pod)
        or given_up(job)
    )
    return found and by_whom(found, pod, events)


def _as_it_was_made(job: Mapping[str, Any], cause: Cause) -> Cause:
    """With what to type for whoever made it: by our options, or as YAML; and of an image that runs as it is nothing is
    known but what the cluster says."""
    annotations = part(job, "metadata", "annotations")
    if names.ANNOTATION_BUNDLE in annotations:
        return cause
    if cause.kind == "start" and NO_PYTHON in cause.sentence:
        cause = replace(cause, sentence="Its image has no such program.", fix="correct the image, or its command")
    if cause.kind == "policy" and "violates PodSecurity" in str(cause.said):
        return replace(cause, fix="give its pod the securityContext that the cluster asks for   (%kube yaml NAME)")
    made_by_us = names.ANNOTATION_SUBMISSION in annotations and cause.kind not in ("image", "start")
    return cause if made_by_us or cause.fix is None else replace(cause, fix=fields(cause.fix))


def _podless(job: Mapping[str, Any], events: Sequence[Mapping[str, Any]] | None, queue: Queue | None) -> Cause | None:
    if true_condition(job, "Complete"):
        return None
    if part(job, "spec").get("suspend"):
        return pod_gone(job) or suspended(job, queue)
    return refused(events or ()) or pod_gone(job) or (HIDDEN if events is None else None)


def _was_stopped(job: Mapping[str, Any], pod: Mapping[str, Any] | None) -> bool:
    """By a user, who suspended it, or told it between two attempts that there is to be no other one."""
    asked_at = text(job, "metadata", "annotations", names.ANNOTATION_STOPPED)
    if not asked_at or part(job, "spec").get("suspend"):
        return bool(asked_at)
    # With a pod that was made later somebody has let it run again.
    later = text(pod, "metadata", "creationTimestamp")[:_SECOND] > asked_at[:_SECOND]
    return text(true_condition(job, "Failed", "FailureTarget"), "reason") == "BackoffLimitExceeded" and not later
