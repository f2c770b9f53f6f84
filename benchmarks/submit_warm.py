"""submit-warm: from a prepared submission to a Job that exists, where the notebook has been connected before.

ours    from the call of the backend's `submit` to its return: the Job is created, its watches are being opened
peer    `kubectl create --filename=job.json` of the very same Job, from its start to its exit, caches warm

The namespace's quota allows no pod, so that no round starts containers into the next one.
"""

from __future__ import annotations

import time

from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place
from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.cells.capture import capture
from kube_magics.cells.notebook import Notebook
from kube_magics.cluster import auth
from kube_magics.jobs import loop, submit
from kube_magics.spec.job import JobSpec, Submission

GOAL = Goal("ratio", "<=", 0.2)
CELL = "%%kubetrain\nprint('first line')\n"
QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "no-pods"},
    "spec": {"hard": {"pods": "0"}},
}


def measure(place: Place, rounds: int) -> list[Sample]:
    here = f"--namespace={place.namespace.name}"
    place.namespace.admin.apply({**QUOTA, "metadata": {"name": "no-pods", "namespace": place.namespace.name}})
    kubeconfig = str(place.namespace.kubeconfig)
    backend = KubernetesBackend(auth.load(auth.Source("kubeconfig", kubeconfig, kubeconfig), None, None))
    try:
        loop.wait(backend.connect())
        ours, peer = interleaved(rounds, lambda: _ours(backend, place.image), lambda: _peer(place, backend))
    finally:
        loop.wait(backend.close())
        place.namespace.admin("delete", "resourcequota", "no-pods", here)
        place.quiet()
    return [Sample("submit-warm", "kubectl create", "ms", GOAL, ours, peer)]


def _submission(backend: KubernetesBackend, image: str) -> Submission:
    captured = capture(CELL, Notebook(namespace={}))
    return submit.prepare(JobSpec(image=image), backend, captured, stem="bench", notebook=None).submission


def _ours(backend: KubernetesBackend, image: str) -> float:
    submission = _submission(backend, image)
    began = time.perf_counter()
    loop.wait(backend.submit(submission))
    took = time.perf_counter() - began
    loop.wait(_leave(backend, submission.name))
    return 1000 * took


async def _leave(backend: KubernetesBackend, name: str) -> None:
    """Follow up to the first news, then no longer."""
    pieces = backend.follow(name)
    async for _ in pieces:
        break
    await pieces.aclose()  # type: ignore[attr-defined]
    await backend.delete(name)


def _peer(place: Place, backend: KubernetesBackend) -> float:
    submission = _submission(backend, place.image)
    path = place.write(backend.manifests(submission)[0])
    began = time.perf_counter()
    place.check("create", f"--filename={path}")
    took = time.perf_counter() - began
    place.check("delete", "job", submission.name, "--wait=false")
    return 1000 * took
