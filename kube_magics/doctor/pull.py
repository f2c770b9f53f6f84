"""A short pod of the default image, on request: whether it is pulled, may run, and which Python it has."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Sequence
from contextlib import suppress

from kube_magics import errors
from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.doctor import sample
from kube_magics.doctor.judging import image
from kube_magics.doctor.line import Line, degraded
from kube_magics.spec.job import JobSpec, image_of
from kube_magics.telemetry.objects import rows, text
from kube_magics.telemetry.snapshot import SUCCEEDED, Snapshot

PULL_S = 120.0
LOOK_S = 0.3
REMOVE_S = 10.0


async def lines(backend: KubernetesBackend, spec: JobSpec) -> Sequence[Line]:
    """Whatever happens, the pod is removed: from here, else by the cluster itself (`sample.LONGEST_S`)."""
    submission = sample.submission(sample.small(spec))
    job = sample.short(backend.manifests(submission)[0], spec.python)
    began = time.monotonic()
    left: list[Line] = []
    try:
        await backend.create(job)
        state = await _ended(backend, submission.name, began + PULL_S)
        waited_s = time.monotonic() - began
        if state.phase == SUCCEEDED:
            python = await _python(backend, state)
            found = image.pulled(image_of(spec), python, platform.python_version(), waited_s)
        else:
            found = image.failed(image_of(spec), state.cause, waited_s, over=state.over)
    finally:
        left = await asyncio.shield(_removed(backend, submission.name))
    return [found, *left]


async def _ended(backend: KubernetesBackend, name: str, until: float) -> Snapshot:
    """Its last state: it is over, or will not begin, or has not in time."""
    while True:
        state = await backend.poll(name)
        hopeless = state.cause is not None and state.cause.hopeless
        if state.over or hopeless or time.monotonic() > until:
            return state
        await asyncio.sleep(LOOK_S)


async def _python(backend: KubernetesBackend, state: Snapshot) -> str:
    """Its pod's last word; "" where it may not be read."""
    where, one = f"/api/v1/namespaces/{backend.namespace}/pods", {"fieldSelector": f"metadata.name={state.pod}"}
    with suppress(errors.ClusterError):
        for pod in rows(await backend.client.get(where, one), "items"):
            for status in rows(pod, "status", "containerStatuses"):
                return text(status, "state", "terminated", "message")
    return ""


async def _removed(backend: KubernetesBackend, name: str) -> list[Line]:
    try:
        async with asyncio.timeout(REMOVE_S):
            await backend.delete(name)
    except errors.NotFound:
        return []  # it was never made
    except (errors.ClusterError, TimeoutError) as error:
        what = f"Job {name} could not be removed: the cluster does it within {sample.LONGEST_S + sample.SOON_S} s."
        return [degraded(image.CHECK, what, f"%kube delete {name}", str(error) or None)]
    return []
