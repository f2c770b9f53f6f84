"""What Kueue has of a suspended Job: its Workload, and how many jobs are before it; asked only of Jobs with a queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.spec import names
from kube_magics.telemetry.causes.queue import Queue
from kube_magics.telemetry.objects import part, rows, text

VERSIONS = ("v1beta2", "v1beta1")
"""Of kueue.x-k8s.io, the newest first."""
UID = "kueue.x-k8s.io/job-uid"
"""Label of a Workload."""


async def queued(client: Client, namespace: str, job: Mapping[str, Any]) -> Queue | None:
    """None: the Job is in no queue, or not suspended."""
    queue = text(job, "metadata", "labels", names.LABEL_QUEUE)
    if not queue or not part(job, "spec").get("suspend"):
        return None
    uid = text(job, "metadata", "uid")
    for version in VERSIONS:
        path = f"/apis/kueue.x-k8s.io/{version}/namespaces/{namespace}/workloads"
        try:
            found = rows(await client.get(path, {"labelSelector": f"{UID}={uid}"}), "items")
        except errors.NotFound:
            continue
        except errors.ClusterError:
            return Queue(readable=False)
        if not found:
            return Queue()
        return Queue(found[0], ahead=await _ahead(client, namespace, queue, uid, version))
    return Queue()  # without Kueue


async def _ahead(client: Client, namespace: str, queue: str, uid: str, version: str) -> int | None:
    """By Kueue's visibility API, which counts from 0."""
    root = f"/apis/visibility.kueue.x-k8s.io/{version}/namespaces/{namespace}"
    try:
        found = await client.get(f"{root}/localqueues/{queue}/pendingworkloads")
    except errors.ClusterError:
        return None
    for each in rows(found, "items"):
        if uid in {text(owner, "uid") for owner in rows(each, "metadata", "ownerReferences")}:
            place = each.get("positionInLocalQueue")
            return place if isinstance(place, int) else None
    return None
