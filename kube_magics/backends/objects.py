"""The objects of one Job as the cluster has them: itself, its pods, its events, the logs of their containers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from kube_magics import errors
from kube_magics.backends import bundles, happened
from kube_magics.backends.contract import Objects, Source, Sources
from kube_magics.backends.podlog import as_it_is
from kube_magics.cluster.client import Client
from kube_magics.cluster.logs import PodLog
from kube_magics.cluster.pieces import Gap, Piece
from kube_magics.cluster.watch import listed
from kube_magics.manifests import bundle
from kube_magics.spec import names
from kube_magics.telemetry import attempts
from kube_magics.telemetry.objects import part, rows, text
from kube_magics.telemetry.snapshot import own_pods

NOT_KEPT = b"unable to retrieve container logs for "
"""The node's words, in the log's place and with HTTP's 200: of an ended pod it removes all runs but the last."""
START_S = 0.5
"""Between two looks at a container whose log the node does not have yet."""


async def objects(client: Client, namespace: str, name: str) -> Objects:
    """The Job, and its pods by its own selector: labels of a Job of somebody else's need not be the usual ones."""
    job = await bundles.job_of(client, namespace, name)
    labels = part(job, "spec", "selector", "matchLabels") or {"job-name": name}
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
    pods = (await listed(client, f"/api/v1/namespaces/{namespace}/pods", query))[0].items
    mine = own_pods(text(job, "metadata", "uid"), pods)
    return Objects(job, tuple(sorted(mine, key=lambda pod: text(pod, "metadata", "creationTimestamp"))))


async def recipe(client: Client, namespace: str, name: str) -> list[dict[str, Any]]:
    """The Job, and the ConfigMaps that carry its files; one that is gone is left out."""
    job = await bundles.job_of(client, namespace, name)
    ours = names.ANNOTATION_BUNDLE in part(job, "metadata", "annotations")
    maps = bundle.map_names(job) if ours else ()
    named = [f"/api/v1/namespaces/{namespace}/configmaps/{each}" for each in maps]
    found = await asyncio.gather(*(client.get(path) for path in named), return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, errors.NotFound):
            raise each
    carriers = [{"apiVersion": "v1", "kind": "ConfigMap", **each} for each in found if isinstance(each, dict)]
    return [{"apiVersion": "batch/v1", "kind": "Job", **job}, *carriers]


async def events(client: Client, namespace: str, name: str | None) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
    """Of one Job and its pods, also of those that are gone; or of all Jobs and pods. The oldest first."""
    found = None if name is None else await objects(client, namespace, name)
    try:
        if found is None:
            return await happened.to_all_jobs(client, namespace), ()
        uid = text(found.job, "metadata", "uid")
        return await happened.to_job(client, namespace, uid, [_name(pod) for pod in found.pods]), ()
    except errors.Forbidden:
        return [], ("You may not list events: ask your administrator for `list` there to see what happened.",)


def sources(found: Objects, *, previous: bool) -> Sources:
    """Initialising containers before the others, as they run."""
    pod = part(found.job, "spec", "template", "spec")
    alone = len(rows(pod, "initContainers") + rows(pod, "containers")) == 1
    in_turn = alone and attempts.in_turn(found.job)
    if not previous:
        return Sources(tuple(Source(_name(pod), each) for pod in found.pods for each in _started(pod)), in_turn)
    again = [
        Source(_name(pod), text(status, "name"), previous=True)
        for pod in found.pods[-1:]
        for status in _statuses(pod)
        if part(status, "lastState", "terminated")
    ]
    return Sources(
        tuple(again or [Source(_name(pod), each) for pod in found.pods[-2:-1] for each in _started(pod)]), in_turn
    )


async def read(client: Client, namespace: str, source: Source, *, follow: bool) -> AsyncIterator[Piece]:
    """The log of one container; a `previous` one has ended, and is read at once."""
    log = PodLog(client, namespace, source.pod, source.container)
    pods = f"/api/v1/namespaces/{namespace}/pods"
    if source.previous:
        data = await client.get(
            f"{pods}/{source.pod}/log", {"container": source.container, "previous": "true"}, accept="*/*"
        )
        if data.startswith(NOT_KEPT):
            yield Gap(data.decode("utf-8", "replace").strip())
        elif data:
            yield data if data.endswith(b"\n") else data + b"\n"
        return
    if not follow:
        async for piece in as_it_is(log):
            yield piece
        return

    async def over() -> bool:
        found, _version = await listed(client, pods, {"fieldSelector": f"metadata.name={source.pod}"})
        if not found.items:
            return True
        pod = found.items[0]
        return text(pod, "status", "phase") in ("Succeeded", "Failed") or source.container in _ended(pod)

    while True:
        try:
            async for piece in log.lines(over):
                yield piece
            return
        except (errors.NotFound, errors.Rejected):
            # Its node has not heard of it, or the container is being made.
            if await over():
                return
            await asyncio.sleep(START_S)


def _name(pod: Mapping[str, Any]) -> str:
    return text(pod, "metadata", "name")


def _statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return rows(pod, "status", "initContainerStatuses") + rows(pod, "status", "containerStatuses")


def _started(pod: Mapping[str, Any]) -> list[str]:
    found = [
        each for each in _statuses(pod) if not part(each, "state", "waiting") or part(each, "lastState", "terminated")
    ]
    return [text(each, "name") for each in found if part(each, "state") or part(each, "lastState")]


def _ended(pod: Mapping[str, Any]) -> list[str]:
    return [text(each, "name") for each in _statuses(pod) if part(each, "state", "terminated")]
