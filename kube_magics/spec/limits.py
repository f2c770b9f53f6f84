"""What a site allows its users: rules that a refusal names, with whom to ask.

They keep people from mistakes. What must hold against intent is a matter of quotas and admission in the cluster.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kube_magics.errors import NotAllowed
from kube_magics.spec import quantities, readers
from kube_magics.spec.option import Option
from kube_magics.spec.quantities import amount

if TYPE_CHECKING:
    from kube_magics.spec.job import JobSpec

LIMITS: tuple[Option, ...] = (
    Option("max-gpus", "GPUs that a job may ask for.", readers.count, "N", example="--max-gpus 4", unit="devices"),
    Option("max-cpus", "Cores that a job may ask for.", quantities.cpus, "CORES", example="--max-cpus 16", unit="cores"),
    Option("max-memory", "Memory that a job may ask for; every job must then name its --memory.", quantities.memory, "SIZE", example="--max-memory 64Gi", unit="bytes"),
    Option("max-timeout", "How long a job may run; every job must then name its --timeout.", quantities.seconds, "TIME", example="--max-timeout 1d", unit="time"),
    Option("allowed-images", "Images that a job may run.", readers.paths, "PATTERNS", many=True, example="--allowed-images registry.lab/*,python:3.*", unit="patterns of a shell, commas between"),
    Option("contact", "Whom to ask for more; a refusal says it.", readers.text("mlops@lab.example"), "WHO", example="--contact mlops@lab.example", unit="an address"),
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """One limit, as somebody has set it."""

    field: str
    value: Any
    where: str
    """`KUBE_MAGICS_MAX_GPUS`, `c.KubeMagics.max_gpus`."""


def check(spec: JobSpec, rules: Sequence[Rule]) -> None:
    """Raises NotAllowed, which names the rule and whom to ask."""
    contact = next((rule.value for rule in rules if rule.field == "contact"), None)
    for rule in rules:
        found = _CHECKS[rule.field](spec, rule.value) if rule.field in _CHECKS else None
        if found is not None:
            what, fix = found
            ask = f"ask {contact} for more" if contact else "whoever runs this site can change it"
            raise NotAllowed(f"{what} ({rule.where}).", hint=f"{fix}   ({ask})")


def _gpus(spec: JobSpec, most: int) -> tuple[str, str] | None:
    return None if spec.gpus <= most else (f"--gpus {spec.gpus}: this site allows a job {most}", f"--gpus {most}")


def _cpus(spec: JobSpec, most: str) -> tuple[str, str] | None:
    if spec.cpus is None or amount(spec.cpus) <= amount(most):
        return None
    return f"--cpus {spec.cpus}: this site allows a job {most}", f"--cpus {most}"


def _memory(spec: JobSpec, most: str) -> tuple[str, str] | None:
    if spec.memory is not None and amount(spec.memory) <= amount(most):
        return None
    what = f"--memory {spec.memory}" if spec.memory else "A job without --memory has no limit"
    return f"{what}: this site allows a job {most}", f"--memory {most}"


def _timeout(spec: JobSpec, most_s: int) -> tuple[str, str] | None:
    if spec.timeout is not None and spec.timeout <= most_s:
        return None
    what = f"--timeout {spec.timeout}s" if spec.timeout else "A job without --timeout has no limit"
    return f"{what}: this site allows a job {quantities.human_seconds(most_s)}", f"--timeout {most_s}s"


def _images(spec: JobSpec, patterns: tuple[str, ...]) -> tuple[str, str] | None:
    from kube_magics.spec.job import image_of  # the table above is needed at load, its checks are not

    image = image_of(spec)
    if any(fnmatch.fnmatchcase(image, pattern) for pattern in patterns):
        return None
    what = f"--image {image}" if spec.image else f"The default image {image}"
    return f"{what}: this site allows {', '.join(patterns)}", f"--image {patterns[0]}"


_CHECKS: Mapping[str, Callable[[JobSpec, Any], tuple[str, str] | None]] = {
    "max_gpus": _gpus,
    "max_cpus": _cpus,
    "max_memory": _memory,
    "max_timeout": _timeout,
    "allowed_images": _images,
}
