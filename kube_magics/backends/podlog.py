"""The log of a job's pod: which of its containers', from where, and how soon after the pod's start it is asked for."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.cluster.logs import PodLog
from kube_magics.cluster.pieces import Gap, Piece
from kube_magics.cluster.rotated import ROTATION_S, Rotated
from kube_magics.telemetry.snapshot import Snapshot

LOST = "the node no longer has this log"

NO_CONTAINER_YET_S = 0.1
FIRST_PAUSE_S = 0.04
LONGEST_PAUSE_S = 0.5
"""The kubelet gives a log before the pod's status says that the container runs (25 to some hundred milliseconds). So
the log is asked for once when the pod has a node, which opens the connection, then from the earliest moment at which a
container can be there, with growing pauses, and at once when the status says so. Asking more often slows a busy node
more than it gains: each refusal is 5 ms of work, most of it there."""


def pod_log(client: Client, state: Snapshot, pod: Mapping[str, Any]) -> PodLog:
    """The log of the first container of `pod`, the newest of the job of `state`."""
    meta, container = pod["metadata"], str(pod["spec"]["containers"][0]["name"])
    rotated = None
    if state.node:
        folder = f"{meta['namespace']}_{meta['name']}_{meta['uid']}/{container}"
        rotated = Rotated(client, state.node, folder)
    late = state.started_at is not None and time.time() - state.started_at > ROTATION_S
    return PodLog(client, meta["namespace"], meta["name"], container, rotated=rotated, late=late)


async def as_it_is(log: PodLog) -> AsyncIterator[Piece]:
    """All that the node still has; a pod that went since it was listed has left a gap."""
    try:
        async for piece in log.whole():
            yield piece
    except errors.NotFound:
        yield Gap(LOST, sure=True)


def pauses() -> Iterator[float]:
    """Seconds between two questions for a log that is not there yet."""
    yield NO_CONTAINER_YET_S
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(pause_s * 1.15, LONGEST_PAUSE_S)
