"""What the namespace still lets a user use: quotas and limits, in words, against what a job asks for by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kube_magics.doctor.line import BROKEN, DEGRADED, Line, broken, degraded, ok
from kube_magics.spec.quantities import amount, human_bytes
from kube_magics.telemetry.objects import GPU, part, rows, text

Quantities = Mapping[str, Decimal]
FREE = "%kube jobs shows what holds it; %kube delete NAME frees it"
ASK = "ask your administrator"


def asks(job: Mapping[str, Any]) -> dict[str, Decimal]:
    """What a quota counts of a Job and its one pod, by the quota's own names."""
    (container,) = rows(job, "spec", "template", "spec", "containers")
    found = {"pods": Decimal(1), "count/pods": Decimal(1), "count/jobs.batch": Decimal(1)}
    for kind in ("requests", "limits"):
        for name, quantity in part(container, "resources", kind).items():
            found[f"{kind}.{name}"] = amount(str(quantity))
    return found | {name: found[f"requests.{name}"] for name in ("cpu", "memory") if f"requests.{name}" in found}


@dataclass(frozen=True)
class _Kind:
    """Something that a quota counts."""

    called: str
    shown: Callable[[Decimal], str] = "{:f}".format
    lost: str = ""
    """Without any of it left, where a default job needs none."""


_CORES = _Kind("cores", lambda n: f"{n.normalize():f}")
_MEMORY = _Kind("of memory", lambda n: human_bytes(float(n)))
_MAPS = _Kind("ConfigMaps", lost="a cell and all it carries must stay under 64 KiB")
_KINDS: Mapping[str, _Kind] = {
    "pods": _Kind("pods"),
    "count/pods": _Kind("pods"),
    "count/jobs.batch": _Kind("jobs"),
    "cpu": _CORES,
    "requests.cpu": _CORES,
    "limits.cpu": _Kind("cores of limits", _CORES.shown),
    "memory": _MEMORY,
    "requests.memory": _MEMORY,
    "limits.memory": _Kind("of memory limits", _MEMORY.shown),
    "configmaps": _MAPS,
    "count/configmaps": _MAPS,
}
_GPUS = _Kind("GPUs", lost="a job with --gpus is refused")


def quotas(
    found: Sequence[Mapping[str, Any]], job: Mapping[str, Any], limits: Sequence[Mapping[str, Any]]
) -> list[Line]:
    """A line a quota, and one for each thing of which there is too little; `job` is the default one, `limits` are the
    namespace's LimitRanges, which may fill in what a pod does not say."""
    if not found:
        return [ok("quota", "there is none")]
    wanted, filled = asks(job), _defaults(limits)
    return [line for quota in found for line in _quota(quota, wanted, filled)]


def _quota(quota: Mapping[str, Any], wanted: Quantities, filled: frozenset[str]) -> list[Line]:
    name, said, short = text(quota, "metadata", "name"), [], []
    # Of some pods only (by priority, by deadline): whether a job of ours is one of them is not ours to say.
    some = bool(part(quota, "spec").get("scopes") or part(quota, "spec").get("scopeSelector"))
    for resource, most in sorted(part(quota, "status", "hard").items()):
        kind = _GPUS if resource.startswith("requests.") and GPU.search(resource) else _KINDS.get(resource)
        hard, used = _read(most), _read(part(quota, "status", "used").get(resource, "0"))
        if kind is None or hard is None or used is None:
            continue
        left = max(Decimal(0), hard - used)
        said.append(f"{kind.shown(left)} of {kind.shown(hard)} {kind.called}")
        line = _too_little(resource, kind, left, wanted, filled)
        if line is not None:
            short.append(line)
    scope = " (of some pods only)" if some else ""
    lines = [
        ok(
            "quota",
            f"{name}{scope}: left are {', '.join(said)}" if said else f"{name}{scope}: nothing that a job needs",
        )
    ]
    return lines + ([Line(DEGRADED, each.check, each.text, each.hint) for each in short] if some else short)


def _too_little(resource: str, kind: _Kind, left: Decimal, wanted: Quantities, filled: frozenset[str]) -> Line | None:
    need = wanted.get(resource)
    if resource in ("limits.cpu", "limits.memory") and need is None and resource not in filled:
        option = resource.partition(".")[2]
        what = f"The quota counts {resource}, and a job has none by itself: the cluster refuses it."
        fix = (
            "--memory 2Gi   (%kube config memory=2Gi for all)"
            if option == "memory"
            else f"{ASK} for a LimitRange with a default limit of cpu"
        )
        return broken("quota", what, fix)
    if need is not None and need > left:
        missing = f"A job asks for {kind.shown(need)} {kind.called}, and {kind.shown(left)} are left: it cannot start."
        return Line(BROKEN, "quota", missing, FREE)
    if not left and kind.lost:
        return degraded("quota", f"No {kind.called} are left: {kind.lost}.", FREE)
    return None


def limits(found: Sequence[Mapping[str, Any]], job: Mapping[str, Any]) -> list[Line]:
    """What LimitRanges make of a default job."""
    items = [(text(each, "metadata", "name"), item) for each in found for item in rows(each, "spec", "limits")]
    counting = [(name, item) for name, item in items if item.get("type") in ("Container", "Pod")]
    if not counting:
        return [ok("limits", "there are none")]
    wanted = asks(job)
    short = [line for name, item in counting for line in _limit(name, item, wanted)]
    return short or [
        ok("limits", f"a default job is within them ({', '.join(sorted({name for name, _ in counting}))})")
    ]


_OPTIONS = {"cpu": "--cpus", "memory": "--memory"}
_BOUNDS = {
    "min": "a pod has at least {}, and a job asks for less",
    "max": "a pod has at most {}, and a job asks for more",
    "default": "a pod gets a limit of {} where it has none, and a job asks for more",
}


def _limit(name: str, item: Mapping[str, Any], wanted: Quantities) -> list[Line]:
    lines: list[Line] = []
    for bound, said in _BOUNDS.items():
        for resource, quantity in part(item, bound).items():
            limit, need = _read(quantity), wanted.get(f"requests.{resource}")
            # What sets a limit of its own (--memory) needs no default.
            if limit is None or need is None or (bound == "default" and f"limits.{resource}" in wanted):
                continue
            if need < limit if bound == "min" else need > limit:
                what = f"{name}: {said.format(f'{quantity} of {resource}')}."
                option = _OPTIONS.get(resource, "--gpus")
                fix = f"{option} {quantity}   (%kube config {option[2:]}={quantity} for all)"
                lines.append(broken("limits", what, fix))
    for resource in part(item, "max"):
        if GPU.search(resource) and resource not in part(item, "default"):
            what = f"{name} has a `max` and no `default` for {resource}: every pod gets as many, asked for or not."
            lines.append(degraded("limits", what, f"{ASK} for `default: {{{resource}: 0}}` in that LimitRange"))
    return lines


def _defaults(limits: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The limits that a pod gets which says none, by the quota's names."""
    items = [item for each in limits for item in rows(each, "spec", "limits") if item.get("type") == "Container"]
    # A `max` is a default too.
    return frozenset(f"limits.{name}" for item in items for key in ("default", "max") for name in part(item, key))


def _read(quantity: Any) -> Decimal | None:
    try:
        return amount(str(quantity))
    except ValueError:
        return None
