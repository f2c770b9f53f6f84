"""A pod that no node takes: the scheduler's words, what the nodes could ever give, and whether one will be added."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.telemetry.causes import places
from kube_magics.telemetry.causes.capacity import never_fits
from kube_magics.telemetry.causes.cause import Cause, newest
from kube_magics.telemetry.objects import GPU, rows, text

_LACKS = re.compile(r"Insufficient ([^\s,]+?)\.?(?=[\s,]|$)")
_NO_CLAIM = re.compile(r'persistentvolumeclaim "[^"]+" not found')
_ADDS = ("TriggeredScaleUp", "Nominated")
_TRIED = "FailedScaleUp"
_GROWS = (*_ADDS, _TRIED, "NotTriggerScaleUp", "FailedScheduling")
"""The cluster-autoscaler's (processors/status/eventing_scale_up_processor.go), GKE's FailedScaleUp, and Karpenter's
(pkg/controllers/provisioning/scheduling/events.go)."""


def unplaced(pod: Mapping[str, Any]) -> str:
    """What the scheduler says of a pod that no node takes; empty: it has not been looked at, or has a node."""
    for found in rows(pod, "status", "conditions"):
        if found.get("type") == "PodScheduled" and found.get("status") == "False":
            return text(found, "message")
    return ""


def unscheduled(
    pod: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]] = ()
) -> Cause | None:
    """`nodes`: all of the cluster, or none; `events`: of the pod."""
    said = unplaced(pod)
    if not said:
        return None
    found = _gated(pod, said) or _no_room(pod, nodes, said) or _unmountable(said) or places.nowhere(pod, nodes, said)
    found = found or Cause(
        "unschedulable", "No node fits the job.", said, "%kube gpus shows the nodes that you may see"
    )
    return _growing(found, events)


def _gated(pod: Mapping[str, Any], said: str) -> Cause | None:
    gates = [text(gate, "name") for gate in rows(pod, "spec", "schedulingGates")]
    if not gates:
        return None
    what = f"It is held back before any node is looked for, by {', '.join(gates)}."
    return Cause("unschedulable", what, said, "wait for whoever set it to lift it (a queue, as a rule)")


def _no_room(pod: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]], said: str) -> Cause | None:
    lacking = _LACKS.findall(said)
    if not lacking:
        return None
    beyond = never_fits(pod, nodes)
    if beyond is not None:
        return Cause("unschedulable", beyond[0], said, beyond[1])
    elsewhere = len(places.reasons(said)) > len(set(lacking))
    where = "on the nodes that may run it" if elsewhere else "on any node"
    if any(map(GPU.search, lacking)):
        fix = "%kube gpus shows what is free; wait, or ask for fewer --gpus"
        return Cause("unschedulable", f"Not enough free GPUs {where}.", said, fix)
    if not {"cpu", "memory"} & set(lacking):
        what = f"Not enough {', '.join(sorted(set(lacking)))} {where}."
        return Cause(
            "unschedulable", what, said, "ask for less of it, or wait until other jobs have ended (%kube jobs)"
        )
    fix = "ask for less --cpus or --memory, or wait until other jobs have ended (%kube jobs)"
    what = f"Not enough free CPU or memory {where}." if elsewhere else "No node has that much CPU or memory free."
    return Cause("unschedulable", what, said, fix)


def _unmountable(said: str) -> Cause | None:
    if "persistentvolumeclaim" not in said.lower():
        return None
    if _NO_CLAIM.search(said):
        fix = "correct --volume (or --cache): it names a PersistentVolumeClaim of the job's namespace"
        return Cause("unschedulable", "There is no such claim in the job's namespace.", said, fix, hopeless=True)
    if "in-use" in said:
        fix = "wait until the other job has ended (%kube jobs), or stop it"
        return Cause("unschedulable", "Another pod has the claim, and only one may.", said, fix)
    if "is being deleted" in said:
        what = "A claim of the job is being deleted: it can no longer be mounted."
        return Cause("unschedulable", what, said, "another claim with --volume, or make it anew")
    fix = "ask your administrator for storage behind the claim, or name another one with --volume"
    return Cause("unschedulable", "A claim of the job has no volume yet.", said, fix)


def _growing(cause: Cause, events: Sequence[Mapping[str, Any]]) -> Cause:
    """With what the cluster's autoscaler has said of it last."""
    last = newest([event for event in events if _of_autoscaler(event)], *_GROWS)
    if last is None or cause.hopeless:
        return cause
    said = "\n".join(filter(None, (cause.said, text(last, "message"))))
    if text(last, "reason") in _ADDS:
        what = "No node has room for it yet, and the cluster adds one."
        return Cause("scaling", what, said, "wait: a new node takes minutes; %kube why NAME, if it takes longer")
    tried = "tried to add a node for it, and could not" if text(last, "reason") == _TRIED else "adds no node for it"
    return replace(cause, sentence=f"{cause.sentence} The cluster {tried}.", said=said)


def _of_autoscaler(event: Mapping[str, Any]) -> bool:
    """Not the scheduler's, which says the same in the pod's condition; not Karpenter's of a node that is there."""
    if text(event, "reason") == "Nominated":
        return "nodeclaim/" in text(event, "message")
    by = text(event, "reportingComponent") or text(event, "source", "component")
    return text(event, "reason") != "FailedScheduling" or by == "karpenter"
