"""Why a job does not run, or how it failed: from the cluster's objects to one sentence and what to type.

A wrong explanation is worse than none: what is not recognised is quoted as the cluster said it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cause:
    """One named reason."""

    kind: str
    """For programs: image, start, quota, policy, unschedulable, oom, deadline, evicted, deleted, signal, exit, refused."""
    sentence: str
    said: str | None = None
    """The cluster's own words."""
    fix: str | None = None
    """What to type next."""
    hopeless: bool = False
    """Waiting will not help: the job should be given up."""


_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_START_REASONS = ("CreateContainerError", "CreateContainerConfigError", "RunContainerError", "StartError")
NEVER_STARTED = ("StartError", "ContainerCannotRun")
"""A container that ended for these never ran; its `startedAt` is 1970."""
_NO_PROGRAM = re.compile(r"executable file not found|exec: .*(?:no such file|permission denied)", re.I | re.S)
_ABSENT = re.compile(r"not found|does not exist|manifest unknown|no such host|NAME_UNKNOWN|denied|unauthorized", re.I)


def explain(
    job: Mapping[str, Any] | None, pod: Mapping[str, Any] | None, events: Sequence[Mapping[str, Any]] = ()
) -> Cause | None:
    """The cause of a job's state; None: nothing is wrong, or nothing is known."""
    if job is None:
        return Cause("deleted", "The job was deleted.", fix="run the cell again")
    if pod is None:
        return _refused(events) or _job_failed(job)
    return _ended(pod) or _waiting(pod) or _unscheduled(pod) or _job_failed(job)


def _refused(events: Sequence[Mapping[str, Any]]) -> Cause | None:
    """No pod: only an event of the Job says why."""
    said = next((e.get("message", "") for e in reversed(events) if e.get("reason") == "FailedCreate"), None)
    if said is None:
        return None
    if "exceeded quota" in said:
        fix = "%kube jobs shows what holds the quota: delete or await one of them, or ask for less"
        return Cause("quota", "The namespace's quota does not allow this job.", said, fix, hopeless=True)
    if "violates PodSecurity" in said:
        fix = "show your administrator the sentence above: job pods of kube_magics fit the level `restricted`"
        return Cause("policy", "The namespace's Pod Security level refuses the job's pod.", said, fix, hopeless=True)
    fix = "correct the option that the cluster names, and run the cell again"
    return Cause("refused", "The cluster refuses the job's pod.", said, fix, hopeless=True)


def _waiting(pod: Mapping[str, Any]) -> Cause | None:
    for status in pod["status"].get("containerStatuses") or ():
        waiting = (status.get("state") or {}).get("waiting") or {}
        reason, said = waiting.get("reason", ""), waiting.get("message")
        if reason in _IMAGE_REASONS:
            image = status.get("image") or pod["spec"]["containers"][0]["image"]
            # One failed pull can be a hiccup; a back-off means that the kubelet has tried again.
            hopeless = reason in ("InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff")
            hopeless = hopeless or bool(_ABSENT.search(said or ""))
            fix = "correct --image (or KUBE_MAGICS_IMAGE): it must be an image that the cluster's nodes can pull"
            return Cause("image", f"The image {image} cannot be pulled ({reason}).", said, fix, hopeless)
        if reason in _START_REASONS:
            return _not_started(reason, said)
    return None


def _not_started(reason: str, said: str | None) -> Cause:
    if said and _NO_PROGRAM.search(said):
        what = "The image has no such Python interpreter."
        return Cause(
            "start", what, said, "--python PATH as it is in the image, or --image with a Python", hopeless=True
        )
    if said and "runAsNonRoot" in said:
        return Cause(
            "start", "The image insists on root, the job may not be root.", said, "another --image", hopeless=True
        )
    return Cause("start", f"The container cannot be started ({reason}).", said, "correct --image or --python", True)


def _unscheduled(pod: Mapping[str, Any]) -> Cause | None:
    for found in pod["status"].get("conditions") or ():
        if found["type"] == "PodScheduled" and found["status"] == "False" and found.get("message"):
            said = found["message"]
            if "Insufficient nvidia.com/gpu" in said:
                fix = "%kube gpus shows what is free; wait, or ask for fewer --gpus"
                return Cause("unschedulable", "Not enough free GPUs on any node.", said, fix)
            if "Insufficient" in said:
                fix = "ask for less --cpus or --memory, or wait until other jobs have ended (%kube jobs)"
                return Cause("unschedulable", "No node has that much CPU or memory free.", said, fix)
            return Cause("unschedulable", "No node fits the job.", said, "%kube gpus shows the nodes that you may see")
    return None


def _ended(pod: Mapping[str, Any]) -> Cause | None:
    status = pod["status"]
    if status.get("reason") == "Evicted":
        fix = "ask for the --memory that the job needs, and run the cell again"
        return Cause("evicted", "The node threw the pod out to save itself.", status.get("message"), fix)
    if status.get("reason") == "DeadlineExceeded":
        return Cause(
            "deadline", "The pod reached its deadline, or was stopped.", status.get("message"), "a longer --timeout"
        )
    for found in status.get("conditions") or ():
        if found["type"] == "DisruptionTarget" and found["status"] == "True":
            said = found.get("message") or found.get("reason")
            return Cause("evicted", "The pod was taken off its node.", said, "run the cell again")
    for container in status.get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode") != 0:
            return _exit(ended)
    if pod["metadata"].get("deletionTimestamp"):
        return Cause("deleted", "The job's pod was deleted.", fix="run the cell again")
    return None


def _exit(ended: Mapping[str, Any]) -> Cause:
    code, reason = ended.get("exitCode", -1), ended.get("reason", "")
    if reason == "OOMKilled":
        return Cause("oom", "The container was killed at its memory limit.", "OOMKilled", "a larger --memory")
    if reason in NEVER_STARTED:
        return _not_started(reason, ended.get("message"))
    if code > 128:
        return Cause("signal", f"The container was killed by signal {code - 128}.", reason or None, "%kube logs NAME")
    return Cause("exit", f"The container ended with exit code {code}.", reason or None, "%kube logs NAME")


def _job_failed(job: Mapping[str, Any]) -> Cause | None:
    for found in job.get("status", {}).get("conditions") or ():
        if found["type"] in ("Failed", "FailureTarget") and found["status"] == "True":
            said = ": ".join(filter(None, (found.get("reason"), found.get("message"))))
            return Cause("refused", "The cluster gave the job up.", said, "run the cell again")
    return None
