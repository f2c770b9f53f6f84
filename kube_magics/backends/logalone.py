"""A pod of which the user may read the log and nothing else: what its runner says there is all that is known of it.

A right to `pods/log` alone does not show which pod a job has, so whoever has only this one names the pod.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.cluster.logs import PodLog
from kube_magics.cluster.pieces import Gap, Piece
from kube_magics.runner import protocol
from kube_magics.spec import names
from kube_magics.telemetry.snapshot import RUNNING, Snapshot

_SEVERAL = re.compile("a container name must be specified")
"""As the API server says it."""
PEEK_BYTES = 4096
START_S = 0.5
"""Between two questions for the log of a container that has not started."""
VAIN = 12
"""Connections in a row that bring nothing, not even a runner's sign of life: five seconds of a log that is over."""


async def look(client: Client, namespace: str, pod: str, refused: errors.Forbidden) -> Snapshot:
    """The pod as far as its log tells; raises `refused` where that cannot be read either."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
    try:
        head = await client.get(path, {"limitBytes": str(PEEK_BYTES)}, accept="*/*")
        started = True
    except errors.Rejected as answer:
        if _SEVERAL.search(answer.said or ""):
            what = f"Pod {pod} has several containers: with the right to logs alone only a pod of one can be followed."
            fix = f"kubectl logs -f {pod} -c CONTAINER   (in a terminal), or ask your administrator for `list pods`"
            raise errors.NotFound(what, said=answer.said, hint=fix) from answer
        head, started = b"", False  # it waits for its container
    except (errors.Forbidden, errors.NotFound):
        refused.hint = f"{refused.hint}\nor %kube attach POD, with the right to its log alone"
        raise refused from None
    ours = not started or protocol.EVENT_MARK in head
    return Snapshot(pod, namespace, RUNNING, pod=pod, scheduled=True, started=started, ours=ours)


async def follow(client: Client, state: Snapshot) -> AsyncIterator[Snapshot | Piece]:
    """The pod's log, until its runner's last word; of another program's pod, as far as it is now."""
    yield state
    ended, vain = False, 0

    async def over() -> bool:
        nonlocal vain
        vain += 1
        return ended or vain > VAIN or not state.ours

    log = pod_log(client, state)
    while True:
        try:
            async for piece in log.lines(over):
                vain = 0
                ended = ended or (isinstance(piece, bytes) and _has_end(piece))
                yield piece
            return
        except errors.Rejected:
            await asyncio.sleep(START_S)
        except errors.NotFound:
            yield Gap("the pod is gone, and its log with it", sure=True)
            return


def pod_log(client: Client, state: Snapshot) -> PodLog:
    """Of the only container, whatever it is called."""
    # Whose it is shows in its log: one that has not begun may be anybody's.
    ours = state.ours and state.started
    return PodLog(client, state.namespace, state.name, names.CONTAINER if ours else "")


def _has_end(block: bytes) -> bool:
    marked = (line for line in block.split(b"\n") if line.startswith(protocol.EVENT_MARK))
    return any((protocol.decode(line).event or {}).get("e") == "end" for line in marked)
