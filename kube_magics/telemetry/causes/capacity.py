"""Could any node of the cluster ever hold what a pod asks for? From what its nodes have to give, not what is free."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from kube_magics.spec.quantities import amount
from kube_magics.telemetry.objects import GPU, part, rows

OR_WAIT = "interrupt the cell twice first; or wait, if this cluster makes larger nodes by itself"
"""An autoscaler's limits cannot be asked for with a user's rights: so the job waits."""
UNKNOWN = Decimal("Infinity")


@dataclass(frozen=True)
class _Resource:
    name: str
    option: str
    sentence: Callable[[Decimal, Decimal], str]
    """Of the largest node's amount, and what is asked for."""
    typed: Callable[[Decimal], str]
    """The largest node's amount as the option takes it."""


def _gpus(most: Decimal, asked: Decimal) -> str:
    has = f"more than {most:f} GPU{'s' if most != 1 else ''}" if most else "GPUs"
    return f"No node here has {has}, and the job asks for {asked:f}."


def _cores(most: Decimal, asked: Decimal) -> str:
    return (
        f"No node here has more than {most.normalize():f} cores for jobs, and this one asks for {asked.normalize():f}."
    )


def _memory(most: Decimal, asked: Decimal) -> str:
    return f"No node here has more than {_binary(most)} of memory for jobs, and this one asks for {_binary(asked)}."


def _binary(size_bytes: Decimal) -> str:
    """Rounded down, as `--memory` takes it."""
    gibibytes = math.floor(size_bytes / 2**30)
    return f"{gibibytes}Gi" if gibibytes >= 10 else f"{math.floor(size_bytes / 2**20)}Mi"


_GPUS = _Resource("nvidia.com/gpu", "--gpus", _gpus, lambda most: f"{most:f}")
_RESOURCES = (
    _Resource("memory", "--memory", _memory, _binary),
    _Resource("cpu", "--cpus", _cores, lambda most: f"{math.floor(most * 1000)}m" if most % 1 else f"{most:f}"),
)


def never_fits(pod: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """A sentence and what to type, where what the pod asks for is more than any of `nodes` has; None: it is not, or
    nothing is known of the nodes."""
    for resource in (*_devices(pod), *_RESOURCES):
        asked = sum((_asked(container, resource.name) for container in rows(pod, "spec", "containers")), Decimal(0))
        most = max((_allocatable(node, resource.name) for node in nodes), default=UNKNOWN)
        if asked > most:
            return resource.sentence(most, asked), f"{resource.option} {resource.typed(most)}   ({OR_WAIT})"
    return None


def _devices(pod: Mapping[str, Any]) -> list[_Resource]:
    """GPUs, as the pod calls them."""
    asked = {name for each in rows(pod, "spec", "containers") for name in part(each, "resources", "requests")}
    return [replace(_GPUS, name=name) for name in sorted(asked) if GPU.search(name)]


def _asked(container: Mapping[str, Any], resource: str) -> Decimal:
    return _read(part(container, "resources", "requests").get(resource, "0"), Decimal(0))


def _allocatable(node: Mapping[str, Any], resource: str) -> Decimal:
    has = part(node, "status", "allocatable")
    return _read(has.get(resource, "0"), UNKNOWN) if has else UNKNOWN


def _read(quantity: Any, otherwise: Decimal) -> Decimal:
    try:
        return amount(str(quantity))
    except ValueError:
        return otherwise
