"""Is there the queue of `--queue`? Asked before the Job is made, by users who may look.

Without a Kueue in the cluster the label does nothing, which is said: the job runs at once. With one, a queue that is
not there would keep the job waiting for ever, and Kueue says so nowhere that most users may read.
"""

from __future__ import annotations

import difflib

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.spec import names
from kube_magics.telemetry.objects import rows, text

GROUP = names.LABEL_QUEUE.partition("/")[0]


async def check(client: Client, namespace: str, queue: str | None) -> str | None:
    """What is to be said of it; None: nothing. Raises NotFound where it is not there."""
    if queue is None:
        return None
    try:
        version = text(await client.get(f"/apis/{GROUP}"), "preferredVersion", "version")
    except errors.NotFound:
        return f"--queue {queue} does nothing here: there is no Kueue in this cluster, and the job does not wait"
    except errors.Forbidden:
        return None
    path = f"/apis/{GROUP}/{version}/namespaces/{namespace}/localqueues"
    try:
        await client.get(f"{path}/{queue}")
    except errors.Forbidden:
        return None
    except errors.NotFound as absent:
        raise await _absent(client, path, queue, absent) from absent
    return None


async def _absent(client: Client, path: str, queue: str, absent: errors.NotFound) -> errors.NotFound:
    """Which queues there are instead."""
    try:
        there = sorted(text(found, "metadata", "name") for found in rows(await client.get(path), "items"))
    except errors.ClusterError:
        there = []
    near = difflib.get_close_matches(queue, there, 1, 0.5) or (there if len(there) == 1 else [])
    others = f"; there are {', '.join(there)}" if there else ""
    return errors.NotFound(
        f"--queue {queue}: there is no queue {queue} in this namespace{others}.",
        said=absent.said,
        hint=f"--queue {near[0]}" if near else "ask your administrator for a LocalQueue in this namespace",
    )
