"""A Job without a pod: its events say why the cluster refuses it one, its conditions that there will be none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.telemetry.causes.cause import Cause, newest, quoted, true_condition
from kube_magics.telemetry.causes.evictions import AGAIN
from kube_magics.telemetry.objects import text

HIDDEN = Cause(
    "hidden",
    "It has no pod, and why is not to be seen: you may not list events here.",
    fix="ask your administrator for the Role in hub-config/rbac/user-role.yaml",
)


def refused(events: Sequence[Mapping[str, Any]]) -> Cause | None:
    """No pod: only an event of the Job says why."""
    failed = newest(events, "FailedCreate")
    if failed is None:
        return None
    said = text(failed, "message")
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


def at_its_deadline(job: Mapping[str, Any]) -> Cause | None:
    """The Job's own deadline (kubectl's: ours have none) deletes the pod, and it counts the time in the queue."""
    found = true_condition(job, "Failed", "FailureTarget")
    if text(found, "reason") != "DeadlineExceeded":
        return None
    what = "The job reached its deadline, and its pod was deleted."
    return Cause("deadline", what, quoted(found), "a longer deadline")


def given_up(job: Mapping[str, Any]) -> Cause | None:
    """Its controller makes no further pod."""
    found = true_condition(job, "Failed", "FailureTarget")
    if found is None:
        return None
    return at_its_deadline(job) or Cause("failed", "The cluster gave the job up.", quoted(found), AGAIN)


def pod_gone(job: Mapping[str, Any]) -> Cause | None:
    """Of a Job that was given up and has no pod (any more), which alone knew why."""
    found = given_up(job)
    if found is None or found.kind != "failed":
        return found
    return replace(found, sentence="Its pod is gone, and with it how it ended.")
