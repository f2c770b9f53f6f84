"""What a site allows its users, in a line, a call or a file: rules that a refusal names, with whom to ask.

They keep people from mistakes. What must hold against intent is a matter of quotas and admission in the cluster.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Demand:
    """What a job asks for, and how that is written: in a line, or in a file of Kubernetes."""

    gpus: int = 0
    cpus: str | None = None
    memory: str | None = None
    """None: as much as there is."""
    timeout_s: int | None = None
    """None: as long as it likes."""
    images: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)
    """By limit: what stands before the value."""
    endless: bool = False
    """It is no job that ends: how long it runs is not asked."""


_IN_A_LINE = {
    "max_gpus": "--gpus ",
    "max_cpus": "--cpus ",
    "max_memory": "--memory ",
    "max_timeout": "--timeout ",
    "allowed_images": "--image ",
}


def check(spec: JobSpec, rules: Sequence[Rule]) -> None:
    """Raises NotAllowed, which names the rule and whom to ask."""
    from kube_magics.spec.job import image_of  # the table above is needed at load, its checks are not

    image = image_of(spec)
    default = {} if spec.image else {"allowed_images": "The default image "}
    check_demand(
        Demand(spec.gpus, spec.cpus, spec.memory, spec.timeout, (image,), {**_IN_A_LINE, **default}),
        rules,
        instead=_IN_A_LINE,
    )


def check_demand(
    asked: Demand, rules: Sequence[Rule], *, of: str = "", instead: Mapping[str, str] | None = None
) -> None:
    """As `check`, of anything that runs pods; `of` says what it is, `instead` how what is allowed is written, where that
    differs."""
    contact = next((rule.value for rule in rules if rule.field == "contact"), None)
    for rule in rules:
        found = _CHECKS[rule.field](asked, rule.value) if rule.field in _CHECKS else None
        if found is not None:
            what, fix = found
            ask = f"ask {contact} for more" if contact else "whoever runs this site can change it"
            raise NotAllowed(
                f"{of}{': ' if of else ''}{what} ({rule.where}).",
                hint=f"{(instead or asked.written)[rule.field]}{fix}   ({ask})",
            )


def _gpus(asked: Demand, most: int) -> tuple[str, str] | None:
    if asked.gpus <= most:
        return None
    return f"{asked.written['max_gpus']}{asked.gpus}: this site allows a job {most}", str(most)


def _cpus(asked: Demand, most: str) -> tuple[str, str] | None:
    if asked.cpus is None or amount(asked.cpus) <= amount(most):
        return None
    return f"{asked.written['max_cpus']}{asked.cpus}: this site allows a job {most}", most


def _memory(asked: Demand, most: str) -> tuple[str, str] | None:
    if asked.memory is not None and amount(asked.memory) <= amount(most):
        return None
    typed = asked.written["max_memory"]
    what = f"{typed}{asked.memory}" if asked.memory else f"A job without {typed.strip(': ')} has no limit"
    return f"{what}: this site allows a job {most}", most


def _timeout(asked: Demand, most_s: int) -> tuple[str, str] | None:
    if asked.endless or (asked.timeout_s is not None and asked.timeout_s <= most_s):
        return None
    typed = asked.written["max_timeout"]
    unit = "s" if typed.startswith("--") else ""
    what = f"{typed}{asked.timeout_s}{unit}" if asked.timeout_s else f"A job without {typed.strip(': ')} has no limit"
    return f"{what}: this site allows a job {quantities.human_seconds(most_s)}", f"{most_s}{unit}"


def _images(asked: Demand, patterns: tuple[str, ...]) -> tuple[str, str] | None:
    for image in asked.images:
        if not any(fnmatch.fnmatchcase(image, pattern) for pattern in patterns):
            what = f"{asked.written['allowed_images']}{image}: this site allows {', '.join(patterns)}"
            return what, patterns[0]
    return None


_CHECKS: Mapping[str, Callable[[Demand, Any], tuple[str, str] | None]] = {
    "max_gpus": _gpus,
    "max_cpus": _cpus,
    "max_memory": _memory,
    "max_timeout": _timeout,
    "allowed_images": _images,
}
