"""All that a cluster lets this user see of one Job, for the one question why it is as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kube_magics import errors
from kube_magics.backends import bundles, happened
from kube_magics.backends.contract import Findings
from kube_magics.backends.nodes import every_node
from kube_magics.backends.objects import NOT_KEPT, objects
from kube_magics.backends.workloads import queued
from kube_magics.cluster.client import Client
from kube_magics.telemetry import attempts
from kube_magics.telemetry.causes.deletion import gone
from kube_magics.telemetry.causes.ended import containers, ended_badly
from kube_magics.telemetry.causes.program import plain_lines
from kube_magics.telemetry.causes.scheduling import unplaced
from kube_magics.telemetry.objects import part, text
from kube_magics.telemetry.snapshot import of_job

LAST_LINES = 40
LAST_BYTES = 64 << 10
"""Of a log that may have lines of megabytes."""
NO_EVENTS = "You may not list events: ask your administrator for `list` there to see what the cluster has done."


async def findings(client: Client, namespace: str, name: str) -> Findings:
    """The Job, its newest pod, and what each can be explained with; of one that is gone what its events tell. Raises
    NotFound where there was no such Job in the last hour."""
    try:
        found = await objects(client, namespace, name)
    except errors.NotFound as absent:
        return await _gone(client, namespace, name, absent)
    job, pods = found.job, attempts.ordered(found.pods)
    pod = _troubled(job, pods)
    events, nodes, queue, lines = await asyncio.gather(
        _events(client, namespace, job, pod), _nodes(client, pod), queued(client, namespace, job), _said(client, pod)
    )
    state = of_job(job, pods, events, nodes=nodes, queue=queue, lines=lines, name=name, namespace=namespace)
    if pod is not None and pod is not pods[-1]:
        cause = of_job(job, [pod], events, nodes=nodes, lines=lines).cause
        state = replace(state, cause=cause and replace(cause, sentence=f"{_name(pod)}: {cause.sentence}"))
    state = await bundles.whole(client, namespace, job, state)
    return Findings(state, tuple(events or ()), () if events is not None else (NO_EVENTS,))


async def _gone(client: Client, namespace: str, name: str, absent: errors.NotFound) -> Findings:
    try:
        events = await happened.to_one_gone(client, namespace, name)
    except errors.Forbidden:
        events = []
    if not events:
        raise absent
    return Findings(replace(of_job(None, (), name=name, namespace=namespace), cause=gone(events)), tuple(events))


def _troubled(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The pod to be explained: the newest, but of those that run side by side the first that has failed or waits."""
    if attempts.in_turn(job):
        return pods[-1] if pods else None
    failed = (pod for pod in pods if text(pod, "status", "phase") == "Failed")
    waits = (pod for pod in pods if text(pod, "status", "phase") == "Pending")
    return next(failed, None) or next(waits, None) or (pods[-1] if pods else None)


def _name(pod: Mapping[str, Any]) -> str:
    return text(pod, "metadata", "name")


async def _events(
    client: Client, namespace: str, job: Mapping[str, Any], pod: Mapping[str, Any] | None
) -> list[Mapping[str, Any]] | None:
    """None: the user may not read them."""
    pods = [_name(pod)] if pod is not None else []
    try:
        return await happened.to_job(client, namespace, text(job, "metadata", "uid"), pods)
    except errors.Forbidden:
        return None


async def _nodes(client: Client, pod: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Of a pod that none of them takes."""
    return await every_node(client) if pod is not None and unplaced(pod) else []


async def _said(client: Client, pod: Mapping[str, Any] | None) -> list[str]:
    """The last lines of the container that has ended badly; none where it left its end in its status, or where the
    log cannot be read."""
    status = next(filter(ended_badly, containers(pod or {})), None)
    if pod is None or status is None or text(ended_badly(status), "message"):
        return []
    again = not part(status, "state", "terminated")
    query = {"tailLines": str(LAST_LINES), "limitBytes": str(LAST_BYTES), "container": text(status, "name")}
    where = f"/api/v1/namespaces/{text(pod, 'metadata', 'namespace')}/pods/{_name(pod)}/log"
    try:
        data = await client.get(where, query | ({"previous": "true"} if again else {}), accept="*/*")
    except errors.ClusterError:
        return []  # it is gone, or may not be read
    if not isinstance(data, bytes) or data.startswith(NOT_KEPT):
        return []
    return plain_lines(data)
