"""A pod that has ended, or is made to: by its node, by a deletion, by a signal, by its own program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry.causes.cause import WAS_STOPPED, Cause
from kube_magics.telemetry.causes.evictions import AGAIN, disruption, eviction
from kube_magics.telemetry.causes.node import not_taken, with_lost_device
from kube_magics.telemetry.causes.program import LOGS, in_its_words, killed, of_end, plain_lines
from kube_magics.telemetry.causes.starting import NEVER_STARTED, not_started
from kube_magics.telemetry.objects import last_word, part, rows, text, true_condition

_LAST_SIGNAL = 64
"""Linux', with those of real time: what is above is no signal's, as the 255 of sys.exit(-1)."""


_BY_ITS_STATE = ("signal", "oom", "stopped")
"""Ends of which the cluster knows more than the runner: who, or what, has killed it."""


def containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statuses of all containers of a pod, those that initialise it first."""
    return rows(pod, "status", "initContainerStatuses") + rows(pod, "status", "containerStatuses")


def ended_badly(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the container has ended, or its run before the one that is to come; empty: it has not, or well."""
    found = part(status, "state", "terminated")
    if not found and part(status, "state", "waiting"):
        found = part(status, "lastState", "terminated")
    return found if found.get("exitCode") != 0 else {}


def ended(pod: Mapping[str, Any], lines: Sequence[str] = ()) -> Cause | None:
    """Why it had to end, or how its container did; None: neither. `lines`: the last ones of that container."""
    reason, said = text(pod, "status", "reason"), text(pod, "status", "message") or None
    if reason == "Evicted":
        sentence, fix = eviction(said or "")
        return Cause("evicted", sentence, said.strip() if said else None, fix)
    if reason == "DeadlineExceeded" and names.ANNOTATION_STOPPED in part(pod, "metadata", "annotations"):
        return WAS_STOPPED
    if reason == "DeadlineExceeded":
        return Cause("deadline", "The pod reached its deadline.", said, "a longer --timeout")
    disrupted = true_condition(pod, "DisruptionTarget")
    if disrupted:
        by = text(disrupted, "reason")
        sentence, fix = disruption(by)
        return Cause("evicted", sentence, text(disrupted, "message") or by or None, fix)
    deleted_at = _deleted_at(part(pod, "metadata"))
    for container in containers(pod):
        terminated = part(container, "state", "terminated")
        if terminated and terminated.get("exitCode") != 0 and not _ended_for_its_deletion(terminated, deleted_at):
            return with_lost_device(exited(terminated, lines), container)
    if deleted_at:
        return Cause("deleted", "The job's pod was deleted.", fix=AGAIN)
    if reason and text(pod, "status", "phase") == "Failed":
        return not_taken(reason, said)
    return None


def exited(terminated: Mapping[str, Any], lines: Sequence[str] = ()) -> Cause:
    """How a container has ended, from its state; `lines`: its last ones, where they were read."""
    code, reason = terminated.get("exitCode"), text(terminated, "reason")
    end = last_word(terminated)
    if end is not None and end.get("reason") not in _BY_ITS_STATE and (told := of_end(end)) is not None:
        # Its exception says more than an exit code; and a container of which the node killed a worker at the memory
        # limit was not killed there.
        return told
    if reason == "OOMKilled":
        return Cause("oom", "The container was killed at its memory limit.", "OOMKilled", "a larger --memory")
    if reason in NEVER_STARTED:
        return not_started(reason, text(terminated, "message") or None)
    said = reason if reason != "Error" else None  # what every failure is called
    if not isinstance(code, int):
        return Cause("exit", "The container ended, with which exit code is not known.", said or None, LOGS)
    if 128 < code <= 128 + _LAST_SIGNAL:
        found = killed(code - 128, said or None)
    else:
        found = Cause("exit", f"The container ended with exit code {code}.", said or None, LOGS, exit_code=code)
    # The end of the log, where the pod asks for it (FallbackToLogsOnError).
    message = [] if end is not None else plain_lines(text(terminated, "message").encode("utf-8", "replace"))
    return in_its_words(found, lines or message)


def _ended_for_its_deletion(terminated: Mapping[str, Any], deleted_at: str) -> bool:
    """By the runner's word, or after it: the stamps of a pod that has just gone need not be those of its deletion."""
    told = (last_word(terminated) or {}).get("reason") == "stopped"
    return bool(deleted_at) and (told or text(terminated, "finishedAt") >= deleted_at)


def _deleted_at(metadata: Mapping[str, Any]) -> str:
    """When somebody asked for its deletion, which is its grace before the time stamp; empty: nobody did."""
    try:
        until = datetime.fromisoformat(text(metadata, "deletionTimestamp"))
        grace = timedelta(seconds=int(metadata.get("deletionGracePeriodSeconds") or 0))
    except ValueError:
        return text(metadata, "deletionTimestamp")
    return (until - grace).strftime("%Y-%m-%dT%H:%M:%SZ")
