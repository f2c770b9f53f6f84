"""The Job of a submission and its bundle's ConfigMaps, each made once, whatever becomes of a request or its answer.

The names are ours, so a POST may be repeated: a Job that is there already is the lost answer's or somebody else's, and
which of the two stands in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from kube_magics import errors
from kube_magics.backends import bundles
from kube_magics.cluster.client import Client
from kube_magics.spec import names

T = TypeVar("T")

PATIENCE_S = 45.0
"""With a server that is away: one that starts again needs ten to thirty seconds; and with a quota that others change at
the same moment."""
PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0
ATTEMPTS = 6
"""At a server that answers that it is at fault itself: six seconds. A broken admission webhook says so for ever."""
WITHDRAW_S = 10.0


async def create(
    client: Client,
    namespace: str,
    body: Mapping[str, Any],
    maps: Callable[[dict[str, Any]], Sequence[Mapping[str, Any]]],
) -> str:
    """A Job, and the `maps` of the one that is made: all of it, or nothing; its uid. Raises Conflict where the name is
    another's."""
    try:
        made = await create_job(client, namespace, body)
        for each in maps(made):  # side by side they would share a slow link, and all be late
            await create_map(client, namespace, each)
    except BaseException:
        await asyncio.shield(withdraw(client, namespace, body))
        raise
    return str(made["metadata"]["uid"])


async def create_job(client: Client, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The Job as it is in the cluster; raises Conflict where the name is another's."""
    jobs, name = f"/apis/batch/v1/namespaces/{namespace}/jobs", body["metadata"]["name"]

    async def post() -> dict[str, Any]:
        try:
            return dict(await client.post(jobs, body))
        except errors.Conflict as conflict:
            found = await _found(bundles.job_of(client, namespace, name), conflict)
            if _submission(found) == _submission(body):
                return found
            raise errors.Conflict(
                f"There is a job {name} already in namespace {namespace}.",
                said=conflict.said,
                hint=f"%kube delete {name}   (or another --name)",
            ) from conflict

    return await _persistently(post)


async def create_map(
    client: Client, namespace: str, body: Mapping[str, Any], *, patience_s: float = PATIENCE_S
) -> None:
    """One ConfigMap of a bundle."""
    maps = f"/api/v1/namespaces/{namespace}/configmaps"

    async def post() -> None:
        try:
            await client.post(maps, body)
        except errors.Conflict as conflict:
            # There already: immutable and named after this very submission, so the lost answer's.
            with suppress(errors.Forbidden):  # who may not look must believe it
                await _found(client.get(f"{maps}/{body['metadata']['name']}"), conflict)

    await _persistently(post, patience_s)


async def withdraw(client: Client, namespace: str, body: Mapping[str, Any]) -> None:
    """A submission that failed half-way leaves nothing: its Job, if it is there, goes."""
    name = body["metadata"]["name"]
    try:
        async with asyncio.timeout(WITHDRAW_S):
            if _submission(await bundles.job_of(client, namespace, name)) == _submission(body):
                await client.delete(f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")
    except (TimeoutError, errors.ClusterError):
        # Nothing more can be done from here, and the error that brought us here says more.
        return


def _submission(job: Mapping[str, Any]) -> str:
    """The id that tells a Job from a stranger of the same name; each that is made here has one."""
    return str((job["metadata"].get("annotations") or {}).get(names.ANNOTATION_SUBMISSION, ""))


class _Nothing(Exception):
    """There is nothing that a POST could have been in conflict with: it is gone meanwhile, or it was the quota, which
    somebody else changed at the same moment."""

    def __init__(self, conflict: errors.Conflict) -> None:
        super().__init__(conflict)
        self.conflict = conflict


async def _found(looking: Awaitable[Mapping[str, Any]], conflict: errors.Conflict) -> dict[str, Any]:
    try:
        return dict(await looking)
    except errors.NotFound:
        raise _Nothing(conflict) from None


async def _persistently(attempt: Callable[[], Awaitable[T]], patience_s: float = PATIENCE_S) -> T:
    """The result of `attempt`, made again after a lost answer, and what passes by itself."""
    until, pause_s, faults = time.monotonic() + patience_s, PAUSE_S, 0
    while True:
        wait_s = pause_s
        try:
            return await attempt()
        except _Nothing as nothing:
            if time.monotonic() > until:
                raise nothing.conflict from None
        except errors.Unreachable:
            if time.monotonic() > until:
                raise
        except errors.Rejected as refused:
            faults += 1
            if not refused.passes or (refused.status != errors.TOO_MANY_REQUESTS and faults >= ATTEMPTS):
                raise
            wait_s = max(wait_s, refused.retry_after_s or 0.0)
            if time.monotonic() + wait_s > until:
                raise
        await asyncio.sleep(wait_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
