"""Why a job does not run, or how it failed: from the cluster's objects to one sentence and what to type.

A wrong explanation is worse than none: what is not recognised is quoted as the cluster said it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry.capacity import never_fits
from kube_magics.telemetry.evictions import AGAIN, disruption, eviction
from kube_magics.telemetry.happenings import when
from kube_magics.telemetry.objects import GPU, last_word, part, rows, text


@dataclass(frozen=True)
class Cause:
    """One named reason."""

    kind: str
    """For programs: image, start, mount, quota, policy, unschedulable, hidden, oom, deadline, stopped, evicted,
    deleted, signal, exit, refused, failed."""
    sentence: str
    said: str | None = None
    """The cluster's own words."""
    fix: str | None = None
    """What to type next."""
    hopeless: bool = False
    """Waiting will not help: the job should be given up."""
    exit_code: int | None = None
    """Of a container that ended by itself or by a signal (128 more than its number)."""

    @property
    def is_the_programs(self) -> bool:
        """It says how the program ended, not what made it."""
        return self.kind in ("exit", "signal")


STOPPED = Cause("stopped", "It was stopped.", fix=AGAIN)
"""By a user, with what kube_magics types for it."""
_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_START_REASONS = ("CreateContainerError", "CreateContainerConfigError", "RunContainerError", "StartError")
NEVER_STARTED = ("StartError", "ContainerCannotRun")
"""A container that ended for these never ran; its `startedAt` is 1970."""
_NO_PROGRAM = re.compile(
    r"executable file not found|exec: .*(?:no such file|permission denied)", re.IGNORECASE | re.DOTALL
)
_NO_SECRET = re.compile(
    r'secret "(?P<name>[^"]+)" not found|couldn\'t find key (?P<key>\S+) in Secret (?P<of>\S+)', re.IGNORECASE
)
_PASSES = re.compile(
    r"failed to sync|timed? ?out|deadline exceeded|connection re(?:fused|set)|try again|unavailable|is reserved for",
    re.IGNORECASE,
)
"""What a busy node says of a container that it will start in a moment."""
SIGKILL = 9
_LAST_SIGNAL = 64
"""Linux', with those of real time: what is above is no signal's, as the 255 of sys.exit(-1)."""
_SECOND = 19  # len("2026-11-23T21:00:00"), of UTC
WANT_OF_MEMORY = "   (want of memory kills so too, where the node does not tell: --memory)"
"""A runtime may hear of the kernel's kill too late to call it OOMKilled."""
_ABSENT = re.compile(
    r"not found|does not exist|manifest unknown|no such host|NAME_UNKNOWN|denied|unauthorized", re.IGNORECASE
)


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
        return STOPPED
    if pod is None:
        if _has(job, "Complete") or part(job, "spec").get("suspend"):
            return None
        return _refused(events or ()) or _podless(job) or (_HIDDEN if events is None else None)
    found = (
        _at_its_deadline(job)
        or _ended(pod)
        or _waiting(pod)
        or _unscheduled(pod, nodes)
        or _unmounted(pod, events or ())
        or _job_failed(job)
    )
    ours = names.ANNOTATION_BUNDLE in part(job, "metadata", "annotations")
    return found if found is None or ours or found.kind not in _AS_IT_IS else replace(found, **_AS_IT_IS[found.kind])


_HIDDEN = Cause(
    "hidden",
    "It has no pod, and why is not to be seen: you may not list events here.",
    fix="ask your administrator for the Role in hub-config/rbac/user-role.yaml",
)
_AS_IT_IS: Mapping[str, dict[str, Any]] = {
    "image": {"fix": "name an image that the cluster's nodes can pull"},
    "start": {"sentence": "The container cannot be started.", "fix": "correct the image, or the command and arguments"},
}
"""Of a container that runs without our runner: nothing of it is known but what the cluster says."""


def _has(found: Mapping[str, Any], *kinds: str) -> Mapping[str, Any] | None:
    """A condition of these types that is True; by type, never by position."""
    true = (row for row in rows(found, "status", "conditions") if row.get("status") == "True")
    return next((row for row in true if row.get("type") in kinds), None)


def _was_stopped(job: Mapping[str, Any], pod: Mapping[str, Any] | None) -> bool:
    """By a user, who suspended it, or told it between two attempts that there is to be no other one."""
    asked_at = text(job, "metadata", "annotations", names.ANNOTATION_STOPPED)
    if not asked_at or part(job, "spec").get("suspend"):
        return bool(asked_at)
    # With a pod that was made later somebody has let it run again.
    later = text(pod, "metadata", "creationTimestamp")[:_SECOND] > asked_at[:_SECOND]
    return text(_has(job, "Failed", "FailureTarget"), "reason") == "BackoffLimitExceeded" and not later


def _refused(events: Sequence[Mapping[str, Any]]) -> Cause | None:
    """No pod: only an event of the Job says why."""
    failed = [event for event in events if part(event).get("reason") == "FailedCreate"]
    if not failed:
        return None
    # The server sorts events by name; of equal times the later one in the list counts.
    said = text(max(enumerate(failed), key=lambda pair: (when(pair[1]), pair[0]))[1], "message")
    if "exceeded quota" in said:
        fix = "%kube jobs shows what holds the quota: delete or await one of them, or ask for less"
        return Cause("quota", "The namespace's quota does not allow this job.", said, fix, hopeless=True)
    if "violates PodSecurity" in said:
        fix = "show your administrator the sentence above: job pods of kube_magics fit the level `restricted`"
        if "runAsNonRoot" in said or "runAsUser=0" in said:
            fix = "leave --run-as 0 out, or --namespace with one that allows root"
        return Cause("policy", "The namespace's Pod Security level refuses the job's pod.", said, fix, hopeless=True)
    fix = "correct the option that the cluster names, and run the cell again"
    return Cause("refused", "The cluster refuses the job's pod.", said or None, fix, hopeless=True)


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return rows(pod, "status", "initContainerStatuses") + rows(pod, "status", "containerStatuses")


def _waiting(pod: Mapping[str, Any]) -> Cause | None:
    for status in _containers(pod):
        reason, said = text(status, "state", "waiting", "reason"), text(status, "state", "waiting", "message") or None
        if reason in _IMAGE_REASONS:
            name = text(status, "name")
            # The status of a container that ran before names the image by another of its names.
            asked = [text(c, "image") for c in rows(pod, "spec", "containers") if text(c, "name") == name]
            image = next(filter(None, [*asked, text(status, "image")]), "of the job")
            # One failed pull can be a hiccup; a back-off means that the kubelet has tried again.
            hopeless = reason in ("InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff")
            hopeless = hopeless or bool(_ABSENT.search(said or ""))
            fix = "correct --image (or KUBE_MAGICS_IMAGE): it must be an image that the cluster's nodes can pull"
            if secrets := [text(secret, "name") for secret in rows(pod, "spec", "imagePullSecrets")]:
                fix += f"; or --image-pull-secret: is {', '.join(secrets)} in the namespace, and good for it?"
            return _once_more(
                status, Cause("image", f"The image {image} cannot be pulled ({reason}).", said, fix, hopeless)
            )
        if reason in _START_REASONS:
            return _once_more(status, _not_started(reason, said))
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
    ended = _exit(before).sentence
    return replace(cause, sentence=f"{ended} It is to be started again. {cause.sentence}")


def _not_started(reason: str, said: str | None) -> Cause:
    if said and _NO_PROGRAM.search(said):
        fix = "--python PATH as it is in the image, or --image with a Python"
        return Cause("start", "The image has no such Python interpreter.", said, fix, hopeless=True)
    if said and "runAsNonRoot" in said:
        what = "The image insists on root, the job may not be root."
        fix = "--run-as 1000, or another --image   (--run-as 0, where the namespace allows root)"
        return Cause("start", what, said, fix, hopeless=True)
    absent = _NO_SECRET.search(said or "")
    if absent:
        name, key = absent["name"] or absent["of"].rpartition("/")[2], absent["key"]
        what = f"The Secret {name} has no key {key}." if key else f"There is no Secret {name} in the job's namespace."
        return Cause(
            "start",
            what,
            said,
            "correct --secret SECRET:KEY=VARIABLE (or --secret SECRET, for all keys)",
            hopeless=True,
        )
    what = f"The container cannot be started ({reason})."
    if said and _PASSES.search(said):
        fix = "the node goes on trying; %kube delete NAME, to give it up"
        return Cause("start", f"The node could not start the container yet ({reason}).", said, fix)
    return Cause("start", what, said, "correct --image or --python", hopeless=True)


def lacks_room(pod: Mapping[str, Any]) -> bool:
    """Whether the scheduler finds too little of something on every node, for now or for ever."""
    return any(
        found.get("type") == "PodScheduled"
        and found.get("status") == "False"
        and "Insufficient" in text(found, "message")
        for found in rows(pod, "status", "conditions")
    )


def _unscheduled(pod: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> Cause | None:
    for found in rows(pod, "status", "conditions"):
        said = text(found, "message")
        if found.get("type") == "PodScheduled" and found.get("status") == "False" and said:
            beyond = never_fits(pod, nodes) if "Insufficient" in said else None
            if beyond is not None:
                return Cause("unschedulable", beyond[0], said, beyond[1])
            if any(GPU.search(name) for name in re.findall(r"Insufficient ([^\s,]+?)\.?(?=[\s,]|$)", said)):
                fix = "%kube gpus shows what is free; wait, or ask for fewer --gpus"
                return Cause("unschedulable", "Not enough free GPUs on any node.", said, fix)
            if "Insufficient" in said:
                fix = "ask for less --cpus or --memory, or wait until other jobs have ended (%kube jobs)"
                return Cause("unschedulable", "No node has that much CPU or memory free.", said, fix)
            if "persistentvolumeclaim" in said.lower():
                return _unmountable(said)
            return Cause("unschedulable", "No node fits the job.", said, "%kube gpus shows the nodes that you may see")
    return None


def _unmounted(pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Cause | None:
    """A container that is not made: only events of the pod say which of its volumes is in the way."""
    failed = [event for event in events if text(event, "reason") in ("FailedMount", "FailedAttachVolume")]
    if not failed or text(pod, "status", "phase") != "Pending":
        return None
    said = text(max(enumerate(failed), key=lambda pair: (when(pair[1]), pair[0]))[1], "message")
    fix = "the node goes on trying; ask your administrator, or %kube delete NAME"
    return Cause("mount", "A volume of the job cannot be mounted.", said, fix)


def _unmountable(said: str) -> Cause:
    if "not found" in said:
        fix = "correct --volume (or --cache): it names a PersistentVolumeClaim of the job's namespace"
        return Cause("unschedulable", "There is no such claim in the job's namespace.", said, fix, hopeless=True)
    if "in-use" in said:
        fix = "wait until the other job has ended (%kube jobs), or stop it"
        return Cause("unschedulable", "Another pod has the claim, and only one may.", said, fix)
    fix = "ask your administrator for storage behind the claim, or name another one with --volume"
    return Cause("unschedulable", "A claim of the job has no volume yet.", said, fix)


def _ended(pod: Mapping[str, Any]) -> Cause | None:
    reason, said = text(pod, "status", "reason"), text(pod, "status", "message") or None
    if reason == "Evicted":
        sentence, fix = eviction(said or "")
        return Cause("evicted", sentence, said.strip() if said else None, fix)
    if reason == "DeadlineExceeded" and names.ANNOTATION_STOPPED in part(pod, "metadata", "annotations"):
        return STOPPED
    if reason == "DeadlineExceeded":
        return Cause("deadline", "The pod reached its deadline.", said, "a longer --timeout")
    disrupted = _has(pod, "DisruptionTarget")
    if disrupted:
        by = text(disrupted, "reason")
        sentence, fix = disruption(by)
        return Cause("evicted", sentence, text(disrupted, "message") or by or None, fix)
    deleted_at = _deleted_at(part(pod, "metadata"))
    for container in _containers(pod):
        ended = part(container, "state", "terminated")
        if ended and ended.get("exitCode") != 0 and not _ended_for_its_deletion(ended, deleted_at):
            return _exit(ended)
    if deleted_at:
        return Cause("deleted", "The job's pod was deleted.", fix=AGAIN)
    if reason and text(pod, "status", "phase") == "Failed":
        said = f"{reason}: {said}" if said else reason
        return Cause("refused", "Its node did not take the pod, or gave it up.", said, AGAIN)
    return None


def _ended_for_its_deletion(ended: Mapping[str, Any], deleted_at: str) -> bool:
    """By the runner's word, or after it: the stamps of a pod that has just gone need not be those of its deletion."""
    told = (last_word(ended) or {}).get("reason") == "stopped"
    return bool(deleted_at) and (told or text(ended, "finishedAt") >= deleted_at)


def _deleted_at(metadata: Mapping[str, Any]) -> str:
    """When somebody asked for its deletion, which is its grace before the time stamp; empty: nobody did."""
    try:
        until = datetime.fromisoformat(text(metadata, "deletionTimestamp"))
        grace = timedelta(seconds=int(metadata.get("deletionGracePeriodSeconds") or 0))
    except ValueError:
        return text(metadata, "deletionTimestamp")
    return (until - grace).strftime("%Y-%m-%dT%H:%M:%SZ")


def _exit(ended: Mapping[str, Any]) -> Cause:
    code, reason = ended.get("exitCode"), text(ended, "reason")
    said = reason if reason != "Error" else None  # what every failure is called
    if reason == "OOMKilled":
        return Cause("oom", "The container was killed at its memory limit.", "OOMKilled", "a larger --memory")
    if reason in NEVER_STARTED:
        return _not_started(reason, text(ended, "message") or None)
    if not isinstance(code, int):
        return Cause("exit", "The container ended, with which exit code is not known.", said or None, "%kube logs NAME")
    if 128 < code <= 128 + _LAST_SIGNAL:
        fix = "%kube logs NAME" + (WANT_OF_MEMORY if code - 128 == SIGKILL else "")
        sentence = f"The container was killed by signal {code - 128}."
        return Cause("signal", sentence, said or None, fix, exit_code=code)
    sentence = f"The container ended with exit code {code}."
    return Cause("exit", sentence, said or None, "%kube logs NAME", exit_code=code)


def _at_its_deadline(job: Mapping[str, Any]) -> Cause | None:
    """The Job's own deadline (kubectl's: ours have none) deletes the pod, and it counts the time in the queue."""
    found = _has(job, "Failed", "FailureTarget")
    if text(found, "reason") != "DeadlineExceeded":
        return None
    what = "The job reached its deadline, and its pod was deleted."
    return Cause("deadline", what, _reason(found), "a longer deadline")


def _job_failed(job: Mapping[str, Any]) -> Cause | None:
    found = _has(job, "Failed", "FailureTarget")
    if found is None:
        return None
    gave_up = Cause("failed", "The cluster gave the job up.", _reason(found), AGAIN)
    return _at_its_deadline(job) or gave_up


def _podless(job: Mapping[str, Any]) -> Cause | None:
    """Of a Job that was given up and has no pod (any more), which alone knew why."""
    found = _job_failed(job)
    if found is None or found.kind != "failed":
        return found
    return replace(found, sentence="Its pod is gone, and with it how it ended.")


def _reason(condition: Mapping[str, Any] | None) -> str | None:
    return ": ".join(filter(None, (text(condition, "reason"), text(condition, "message")))) or None
