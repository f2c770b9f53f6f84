"""What a hub of hub-config/ takes for granted: a safe way to log in, storage, a network plugin that enforces policies,
nodes that come when they are asked for. What is not to be seen from here is said to be not known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kube_magics.doctor.judging.site import BATCH
from kube_magics.doctor.line import Line, degraded, ok
from kube_magics.telemetry.objects import part, rows, text

Objects = Sequence[Mapping[str, Any]]

CONFIG = "kube-magics-config"
"""The ConfigMap that a hub of hub-config/ mounts."""
ADDRESSES = ("OAUTH_CALLBACK_URL", "OAUTH2_AUTHORIZE_URL", "OAUTH2_TOKEN_URL", "OAUTH2_USERDATA_URL")
README = "hub-config/README.md"


def login(deployments: Objects) -> list[Line]:
    """As the environment of each hub says it."""
    hubs = [each for each in deployments if any(text(it, "configMap", "name") == CONFIG for it in _volumes(each))]
    return list(map(_login, hubs)) or [ok("login", "not known: no hub of hub-config/ runs here as a Deployment")]


def _login(hub: Mapping[str, Any]) -> Line:
    given = {text(each, "name"): each for container in _containers(hub) for each in rows(container, "env")}
    how = text(given["HUB_LOGIN"], "value") if "HUB_LOGIN" in given else "oidc"
    if how == "shared-password":
        what = f"Whoever knows the shared password of {_whole(hub)} can log in under any name: that is for trials."
        return degraded("login", what, f"HUB_LOGIN: oidc   ({README}, The hub)")
    if how != "oidc":
        return ok("login", f"not known: the Deployment {_whole(hub)} does not say it itself")
    said = {name: text(given.get(name), "value") for name in ADDRESSES}
    if bare := [name for name, value in said.items() if value and not value.lower().startswith("https://")]:
        what = f"{', '.join(bare)} of {_whole(hub)}: no https, so what logs people in can be read on the way."
        return degraded("login", what, f"https://…   ({README}, TLS)")
    if unsaid := [name for name, value in said.items() if not value]:
        return ok(
            "login", f"OpenID Connect; not known whether over https: {_whole(hub)} does not say {unsaid[0]} itself"
        )
    return ok("login", "OpenID Connect, over https")


_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def storage(classes: Objects) -> Line:
    """For homes, whose claims name no class."""
    defaults = [each for each in classes if text(each, "metadata", "annotations", _DEFAULT) == "true"]
    if defaults:
        # Of several the newest counts.
        newest = max(defaults, key=lambda each: text(each, "metadata", "creationTimestamp"))
        return ok("storage", f"homes are of the default class, {_name(newest)}")
    if not classes:
        what = "There is no StorageClass: claims of homes wait for volumes that nobody makes."
        return degraded("storage", what, f"a provisioner, or HUB_HOME_SIZE: none for a trial   ({README}, Storage)")
    name = _name(classes[0])
    what = "No StorageClass is the default: claims of homes wait, unless HUB_STORAGE_CLASS names one."
    return degraded("storage", what, f"kubectl annotate storageclass {name} {_DEFAULT}=true")


ENFORCING: Mapping[str, str] = {
    "calico-node": "Calico",
    "canal": "Canal",
    "cilium": "Cilium",
    "anetd": "GKE Dataplane V2",
    "antrea-agent": "Antrea",
    "kube-router": "kube-router",
    "ovnkube-node": "OVN-Kubernetes",
    "kube-ovn-cni": "Kube-OVN",
    "weave-net": "Weave Net",
    "azure-npm": "Azure Network Policy Manager",
    "kube-network-policies": "kube-network-policies",
}
"""What enforces NetworkPolicies, by the DaemonSet of its own manifests."""
_FLANNEL, _AWS, _AWS_ENFORCES = "kube-flannel", "aws-node", "--enable-network-policy=true"


def network(daemons: Objects) -> Line:
    """Whether NetworkPolicies hold: the API server accepts them in any case."""
    found = [(_enforcing(each), each) for each in daemons]
    enforcing = [(plugin, each) for plugin, each in found if plugin]
    for plugin, each in enforcing:
        status = part(each, "status")
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        if wanted != ready:
            what = f"{plugin} is ready on {ready} of {wanted} nodes: elsewhere NetworkPolicies need not hold."
            space = text(each, "metadata", "namespace")
            return degraded("network", what, f"kubectl -n {space} get pods -o wide | grep {_name(each)}")
    if enforcing:
        return ok("network", f"{enforcing[0][0]} is there, which enforces NetworkPolicies")
    fix = f"try it from a user's notebook   ({README}, Network)"
    names = set(map(_name, daemons))
    if _AWS in names or any(name.startswith(_FLANNEL) for name in names):
        plugin = "The AWS plugin, as it is set," if _AWS in names else "flannel"
        return degraded("network", f"{plugin} enforces no NetworkPolicy: users' pods reach each other.", fix)
    what = "Not known whether NetworkPolicies are enforced: no network plugin that is known to is to be seen."
    return degraded("network", what, fix)


def _enforcing(daemon: Mapping[str, Any]) -> str | None:
    name = _name(daemon)
    if name == _AWS and _AWS_ENFORCES in _words(daemon):
        return "The AWS plugin"
    return ENFORCING.get(name.removeprefix("rke2-"))


CUTOFF = -10
"""Of cluster-autoscaler, unless --expendable-pods-priority-cutoff says another: for pods of a lower priority it adds no
node, and it takes theirs away."""
_CUTOFF_OPTION = "--expendable-pods-priority-cutoff="


def autoscaler(deployments: Objects, status: Mapping[str, Any] | None, pools: Objects, classes: Objects) -> list[Line]:
    """`status`: cluster-autoscaler's ConfigMap, which a cloud's own writes too; `pools`: Karpenter's NodePools."""
    ours = [each for each in deployments if any("cluster-autoscaler" in it for it in (_name(each), *_images(each)))]
    words = [word for each in ours for word in _words(each)]
    lines = []
    if pools:
        lines.append(ok("autoscaler", f"Karpenter; {_gpus('NodePools', [_name(it) for it in pools if _of_gpus(it)])}"))
    if ours or status is not None:
        groups = [word.rpartition(":")[2] for word in words if word.startswith("--nodes=") and "gpu" in word.lower()]
        lines += _expendable(words, classes)
        lines.append(ok("autoscaler", f"cluster-autoscaler; {_gpus('node groups', groups)}"))
    return lines or [ok("autoscaler", "none is to be seen: jobs wait for the nodes that are there")]


def _expendable(words: Iterable[str], classes: Objects) -> list[Line]:
    said = [word.removeprefix(_CUTOFF_OPTION) for word in words if word.startswith(_CUTOFF_OPTION)]
    least = next((int(each) for each in said if each.lstrip("-").isdecimal()), CUTOFF)
    value = next((each.get("value") for each in classes if _name(each) == BATCH), None)
    if not isinstance(value, int) or value >= least:
        return []
    what = f"{BATCH} is {value}, and below {least} cluster-autoscaler adds no node for a job."
    # A class's value cannot be changed.
    return [degraded("autoscaler", what, "kubectl replace --force -f hub-config/manifests/priority-classes.yaml")]


def _gpus(what: str, names: Sequence[str]) -> str:
    return f"its {what} with GPUs: {', '.join(names)}" if names else f"not known whether one of its {what} has GPUs"


def _of_gpus(pool: Mapping[str, Any]) -> bool:
    """By a label, a requirement, a taint or a limit."""
    return "gpu" in json.dumps(part(pool, "spec"), default=str).lower()


def _containers(workload: Mapping[str, Any]) -> Objects:
    return rows(workload, "spec", "template", "spec", "containers")


def _volumes(workload: Mapping[str, Any]) -> Objects:
    return rows(workload, "spec", "template", "spec", "volumes")


def _images(workload: Mapping[str, Any]) -> list[str]:
    return [text(each, "image") for each in _containers(workload)]


def _words(workload: Mapping[str, Any]) -> list[str]:
    """Of all its containers' command lines."""
    lines = [each.get(key) for each in _containers(workload) for key in ("command", "args")]
    return [word for line in lines if isinstance(line, list) for word in line if isinstance(word, str)]


def _name(found: Mapping[str, Any]) -> str:
    return text(found, "metadata", "name")


def _whole(found: Mapping[str, Any]) -> str:
    return f"{text(found, 'metadata', 'namespace')}/{_name(found)}"
