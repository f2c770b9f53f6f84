"""What an administrator sets up for a hub's users: rights, bounds, priorities, nodes, and each user's namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kube_magics.doctor.judging.admission import ENFORCE
from kube_magics.doctor.judging.devices import PRODUCT
from kube_magics.doctor.line import Line, broken, degraded, ok
from kube_magics.telemetry.objects import gpus, part, rows, text

Objects = Sequence[Mapping[str, Any]]

HUB = "kube-magics-hub"
USER = "kube-magics-user"
LABEL = "kube-magics.io/hub"
"""Of the namespaces that a hub of hub-config/ has made."""
SERVERS, BATCH = "kube-magics-server", "kube-magics-batch"
RIGHTS = "kubectl apply -k hub-config/rbac"
CLASSES = "kubectl apply -f hub-config/manifests/priority-classes.yaml"
LEVELS = ("restricted", "baseline")
_SHOWN = 3


def hub(roles: Objects, policies: Objects, bindings: Objects) -> list[Line]:
    """The hub's role, the users', and the policy that holds the hub to its users' namespaces."""
    names = set(map(_name, roles))
    if HUB not in names:
        return [degraded("hub", f"There is no ClusterRole {HUB}: no hub of hub-config/ is set up here.", RIGHTS)]
    lines = [ok("hub", "its rights are there, and its users'")]
    if USER not in names:
        lines = [broken("hub", f"There is no ClusterRole {USER}: no user's server may make jobs.", RIGHTS)]
    denies = any(text(each, "spec", "policyName") == HUB for each in bindings)
    if denies and HUB in set(map(_name, policies)):
        return [*lines, ok("hub bounds", "an admission policy holds the hub to its users' namespaces")]
    what = "Nothing holds the hub to its users' namespaces: whoever breaks into it is the cluster's administrator."
    return [*lines, broken("hub bounds", what, RIGHTS)]


def priorities(classes: Objects) -> Line:
    """Servers must outrank jobs, and jobs push nobody out."""
    found = {_name(each): each for each in classes}
    missing = [name for name in (SERVERS, BATCH) if name not in found]
    if missing:
        what = f"There is no priority class {' and none '.join(missing)}: pods that name it are refused."
        return degraded("priorities", what, CLASSES)
    servers, batch = found[SERVERS], found[BATCH]
    if int(servers.get("value", 0)) <= int(batch.get("value", 0)):
        return degraded("priorities", f"{SERVERS} does not outrank {BATCH}: a full cluster keeps no notebook.", CLASSES)
    if text(batch, "preemptionPolicy") != "Never":
        return degraded("priorities", f"A job of {BATCH} may push others out.", CLASSES)
    return ok("priorities", "servers outrank jobs, and jobs push nobody out")


def pool(nodes: Objects) -> list[Line]:
    """Nodes with GPUs: their kind is known, and what needs no GPU is kept away."""
    with_gpus = [each for each in nodes if gpus(part(each, "status", "allocatable"))]
    lines = []
    if unlabelled := _names(with_gpus, lambda node: not text(node, "metadata", "labels", PRODUCT)):
        what = f"The kind of GPU is not known of {_some(unlabelled)}: profiles and jobs cannot ask for one."
        lines.append(degraded("GPU nodes", what, f"install GPU feature discovery, which sets the label {PRODUCT}"))
    if unguarded := _names(with_gpus, lambda node: not rows(node, "spec", "taints")):
        what = f"Pods without GPUs may take the cores of {_some(unguarded)}."
        fix = f"kubectl taint node {unguarded[0]} nvidia.com/gpu=present:NoSchedule"
        lines.append(degraded("GPU nodes", what, fix))
    if with_gpus and not lines:
        lines.append(ok("GPU nodes", f"{len(with_gpus)}, with labels and taints"))
    return lines


def corners(namespaces: Objects, quotas: Objects, limits: Objects, policies: Objects) -> list[Line]:
    """Of the users' namespaces, and of every quota and LimitRange that does not do what it seems to."""
    users = [_name(each) for each in namespaces if LABEL in part(each, "metadata", "labels")]
    having = {
        "Pod Security": {_name(each) for each in namespaces if text(each, "metadata", "labels", ENFORCE) in LEVELS},
        "a quota on GPUs": {_space(each) for each in quotas if any(map(_counts, part(each, "spec", "hard")))},
        "a LimitRange": set(map(_space, limits)),
        "a NetworkPolicy": set(map(_space, policies)),
    }
    lines = _traps(quotas, limits)
    for what, spaces in having.items():
        if without := sorted(set(users) - spaces):
            fix = f"start that user's server again, which makes it, or: kubectl describe namespace {without[0]}"
            lines.append(degraded("namespaces", f"{_some(without)}: without {what}.", fix))
    if users and not lines:
        lines.append(ok("namespaces", f"{len(users)} of users, each with quota, limits, policies and Pod Security"))
    return lines


def _traps(quotas: Objects, limits: Objects) -> list[Line]:
    """Accepted by the API server, and without the effect that they seem to have."""
    lines = []
    ignored = [each for each in quotas if any(_ignored(key) for key in part(each, "spec", "hard"))]
    if spaces := sorted(set(map(_space, ignored))):
        what = f"A quota of {_some(spaces)} is on GPUs by a name that Kubernetes ignores."
        lines.append(degraded("quota", what, "requests.nvidia.com/gpu is the name that counts"))
    giving = [each for each in limits if any(map(_gives, rows(each, "spec", "limits")))]
    if spaces := sorted(set(map(_space, giving))):
        what = f"A LimitRange of {_some(spaces)} has a maximum of GPUs and no default: every pod is given that many."
        lines.append(degraded("limits", what, 'default: {nvidia.com/gpu: "0"}   (in that LimitRange)'))
    return lines


def _counts(key: str) -> bool:
    return key.startswith("requests.") and key.endswith("/gpu")


def _ignored(key: str) -> bool:
    return key.endswith("/gpu") and not key.startswith("requests.")


def _gives(limit: Mapping[str, Any]) -> bool:
    return any(key.endswith("/gpu") and key not in part(limit, "default") for key in part(limit, "max"))


def _names(found: Objects, fits: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    return sorted(_name(each) for each in found if fits(each))


def _name(found: Mapping[str, Any]) -> str:
    return text(found, "metadata", "name")


def _space(found: Mapping[str, Any]) -> str:
    return text(found, "metadata", "namespace")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
