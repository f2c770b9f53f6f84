"""How a job of a cluster is stopped: its pod is told to end, where it runs; else the Job makes none any more.

That is done by suspending it, which holds wherever nobody resumes it. Kueue does: what is in a queue of its, and
cannot be told to end, can only be deleted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from kube_magics import errors
from kube_magics.backends import bundles
from kube_magics.cluster.client import Client
from kube_magics.spec import names
from kube_magics.telemetry import attempts
from kube_magics.telemetry.objects import text
from kube_magics.telemetry.snapshot import PENDING, Snapshot

UNCLEAR_S = 5.0
"""A busy node's kubelet has been seen to be two seconds late."""


async def stop(client: Client, namespace: str, name: str, look: Callable[[str], Awaitable[Snapshot]]) -> str:
    """A sentence that says what was done; `look` gives the state of a job."""
    job = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
    snapshot = await _clear(name, look)
    if snapshot.over:
        return f"{name} is over already ({snapshot.phase})."
    asked = {"annotations": {names.ANNOTATION_STOPPED: datetime.now(UTC).isoformat(timespec="seconds")}}
    ended = snapshot.terminated and snapshot.finished_at is not None
    if snapshot.attempts > 1 and (ended or (snapshot.attempt > 1 and not snapshot.started)):
        await _no_more_than(client, job, snapshot, snapshot.attempt - (1 if ended else 2), asked)
        return f"{name} is between two attempts: it is not tried again; its log stays (%kube logs {name})."
    if snapshot.pod is None or not snapshot.started:
        await _suspend(client, namespace, name, asked)
        return f"{name} had not started: it is suspended and will not start."
    if not attempts.in_turn(await _job(client, namespace, name)):
        # One pod that ends would be replaced, or leave the others to go on.
        await _suspend(client, namespace, name, asked)
        return f"{name} has several pods: it is suspended, which ends those that run and deletes them and their logs."
    try:
        await _no_more_than(client, job, snapshot, snapshot.attempt - 1)
        # Lowering a live pod's deadline is the one way that keeps pod and log: TERM, its grace, KILL.
        told = {"metadata": asked, "spec": {"activeDeadlineSeconds": 1}}
        await client.patch(f"/api/v1/namespaces/{namespace}/pods/{snapshot.pod}", told)
    except errors.Forbidden:
        await _suspend(client, namespace, name, asked)
        return (
            f"{name} is being stopped by suspending it, which deletes its pod and the log on the cluster "
            "(the right `patch pods` would keep both)."
        )
    return f"{name} is being stopped: it was told to end; its log stays (%kube logs {name})."


async def _clear(name: str, look: Callable[[str], Awaitable[Snapshot]]) -> Snapshot:
    """What there is to stop: a pod's status may say a second late that it runs, when it has printed already."""
    until = time.monotonic() + UNCLEAR_S
    while True:
        snapshot = await look(name)
        unclear = snapshot.phase == PENDING and snapshot.scheduled and not snapshot.started and not snapshot.cause
        if not unclear or time.monotonic() > until:
            return snapshot
        await asyncio.sleep(0.2)


async def _job(client: Client, namespace: str, name: str) -> Mapping[str, Any] | None:
    """None: the user may not see it, only its pod."""
    try:
        return await bundles.job_of(client, namespace, name)
    except errors.Forbidden:
        return None


async def _suspend(client: Client, namespace: str, name: str, asked: Mapping[str, Any]) -> None:
    if queue := await _queue(client, namespace, name):
        what = f"Job {name} is in Kueue's queue {queue}, and goes on: Kueue resumes what is suspended."
        raise errors.ClusterError(what, hint=f"%kube delete {name}   (takes it out of the queue)")
    try:
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
        await client.patch(path, {"metadata": asked, "spec": {"suspend": True}})
    except errors.Forbidden as error:
        who = "whoever submitted it may, or your administrator"
        raise errors.Forbidden(f"You may not stop job {name}, which goes on.", said=error.said, hint=who) from error


async def _queue(client: Client, namespace: str, name: str) -> str:
    """Kueue's, in which the job is; "": in none, or in none that is known of."""
    queue = text(await _job(client, namespace, name), "metadata", "labels", names.LABEL_QUEUE)
    try:
        # Without a Kueue the label does nothing. Which groups there are everybody may ask.
        if queue:
            await client.get(f"/apis/{names.LABEL_QUEUE.partition('/')[0]}")
    except (errors.Forbidden, errors.NotFound):
        return ""
    return queue


async def _no_more_than(
    client: Client, job: str, state: Snapshot, failures: int, asked: Mapping[str, Any] | None = None
) -> None:
    """Let one more failure be the job's end; where there are more already, that is at once: a pod that runs would
    be deleted, and its log with it. `asked`: what then says in the Job that this was a stop."""
    if state.attempts > failures + 1:
        await client.patch(job, {**({"metadata": asked} if asked else {}), "spec": {"backoffLimit": failures}})
