"""A Job without a pod: its events say why the cluster refuses it one, its conditions that there will be none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.telemetry.causes.cause import Cause, newest, quoted
from kube_magics.telemetry.causes.evictions import AGAIN
from kube_magics.telemetry.objects import text, true_condition

HIDDEN = Cause(
    "hidden",
    "It has no pod, and why is not to be seen: you may not list events here.",
    fix="ask your administrator for the Role in hub-config/rbac/user-role.yaml",
)
_OPTIONS = {"memory": "--memory", "cpu": "--cpus", "nvidia.com/gpu": "--gpus"}
_RANGE = re.compile(
    r"(?P<end>minimum|maximum) (?P<resource>\S+) usage per (?P<of>Pod|Container) is (?P<limit>[^\s,.]+(?:\.\d+)?)"
)
"""plugin/pkg/admission/limitranger/admission.go"""
_BEYOND_DEFAULT = re.compile(r"must be less than or equal to (?P<resource>\S+) limit of (?P<limit>[^\s,;]+)")
"""pkg/apis/core/validation: of a limit that the job did not name itself, else the Job would have been refused."""
_RATIO = "max limit to request ratio"
_MUST_SPECIFY = re.compile(r"failed quota: [^:]+: must specify (?P<what>.+)$")
_DENIED = re.compile(
    r'admission webhook "(?P<webhook>[^"]+)" denied the request(?:: (?P<why>.*))?'
    r"|ValidatingAdmissionPolicy '(?P<policy>[^']+)'.* denied request",
    re.DOTALL,
)
_UNANSWERED = re.compile(r'failed calling webhook "(?P<webhook>[^"]+)"')
_NO_ACCOUNT = re.compile(r"error looking up service account [^/\s]+/(?P<name>[^\s:]+)")
_NO_PRIORITY = re.compile(r"no PriorityClass with name (?P<name>\S+) was found")


def refused(events: Sequence[Mapping[str, Any]]) -> Cause | None:
    """No pod: only an event of the Job says why; that it got one after all means that the reason has passed."""
    last = newest(events, "FailedCreate", "SuccessfulCreate")
    if text(last, "reason") != "FailedCreate":
        return None
    said = text(last, "message")
    return _by_quota(said) or _by_policy(said) or _by_what_is_absent(said) or _somehow(said)


def _by_quota(said: str) -> Cause | None:
    if "exceeded quota" in said:
        fix = "%kube jobs shows what holds the quota: delete or await one of them, or ask for less"
        return Cause("quota", "The namespace's quota does not allow this job.", said, fix, hopeless=True)
    if found := _MUST_SPECIFY.search(said):
        what = "The namespace has a quota, for which each pod must say what it asks for."
        missing = re.findall(r"([^\s;]+) for: ", found["what"])
        fix = ", ".join(f"{_option(each)} SIZE" for each in missing)
        return Cause("quota", what, said, fix, hopeless=True)
    if found := _RANGE.search(said):
        resource, limit = found["resource"], found["limit"]
        what = (
            f"The namespace's LimitRange allows a {found['of'].lower()} {_bound(found['end'])} {limit} of {resource}."
        )
        option = _OPTIONS.get(resource)
        return Cause(
            "limits", what, said, f"{option} {limit}" if option else f"ask for {limit} of {resource}", hopeless=True
        )
    if found := _BEYOND_DEFAULT.search(said):
        resource, limit = found["resource"], found["limit"]
        what = f"The namespace's LimitRange limits a container to {limit} of {resource}, and this one asks for more."
        return Cause("limits", what, said, f"{_option(resource)} {limit}", hopeless=True)
    if _RATIO in said:
        what = "The namespace's LimitRange does not allow a limit so far above what is reserved."
        return Cause("limits", what, said, "--memory SIZE, which reserves as much as it limits", hopeless=True)
    return None


def _option(resource: str) -> str:
    """By which a job says how much of it it asks for."""
    plain = resource.removeprefix("requests.").removeprefix("limits.")
    return _OPTIONS.get(plain, plain)


def _bound(end: str) -> str:
    return "at most" if end == "maximum" else "no less than"


def _by_policy(said: str) -> Cause | None:
    if "violates PodSecurity" in said:
        fix = "show your administrator the sentence above: job pods of kube_magics fit the level `restricted`"
        if "runAsNonRoot" in said or "runAsUser=0" in said:
            fix = "leave --run-as 0 out, or --namespace with one that allows root"
        return Cause("policy", "The namespace's Pod Security level refuses the job's pod.", said, fix, hopeless=True)
    if found := _DENIED.search(said):
        by = f"the webhook {found['webhook']}" if found["webhook"] else f"the policy {found['policy']}"
        fix = "change what it names, or show your administrator the sentence above"
        return Cause("policy", f"A rule of this cluster ({by}) refuses the job's pod.", said, fix, hopeless=True)
    if found := _UNANSWERED.search(said):
        what = f"The webhook {found['webhook']}, which checks pods here, does not answer: no pod can be made."
        return Cause("refused", what, said, "wait, or show your administrator the sentence above")
    return None


def _by_what_is_absent(said: str) -> Cause | None:
    if found := _NO_ACCOUNT.search(said):
        what = f"There is no service account {found['name']} in the job's namespace."
        return Cause("refused", what, said, "correct --service-account, or leave it out", hopeless=True)
    if found := _NO_PRIORITY.search(said):
        what = f"The cluster has no priority class {found['name']}."
        return Cause("refused", what, said, "correct --priority, or leave it out", hopeless=True)
    return None


def _somehow(said: str) -> Cause:
    fix = "correct the option that the cluster names, and run the cell again"
    return Cause("refused", "The cluster refuses the job's pod.", said or None, fix, hopeless=True)


def at_its_deadline(job: Mapping[str, Any]) -> Cause | None:
    """The Job's own deadline (kubectl's: ours have none) deletes the pod, and it counts the time in the queue."""
    found = true_condition(job, "Failed", "FailureTarget")
    if text(found, "reason") != "DeadlineExceeded":
        return None
    what = "The job reached its deadline, and its pod was deleted."
    return Cause("deadline", what, quoted(found), "a longer --timeout")


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
