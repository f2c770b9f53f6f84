"""why, why-refused: from the wish to run something that cannot run to the sentence that says why, on screen.

ours    from sending the cell to the kernel to the arrival of the message that has the sentence, in the job's card or in
        the cell's error: for `why` that no node has the cores, which a condition of the pod says; for `why-refused` that
        the namespace's quota does not allow it, which an event of the Job alone says
peer    from the start of `kubectl create --filename` of a plain Job that asks for the same to the cluster's words out of
        `kubectl get events --watch`, started before; kubectl's user has no advice then
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place, messages, plain_job

GOAL = Goal("ours", "<=", 3000)
TIMEOUT_S = 60.0
QUOTA = "no-gpus"


@dataclass(frozen=True)
class _Plant:
    name: str
    options: str
    sentence: str
    resources: dict[str, Any]
    """What the plain Job asks for."""
    words: bytes
    """The cluster's."""


PLANTS = (
    _Plant("why", "--cpus 900", "No node has that much CPU", {"requests": {"cpu": "900"}}, b"Insufficient cpu"),
    _Plant(
        "why-refused",
        "--gpus 1",
        "quota does not allow this job",
        {"limits": {"nvidia.com/gpu": "1"}},
        b"exceeded quota",
    ),
)


def measure(place: Place, rounds: int) -> list[Sample]:
    here = f"--namespace={place.namespace.name}"
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": QUOTA, "namespace": place.namespace.name},
    }
    place.namespace.admin.apply({**quota, "spec": {"hard": {"requests.nvidia.com/gpu": "0"}}})
    try:
        return [_sample(place, each, rounds) for each in PLANTS]
    finally:
        place.namespace.admin("delete", "quota", QUOTA, here)


def _sample(place: Place, plant: _Plant, rounds: int) -> Sample:
    ours, peer = interleaved(rounds, lambda: _ours(place, plant), lambda: _peer(place, plant))
    return Sample(plant.name, "kubectl create + get events --watch", "ms", GOAL, ours, peer)


def _ours(place: Place, plant: _Plant) -> float:
    client = place.kernel.client  # started before, where this is its first use
    began = time.perf_counter()
    took, seen = 0.0, ""
    for message in messages(client, f"%%kubetrain {plant.options}\n1\n", TIMEOUT_S):
        seen = json.dumps(message["content"])
        if not took and plant.sentence in seen:
            took = time.perf_counter() - began
            # The one waits on, the other has ended.
            place.namespace.admin("delete", "jobs", "--all", f"--namespace={place.namespace.name}", "--wait=false")
    if not took:
        raise RuntimeError(f"never told; at last: {seen}")
    place.quiet()
    return 1000 * took


def _peer(place: Place, plant: _Plant) -> float:
    job = plain_job(f"peer-{secrets.token_hex(3)}", place.image, "1")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["resources"] = plant.resources
    path = place.write(job)
    events = place.start_kubectl("get", "events", "--watch-only")
    assert events.stdout
    time.sleep(1)  # it has to be there before
    began = time.perf_counter()
    place.check("create", f"--filename={path}")
    while plant.words not in (line := events.stdout.readline()):
        if not line:
            raise RuntimeError("kubectl has ended before the cluster said why")
    took = time.perf_counter() - began
    events.kill()
    events.communicate()
    place.quiet()
    return 1000 * took
