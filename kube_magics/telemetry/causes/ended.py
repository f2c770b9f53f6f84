"""A pod that has ended, or is made to: by its node, by a deletion, by a signal, by its own program."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry.causes.cause import WAS_STOPPED, Cause, true_condition
from kube_magics.telemetry.causes.evictions import AGAIN, disruption, eviction
from kube_magics.telemetry.causes.starting import NEVER_STARTED, not_started
from kube_magics.telemetry.objects import last_word, part, rows, text

SIGKILL = 9
_LAST_SIGNAL = 64
"""Linux', with those of real time: what is above is no signal's, as the 255 of sys.exit(-1)."""
WANT_OF_MEMORY = "   (want of memory kills so too, where the node does not tell: --memory)"
"""A runtime may hear of the kernel's kill too late to call it OOMKilled."""


def containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statuses of all containers of a pod, those that initialise it first."""
    return rows(pod, "status", "initContainerStatuses") + rows(pod, "status", "containerStatuses")


def ended(pod: Mapping[str, Any]) -> Cause | None:
    """Why it had to end, or how its container did; None: neither."""
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
            return exited(terminated)
    if deleted_at:
        return Cause("deleted", "The job's pod was deleted.", fix=AGAIN)
    if reason and text(pod, "status", "phase") == "Failed":
        said = f"{reason}: {said}" if said else reason
        return Cause("refused", "Its node did not take the pod, or gave it up.", said, AGAIN)
    return None


def exited(terminated: Mapping[str, Any]) -> Cause:
    """How a container has ended, from its state."""
    code, reason = terminated.get("exitCode"), text(terminated, "reason")
    said = reason if reason != "Error" else None  # what every failure is called
    if reason == "OOMKilled":
        return Cause("oom", "The container was killed at its memory limit.", "OOMKilled", "a larger --memory")
    if reason in NEVER_STARTED:
        return not_started(reason, text(terminated, "message") or None)
    if not isinstance(code, int):
        return Cause("exit", "The container ended, with which exit code is not known.", said or None, "%kube logs NAME")
    if 128 < code <= 128 + _LAST_SIGNAL:
        fix = "%kube logs NAME" + (WANT_OF_MEMORY if code - 128 == SIGKILL else "")
        sentence = f"The container was killed by signal {code - 128}."
        return Cause("signal", sentence, said or None, fix, exit_code=code)
    sentence = f"The container ended with exit code {code}."
    return Cause("exit", sentence, said or None, "%kube logs NAME", exit_code=code)


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
