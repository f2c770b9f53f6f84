"""Why a job does not run, or how it failed: from the cluster's objects to one sentence and what to type.

Which of the `causes` goes first. A wrong explanation is worse than none: what is not recognised is quoted as the
cluster said it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry.causes.cause import WAS_STOPPED, Cause, true_condition
from kube_magics.telemetry.causes.ended import ended
from kube_magics.telemetry.causes.evictions import AGAIN
from kube_magics.telemetry.causes.podless import HIDDEN, at_its_deadline, given_up, pod_gone, refused
from kube_magics.telemetry.causes.scheduling import unscheduled
from kube_magics.telemetry.causes.waiting import unmounted, waiting
from kube_magics.telemetry.objects import part, text

_SECOND = 19  # len("2026-11-23T21:00:00"), of UTC
_AS_IT_IS: Mapping[str, dict[str, Any]] = {
    "image": {"fix": "name an image that the cluster's nodes can pull"},
    "start": {"sentence": "The container cannot be started.", "fix": "correct the image, or the command and arguments"},
}
"""Of a container that runs without our runner: nothing of it is known but what the cluster says."""


def explain(
    job: Mapping[str, Any] | None,
    pod: Mapping[str, Any] | None,
    events: Sequence[Mapping[str, Any]] | None = (),
    nodes: Sequence[Mapping[str, Any]] = (),
) -> Cause | None:
    """The cause of a job's state; None: nothing is wrong, or nothing is known.

    `events` None: the user may not read them. `nodes`: all of the cluster, or none.
    """
    if job is None:
        return Cause("deleted", "The job was deleted.", fix=AGAIN)
    if _was_stopped(job, pod):
        return WAS_STOPPED
    if pod is None:
        if true_condition(job, "Complete") or part(job, "spec").get("suspend"):
            return None
        return refused(events or ()) or pod_gone(job) or (HIDDEN if events is None else None)
    found = (
        at_its_deadline(job)
        or ended(pod)
        or waiting(pod)
        or unscheduled(pod, nodes)
        or unmounted(pod, events or ())
        or given_up(job)
    )
    ours = names.ANNOTATION_BUNDLE in part(job, "metadata", "annotations")
    return found if found is None or ours or found.kind not in _AS_IT_IS else replace(found, **_AS_IT_IS[found.kind])


def _was_stopped(job: Mapping[str, Any], pod: Mapping[str, Any] | None) -> bool:
    """By a user, who suspended it, or told it between two attempts that there is to be no other one."""
    asked_at = text(job, "metadata", "annotations", names.ANNOTATION_STOPPED)
    if not asked_at or part(job, "spec").get("suspend"):
        return bool(asked_at)
    # With a pod that was made later somebody has let it run again.
    later = text(pod, "metadata", "creationTimestamp")[:_SECOND] > asked_at[:_SECOND]
    return text(true_condition(job, "Failed", "FailureTarget"), "reason") == "BackoffLimitExceeded" and not later
