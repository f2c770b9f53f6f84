"""A pod on its node whose container waits: for its image, for its start, for its next start, for its volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.telemetry.causes.cause import Cause, newest
from kube_magics.telemetry.causes.ended import containers, exited
from kube_magics.telemetry.causes.starting import IMAGE_REASONS, START_REASONS, not_started, unpullable
from kube_magics.telemetry.objects import part, text


def waiting(pod: Mapping[str, Any]) -> Cause | None:
    """Why a container of the pod does not run, if its state tells."""
    for status in containers(pod):
        reason, said = text(status, "state", "waiting", "reason"), text(status, "state", "waiting", "message") or None
        if reason in IMAGE_REASONS:
            return _once_more(status, unpullable(pod, status, reason, said))
        if reason in START_REASONS:
            return _once_more(status, not_started(reason, said))
        if reason == "CrashLoopBackOff":
            return _once_more(
                status, Cause("restart", "The node waits longer after each time.", said, "%kube logs NAME")
            )
    return None


def _once_more(status: Mapping[str, Any], cause: Cause) -> Cause:
    """Of a container that the node is to start again, as kubectl's may be."""
    before = part(status, "lastState", "terminated")
    if not before:
        return cause
    return replace(cause, sentence=f"{exited(before).sentence} It is to be started again. {cause.sentence}")


def unmounted(pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Cause | None:
    """A container that is not made: only events of the pod say which of its volumes is in the way."""
    failed = newest(events, "FailedMount", "FailedAttachVolume")
    if failed is None or text(pod, "status", "phase") != "Pending":
        return None
    fix = "the node goes on trying; ask your administrator, or %kube delete NAME"
    return Cause("mount", "A volume of the job cannot be mounted.", text(failed, "message"), fix)
