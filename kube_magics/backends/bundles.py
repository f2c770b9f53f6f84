"""The bundle of a Job that is in the cluster: all of it, or what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.cluster.watch import listed
from kube_magics.manifests import bundle
from kube_magics.telemetry.snapshot import PENDING, Snapshot, incomplete

BEFORE = b'"name":"KUBE_MAGICS_BUNDLE","value":"'
"""What stands before one in a list, as API servers write it: with `without=BEFORE` none of them is kept."""


async def job_of(client: Client, namespace: str, name: str) -> Mapping[str, Any]:
    """The Job; by any of the rights to get, list and watch Jobs."""
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    try:
        found: Mapping[str, Any] = await client.get(f"{jobs}/{name}")
    except errors.Forbidden as refused:
        try:
            those, _version = await listed(client, jobs, {"fieldSelector": f"metadata.name={name}"})
        except errors.Forbidden:
            raise refused from None
        if not those.items:
            what = f"The cluster has no such object (jobs {name})."
            raise errors.NotFound(what, hint="%kube jobs   (shows the names)") from None
        return those.items[0]
    return found


async def read(client: Client, namespace: str, name: str) -> bytes:
    """The zip, checked against the digest in the Job, which never changes; raises NotFound where it is not whole."""
    job = await job_of(client, namespace, name)
    _, maps, _ = bundle.carried(job)
    found = await asyncio.gather(*(client.get(f"/api/v1/namespaces/{namespace}/configmaps/{each}") for each in maps))
    data = bundle.joined(job, found)
    if data is None:
        raise errors.NotFound(f"Job {name} has no bundle, or another than it was made with.", hint=f"%kube logs {name}")
    return data


async def whole(client: Client, namespace: str, job: Mapping[str, Any], state: Snapshot) -> Snapshot:
    """Said to be incomplete, if it waits for files that are not there."""
    waits = state.phase == PENDING and not state.started and state.ours
    return incomplete(state) if waits and await is_missing(client, namespace, job) else state


async def is_missing(client: Client, namespace: str, job: Mapping[str, Any]) -> bool:
    """Whether a part of a Job's bundle is not there; asked only where it has ConfigMaps, by their names."""
    _, maps, _ = bundle.carried(job)
    where = f"/api/v1/namespaces/{namespace}/configmaps"
    return not all(await asyncio.gather(*(_is_there(client, f"{where}/{each}") for each in maps)))


async def _is_there(client: Client, path: str) -> bool:
    try:
        await client.get(path)
    except errors.NotFound:
        return False
    except errors.ClusterError:
        return True  # who may not look does not know
    return True
