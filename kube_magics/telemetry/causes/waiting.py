"""A pod on its node whose container waits: for its image, for its start, for its next start, for its volumes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.telemetry.causes.absent import absent
from kube_magics.telemetry.causes.cause import Cause, newest
from kube_magics.telemetry.causes.ended import containers, exited
from kube_magics.telemetry.causes.program import LOGS
from kube_magics.telemetry.causes.starting import IMAGE_REASONS, START_REASONS, not_started, unpullable
from kube_magics.telemetry.objects import part, text

_FAILS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_MOUNTED = ("Pulling", "Pulled", "Created", "Started")
"""After these its volumes are there."""
_ELSEWHERE = re.compile(r"Multi-Attach error|already (?:used by|attached to|exclusively attached)", re.IGNORECASE)


def waiting(pod: Mapping[str, Any], lines: Sequence[str] = ()) -> Cause | None:
    """Why a container of the pod does not run, if its state tells; `lines`: the last ones of its last run."""
    for status in containers(pod):
        reason, said = text(status, "state", "waiting", "reason"), text(status, "state", "waiting", "message") or None
        if reason in IMAGE_REASONS:
            return _once_more(status, unpullable(pod, status, reason, said), lines)
        if reason in START_REASONS:
            return _once_more(status, not_started(reason, said), lines)
        if reason == "CrashLoopBackOff":
            return _once_more(status, Cause("restart", "The node waits longer after each time.", said, LOGS), lines)
    return None


def _once_more(status: Mapping[str, Any], cause: Cause, lines: Sequence[str]) -> Cause:
    """Of a container that the node is to start again, as kubectl's may be."""
    before = part(status, "lastState", "terminated")
    if not before:
        return cause
    ended = exited(before, lines)
    found = replace(cause, sentence=f"{ended.sentence} It is to be started again. {cause.sentence}")
    return found if cause.kind != "restart" else replace(found, said=ended.said or cause.said, fix=ended.fix)


def unmounted(pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Cause | None:
    """A container that is not made: only events of the pod say which of its volumes is in the way."""
    last = newest(events, *_FAILS, *_MOUNTED)
    if text(last, "reason") not in _FAILS or text(pod, "status", "phase") != "Pending":
        return None
    said = text(last, "message")
    if (found := absent(said)) is not None:
        fix = "make it, or correct the volume that names it: the node goes on trying"
        return Cause("mount", found.sentence, said, fix)
    if _ELSEWHERE.search(said):
        fix = "wait until the other job has ended (%kube jobs), or stop it"
        return Cause("mount", "Its volume is attached to another node, where another pod has it.", said, fix)
    fix = "the node goes on trying; ask your administrator, or %kube delete NAME"
    return Cause("mount", "A volume of the job cannot be mounted.", said, fix)
