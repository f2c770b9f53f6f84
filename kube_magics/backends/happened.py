"""Events of the cluster, asked for: of one object, of all of a kind, of a job and its pods.

By the object's uid, since an event outlives it by an hour, and a new object may bear its name.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.cluster.pieces import Outage
from kube_magics.cluster.watch import Listed, watch
from kube_magics.telemetry.happenings import when
from kube_magics.telemetry.objects import text

_CREATED = re.compile(r"Created pod: (\S+)")
MOST_PODS = 20
"""Of which each is asked for; of more, all events of pods are read once."""
POLL_S = 3.0
"""For who may list and not watch events."""
AGAIN_S = 2.0
"""After an error."""

Events = list[Mapping[str, Any]]


async def to(client: Client, namespace: str, kind: str, uid: str = "") -> Events:
    """What happened to one object, or to all of this kind; raises Forbidden."""
    one = f",involvedObject.uid={uid}" if uid else ""
    return await _selected(client, namespace, f"involvedObject.kind={kind}{one}")


async def to_if_seen(client: Client, namespace: str, kind: str, uid: str = "") -> Events | None:
    """None: the user may not read events."""
    try:
        return await to(client, namespace, kind, uid)
    except errors.Forbidden:
        return None


async def hear(
    client: Client, namespace: str, kind: str, uid: str, tell: Callable[[Events | None], Awaitable[None]]
) -> bool:
    """`tell` what has happened to one object so far, and again whenever more has; ends with an error, and says whether
    events may be read: who may not is told None."""
    try:
        async with aclosing(_news(client, namespace, kind, uid)) as news:
            async for events in news:
                await tell(events)
    except errors.Forbidden:
        await tell(None)
        return False
    except errors.KubeMagicsError:
        # Also what a log-in program says: it ends no following, which can do without events.
        await asyncio.sleep(AGAIN_S)
    return True


async def _news(client: Client, namespace: str, kind: str, uid: str) -> AsyncGenerator[Events, None]:
    found: dict[str, Mapping[str, Any]] = {}
    query = {"fieldSelector": f"involvedObject.kind={kind},involvedObject.uid={uid}"}
    path = f"/api/v1/namespaces/{namespace}/events"
    async with aclosing(watch(client, path, query, poll_s=POLL_S)) as changes:
        async for change in changes:
            if isinstance(change, Outage):
                continue  # whoever watches the object has it too
            if isinstance(change, Listed):
                found = {text(event, "metadata", "name"): event for event in change.items}
            elif change.type != "DELETED":
                found[text(change.object, "metadata", "name")] = change.object
            yield list(found.values())


async def to_job(client: Client, namespace: str, uid: str, pods: Sequence[str]) -> Events:
    """What happened to a job and its pods, also to those that are gone, the oldest first; `pods` are there."""
    own = await to(client, namespace, "Job", uid)
    # Which pods it had, its own events tell.
    named = {*pods, *(pod for event in own for pod in _CREATED.findall(text(event, "message")))}
    if len(named) > MOST_PODS:
        every = await to(client, namespace, "Pod")
        theirs = [event for event in every if text(event, "involvedObject", "name") in named]
    else:
        query = "involvedObject.kind=Pod,involvedObject.name="
        lists = await asyncio.gather(*(_selected(client, namespace, f"{query}{pod}") for pod in sorted(named)))
        theirs = [event for each in lists for event in each]
    return sorted([*own, *theirs], key=when)


async def to_one_gone(client: Client, namespace: str, name: str) -> Events:
    """What happened to the newest job that had this name, and to its pods, the oldest first; raises Forbidden."""
    own = await _selected(client, namespace, f"involvedObject.kind=Job,involvedObject.name={name}")
    uid = text(max(own, key=when, default=None), "involvedObject", "uid")
    return await to_job(client, namespace, uid, ()) if uid else []


async def to_all_jobs(client: Client, namespace: str) -> Events:
    """What happened to any Job or pod, the oldest first."""
    lists = await asyncio.gather(*(to(client, namespace, kind) for kind in ("Job", "Pod")))
    return sorted((event for each in lists for event in each), key=when)


async def _selected(client: Client, namespace: str, query: str) -> Events:
    return list((await client.get(f"/api/v1/namespaces/{namespace}/events", {"fieldSelector": query}))["items"])
