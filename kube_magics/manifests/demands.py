"""What an object of a file asks for in all its pods, whatever its kind: a Job, a Deployment, a JobSet, a PyTorchJob …

Pods are found by their shape: a mapping with `containers` is the spec of some, as many as the counts above it say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from kube_magics.spec.limits import Demand
from kube_magics.spec.quantities import amount
from kube_magics.telemetry.objects import GPU, gpus, part, rows, text

COUNTS = ("replicas", "parallelism")
DEADLINE = "activeDeadlineSeconds"
WRITTEN = {
    "max_gpus": "nvidia.com/gpu: ",
    "max_cpus": "cpu: ",
    "max_memory": "limits.memory: ",
    "max_timeout": f"{DEADLINE}: ",
    "allowed_images": "image: ",
}
"""By limit: how it is written in a file."""


@dataclass(frozen=True)
class _Pods:
    spec: Mapping[str, Any]
    count: int
    deadline_s: int | None

    @property
    def ends(self) -> bool:
        return text(self.spec, "restartPolicy") in ("Never", "OnFailure")

    def most(self, of: Callable[[Mapping[str, Any]], Decimal]) -> Decimal:
        """Of all pods: containers run beside each other, init containers one after the other before them."""
        beside = sum(map(of, rows(self.spec, "containers")), Decimal())
        return self.count * max(beside, *map(of, rows(self.spec, "initContainers")), Decimal())


def demand(body: Mapping[str, Any]) -> Demand | None:
    """Of one object; None: it runs nothing."""
    pods = list(_pods(body, 1, None))
    if not pods:
        return None
    containers = [each for found in pods for each in (*rows(found.spec, "initContainers"), *_main(found))]
    deadlines = [found.deadline_s for found in pods if found.ends]
    known = [each for each in deadlines if each is not None]
    bounded = all(_memory(each) for found in pods for each in _main(found))
    named = next((name for each in containers for name in _asked(each) if GPU.search(name)), None)
    return Demand(
        gpus=int(sum(found.most(lambda each: Decimal(gpus(_asked(each)))) for found in pods)),
        cpus=_written(sum((found.most(lambda each: _quantity(_asked(each).get("cpu"))) for found in pods), Decimal())),
        memory=_written(sum((found.most(_memory) for found in pods), Decimal())) if bounded else None,
        timeout_s=max(known) if known and len(known) == len(deadlines) else None,
        images=tuple(dict.fromkeys(text(each, "image") for each in containers)),
        written={**WRITTEN, "max_gpus": f"{named}: "} if named else WRITTEN,
        endless=not deadlines,
    )


def _pods(found: Any, count: int, deadline_s: int | None) -> Iterator[_Pods]:
    if isinstance(found, list):
        for each in found:
            yield from _pods(each, count, deadline_s)
    if not isinstance(found, Mapping):
        return
    for name in COUNTS:
        if isinstance(found.get(name), int):
            count *= found[name]
    if isinstance(found.get(DEADLINE), int):
        deadline_s = min(found[DEADLINE], deadline_s or found[DEADLINE])
    if rows(found, "containers"):
        yield _Pods(found, count, deadline_s)
        return
    for each in found.values():
        yield from _pods(each, count, deadline_s)


def _main(pods: _Pods) -> list[Mapping[str, Any]]:
    return rows(pods.spec, "containers")


def _asked(container: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**part(container, "resources", "requests"), **part(container, "resources", "limits")}


def _memory(container: Mapping[str, Any]) -> Decimal:
    """Its limit; 0: it has none."""
    return _quantity(part(container, "resources", "limits").get("memory"))


def _quantity(found: Any) -> Decimal:
    """0 for what is none, which the cluster refuses itself."""
    try:
        return amount(str(found))
    except ValueError:
        pass
    try:
        return Decimal(str(found))  # 1e9
    except InvalidOperation:
        return Decimal()


def _written(total: Decimal) -> str | None:
    """As a quantity; None: nothing."""
    for unit in ("Gi", "Mi"):
        if total and not total % amount(f"1{unit}"):
            return f"{total / amount(f'1{unit}'):f}{unit}"
    return f"{total.normalize():f}" if total else None
