"""What a node does to a pod that it was given: not taking it, losing a device of it, falling silent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics.telemetry.causes.cause import Cause, newest
from kube_magics.telemetry.causes.evictions import AGAIN
from kube_magics.telemetry.objects import part, rows, text

_ILL = re.compile(r"no healthy devices|no longer healthy|cannot allocate unhealthy|GPU is lost", re.IGNORECASE)
_NO_DEVICE = re.compile(r"number of devices unavailable|unregistered device|Allocate failed", re.IGNORECASE)
"""pkg/kubelet/cm/devicemanager/manager.go"""
_TELL = "run the cell again, and show your administrator the sentence above"


def not_taken(reason: str, message: str | None) -> Cause:
    """A pod that ended before it had a container, with its node's reason."""
    said = f"{reason}: {message}" if message else reason
    if _ILL.search(message or ""):
        return Cause("device", "A GPU (or another device) of its node is not healthy.", said, _TELL)
    if reason == "UnexpectedAdmissionError" and _NO_DEVICE.search(message or ""):
        return Cause(
            "device", "Its node could not give it the GPUs (or other devices) that it was sent for.", said, AGAIN
        )
    if reason.startswith("OutOf"):
        return Cause("refused", "Its node had less room than the scheduler thought, and did not take it.", said, AGAIN)
    return Cause("refused", "Its node did not take the pod, or gave it up.", said, AGAIN)


def with_lost_device(cause: Cause, status: Mapping[str, Any]) -> Cause:
    """The end of a container, told by a device that its node calls unhealthy (`allocatedResourcesStatus`)."""
    ill = [
        (text(resource, "name"), text(device, "resourceID"), text(device, "message"))
        for resource in rows(status, "allocatedResourcesStatus")
        for device in rows(resource, "resources")
        if text(device, "health") == "Unhealthy"
    ]
    if not ill or not cause.is_the_programs:
        return cause
    what = f"{cause.sentence} Its node calls a device of it unhealthy: {', '.join(device for _, device, _ in ill)}."
    lines = (f"{name} {device}: {message or 'Unhealthy'}" for name, device, message in ill)
    said = "\n".join(filter(None, (cause.said, *lines)))
    return replace(cause, kind="device", sentence=what, said=said, fix=_TELL)


def silent(pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Cause | None:
    """A pod that runs for all that is known, on a node that no longer answers; `events`: of the pod."""
    last = newest(events, "NodeNotReady")
    if last is None:
        return None
    ready = next((each for each in rows(pod, "status", "conditions") if text(each, "type") == "Ready"), {})
    runs = any(part(each, "state", "running") for each in rows(pod, "status", "containerStatuses"))
    if not runs or text(ready, "status") == "True":
        return None
    what = f"Its node {text(pod, 'spec', 'nodeName')} does not answer: whether it still runs is not known."
    fix = "wait: the cluster gives the pod up after some minutes; then run the cell again"
    return Cause("node", what, text(last, "message") or None, fix)
