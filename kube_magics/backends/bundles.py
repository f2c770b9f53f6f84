"""The bundle of a Job that is in the cluster: all of it, or what is missing."""

from __future__ import annotations

import asyncio
import hashlib

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.manifests import bundle


async def read(client: Client, namespace: str, name: str) -> bytes:
    """The zip, checked against the digest in the Job, which never changes; raises NotFound where it is not whole."""
    job = await client.get(f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")
    data, maps, digest = bundle.carried(job)
    if data is None:
        found = await asyncio.gather(
            *(client.get(f"/api/v1/namespaces/{namespace}/configmaps/{each}") for each in maps)
        )
        data = b"".join(map(bundle.part, found))
    if not digest or hashlib.sha256(data).hexdigest() != digest:
        raise errors.NotFound(f"Job {name} has no bundle, or another than it was made with.", hint=f"%kube logs {name}")
    return data
