"""A pod that no node takes: the scheduler's words, and what the nodes could ever give."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kube_magics.telemetry.causes.capacity import never_fits
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.objects import GPU, rows, text


def lacks_room(pod: Mapping[str, Any]) -> bool:
    """Whether the scheduler finds too little of something on every node, for now or for ever."""
    return any(
        found.get("type") == "PodScheduled"
        and found.get("status") == "False"
        and "Insufficient" in text(found, "message")
        for found in rows(pod, "status", "conditions")
    )


def unscheduled(pod: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> Cause | None:
    """`nodes`: all of the cluster, or none."""
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


def _unmountable(said: str) -> Cause:
    if "not found" in said:
        fix = "correct --volume (or --cache): it names a PersistentVolumeClaim of the job's namespace"
        return Cause("unschedulable", "There is no such claim in the job's namespace.", said, fix, hopeless=True)
    if "in-use" in said:
        fix = "wait until the other job has ended (%kube jobs), or stop it"
        return Cause("unschedulable", "Another pod has the claim, and only one may.", said, fix)
    fix = "ask your administrator for storage behind the claim, or name another one with --volume"
    return Cause("unschedulable", "A claim of the job has no volume yet.", said, fix)
