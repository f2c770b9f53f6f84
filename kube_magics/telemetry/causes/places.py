"""Nodes that a pod may not go to: labels that none has, taints, cordons, volumes that are elsewhere.

The words are those of the scheduler's plugins (pkg/scheduler/framework/plugins of Kubernetes 1.37, and those of before,
which named the taints in them).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.objects import part, rows, text

_ALONE = re.compile(r"^\d+/\d+ nodes are available: ")
_COUNTED = re.compile(r"(\d+) (.+)")
_PREEMPTION = re.compile(r"\.? preemption: .*", re.DOTALL)
_TAINT = re.compile(r"\{(?P<key>[^:}]+): ?(?P<value>[^}]*)\}")
_NOT_SATISFIED = re.compile(r"didn't satisfy plugin.*(?:VolumeBinding|NodeAffinity)")
"""Of nodes that were ruled out by their names, before they were looked at (pkg/scheduler/schedule_one.go)."""
_SICK = {
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "not ready",
    "node.kubernetes.io/network-unavailable": "not ready",
    "node.kubernetes.io/unschedulable": "cordoned",
    "node.kubernetes.io/memory-pressure": "short of memory",
    "node.kubernetes.io/disk-pressure": "short of disk",
    "node.kubernetes.io/pid-pressure": "short of processes",
}
"""Taints that no toleration should answer, and what each says of its node."""
_HEALS = "wait until a node is well again, or ask your administrator (%kube nodes shows them)"
_A_TAINT = "a taint that it does not tolerate"
MOST_NAMED = 3
_LABELS, _TAINTED, _CORDONED = "Pod's node affinity", "untolerated taint", "were unschedulable"

_Nodes = Sequence[Mapping[str, Any]]
_Pod = Mapping[str, Any]


def reasons(said: str) -> dict[str, int]:
    """Nodes by what the scheduler says against them."""
    said = _PREEMPTION.sub("", _ALONE.sub("", said)).rstrip(". ")
    found = (_COUNTED.fullmatch(each.strip()) for each in re.split(r", (?=\d+ )", said))
    return {each[2]: int(each[1]) for each in found if each}


def nowhere(pod: _Pod, nodes: _Nodes, said: str) -> Cause | None:
    """A pod that every node refuses for what it is, not for want of room; None: not in words that are known.

    `nodes`: all of the cluster, or none.
    """
    if "no nodes available to schedule pods" in said:
        fix = "wait, if this cluster makes nodes by itself, or ask your administrator"
        return Cause("unschedulable", "The cluster has no nodes at all.", said, fix)
    counted = _of_those_it_asks_for(pod, nodes, reasons(said))
    found = [(count, *known) for reason, count in counted.items() if (known := _known(pod, nodes, reason))]
    if not found or len(found) < len(counted):
        return None
    if len(found) == 1:
        (_, sentence, _, fix), *_ = found
        return Cause("unschedulable", sentence, said, fix)
    parts = "; ".join(f"{count} {what}" for count, _, what, _ in sorted(found, reverse=True))
    fixes = "\n".join(dict.fromkeys(fix for *_, fix in found))
    return Cause("unschedulable", f"No node takes it: {parts}.", said, fixes)


def _of_those_it_asks_for(pod: _Pod, nodes: _Nodes, counted: dict[str, int]) -> dict[str, int]:
    """Only what stands against the nodes with its labels, where there are such, and they may be seen: the scheduler
    counts all nodes, each by the first reason that it finds."""
    mine = _asked_for(pod, nodes)
    if not part(pod, "spec", "nodeSelector") or part(pod, "spec", "affinity") or not mine:
        return counted
    found: dict[str, int] = {}
    for node in mine:
        cordoned = part(node, "spec").get("unschedulable")
        reason = _CORDONED if cordoned else _TAINTED if _untolerated(pod, [node]) else ""
        found[reason] = found.get(reason, 0) + 1
    if "" not in found:
        return found
    others = {
        each: n for each, n in counted.items() if not any(words in each for words in (_CORDONED, _TAINTED, _LABELS))
    }
    return others or counted


def _asked_for(pod: _Pod, nodes: _Nodes) -> list[Mapping[str, Any]]:
    """Nodes with the labels of its selector."""
    wanted = part(pod, "spec", "nodeSelector").items()
    return [node for node in nodes if all(text(node, "metadata", "labels", key) == value for key, value in wanted)]


def _known(pod: _Pod, nodes: _Nodes, reason: str) -> tuple[str, str, str] | None:
    """The sentence where all nodes say so, the words where some do, what to type."""
    if _NOT_SATISFIED.search(reason):
        return _ELSEWHERE if "VolumeBinding" in reason else _selector(pod, nodes)
    if _LABELS in reason or "match node selector" in reason:
        return _selector(pod, nodes)
    if _TAINTED in reason or "taints that the pod didn't tolerate" in reason:
        return _taint(pod, nodes, reason)
    return next((meaning for words, meaning in _MEANINGS.items() if words in reason), None)


def _selector(pod: _Pod, nodes: _Nodes) -> tuple[str, str, str]:
    some = "without the labels that it asks for"
    wanted = part(pod, "spec", "nodeSelector")
    for key, value in wanted.items():
        there = sorted({text(node, "metadata", "labels", key) for node in nodes})
        if nodes and value not in there:
            has = [each for each in there if each][:MOST_NAMED]
            others = f"nodes here have {', '.join(has)}" if has else "none has that label at all"
            fix = f"--node-selector {key}={has[0]}" if has else "correct --node-selector"
            return f"No node has the label {key}={value}: {others}.", some, f"{fix}   (or leave it out)"
    if wanted and not part(pod, "spec", "affinity"):
        labels = ", ".join(f"{key}={value}" for key, value in wanted.items())
        return f"No node has the labels that it asks for ({labels}).", some, "correct --node-selector, or leave it out"
    return "No node fits its node affinity or selector.", some, "correct --node-selector, or the affinity in its YAML"


def _taint(pod: _Pod, nodes: _Nodes, reason: str) -> tuple[str, str, str]:
    named = [_typed(found["key"], found["value"].strip(), "") for found in _TAINT.finditer(reason)]
    named = named or _untolerated(pod, nodes)
    sick = sorted({_SICK[key] for each in named if (key := re.split("[=:]", each)[0]) in _SICK})
    healthy = [each for each in named if re.split("[=:]", each)[0] not in _SICK]
    if sick and not healthy:
        state = " or ".join(sick)
        return f"Every node that could run it is {state}.", f"are {state}", _HEALS
    if not healthy:
        ask = "ask your administrator which taint keeps jobs away: --toleration KEY=VALUE:EFFECT lets one in"
        return (
            "Every node that could run it has a taint that it does not tolerate.",
            "have a taint that it does not tolerate",
            ask,
        )
    named_here = f"{_A_TAINT} ({', '.join(healthy[:MOST_NAMED])})"
    fix = f"--toleration {healthy[0]}   (if such jobs may run there)"
    return f"Every node that could run it has {named_here}.", f"have {named_here}", fix


def _untolerated(pod: _Pod, nodes: _Nodes) -> list[str]:
    """Taints in its way, as --toleration takes them, of nodes that have the labels that it asks for."""
    tolerations = rows(pod, "spec", "tolerations")
    found: dict[str, None] = {}
    for node in _asked_for(pod, nodes):
        for taint in rows(node, "spec", "taints"):
            if text(taint, "effect") != "PreferNoSchedule" and not any(_tolerates(each, taint) for each in tolerations):
                found[_typed(text(taint, "key"), text(taint, "value"), text(taint, "effect"))] = None
    return list(found)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    key, effect = text(toleration, "key"), text(toleration, "effect")
    if (key and key != text(taint, "key")) or (effect and effect != text(taint, "effect")):
        return False
    return text(toleration, "operator") == "Exists" or text(toleration, "value") == text(taint, "value")


def _typed(key: str, value: str, effect: str) -> str:
    return f"{key}{f'={value}' if value else ''}{f':{effect}' if effect else ''}"


_FREE = "wait until other jobs have ended (%kube jobs)"
_RULE = "wait, or correct the rule in its YAML (%kube yaml NAME)"
_ELSEWHERE = (
    "The volume of its claim is on another node, or in another zone, than those that may run it.",
    "cannot reach the volume of its claim",
    "leave --node-selector out, or another claim with --volume",
)
_MEANINGS: Mapping[str, tuple[str, str, str]] = {
    _CORDONED: (
        "Every node that could run it is cordoned: nothing new may start there.",
        "are cordoned",
        "wait, or ask your administrator to uncordon one (%kube nodes shows them)",
    ),
    "volume node affinity conflict": _ELSEWHERE,
    "PersistentVolume's node affinity": _ELSEWHERE,
    "no available volume zone": _ELSEWHERE,
    "Too many pods": ("Every node has as many pods as it may have.", "have no room for another pod", _FREE),
    "free ports": ("A port that it wants is taken on every node.", "have another pod on its port", _FREE),
    "exceed max volume count": ("Every node has as many volumes as it may.", "have too many volumes", _FREE),
    "topology spread": ("Its spread over nodes or zones leaves no place.", "would break its spread", _RULE),
    "match pod affinity rules": ("No node has the pods that it wants beside it.", "lack the pods it wants", _RULE),
    "anti-affinity rules": ("Every node has pods that must not be beside it.", "have pods it avoids", _RULE),
    "requested node name": ("There is no node of the name that it asks for.", "have another name", _RULE),
    "cannot allocate all claims": ("No device is free for its resource claim.", "have no free device", _FREE),
}
"""By the scheduler's words: the sentence where all nodes say so, the words where some do, what to type."""
