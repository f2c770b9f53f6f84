"""Where a pod may run, as whom, and how urgent it is: what of its spec the scheduler and the kubelet's pulls read."""

from __future__ import annotations

from typing import Any

from kube_magics.spec import names
from kube_magics.spec.job import JobSpec
from kube_magics.spec.marks import Toleration


def of(spec: JobSpec) -> dict[str, Any]:
    """Fields of the pod's spec, in the order of YAML; absent means absent."""
    tolerations = [*_gpu_tolerations(spec), *map(_toleration, spec.toleration)]
    return {
        **({"serviceAccountName": spec.service_account} if spec.service_account else {}),
        **({"imagePullSecrets": [{"name": name} for name in spec.image_pull_secret]} if spec.image_pull_secret else {}),
        **({"priorityClassName": spec.priority} if spec.priority else {}),
        **({"nodeSelector": dict(spec.node_selector)} if spec.node_selector else {}),
        **({"tolerations": tolerations} if tolerations else {}),
    }


def queue(spec: JobSpec) -> dict[str, str]:
    """The label that hands a Job to Kueue."""
    return {names.LABEL_QUEUE: spec.queue} if spec.queue else {}


def _gpu_tolerations(spec: JobSpec) -> list[dict[str, Any]]:
    # Slices of a GPU have names of their own, and stand on nodes with their vendor's taint.
    keys = dict.fromkeys([f"{spec.gpu_resource.partition('/')[0]}/gpu", spec.gpu_resource])
    return [{"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in keys] if spec.gpus else []


def _toleration(wanted: Toleration) -> dict[str, Any]:
    value = {"operator": "Exists"} if wanted.value is None else {"operator": "Equal", "value": wanted.value}
    return {"key": wanted.key, **value, **({"effect": wanted.effect} if wanted.effect else {})}
