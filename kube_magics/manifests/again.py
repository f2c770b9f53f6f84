"""From a Job that is in the cluster to one that can be created: without what the cluster has added. Pure.

What looks like a credential is left out, and named: whoever prints a Job may be showing it to others.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from kube_magics.spec import names
from kube_magics.spec.credentials import LEFT_OUT, kind, masked_arguments, named

_KEPT = ("name", "namespace", "labels", "annotations")
_BY_THE_CONTROLLER = ("controller-uid", "job-name")
_CONTROLLERS = "batch.kubernetes.io/"
_NOT_AGAIN = (
    "kubectl.kubernetes.io/last-applied-configuration",  # the whole once more, credentials and all
    "batch.kubernetes.io/job-tracking",
    names.ANNOTATION_FETCHED,
)


def creatable(found: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """`found`, fit for `kubectl create`; and what of it is left out because it looks like a credential."""
    body: dict[str, Any] = copy.deepcopy({key: value for key, value in found.items() if key != "status"})
    meta = {key: body["metadata"][key] for key in _KEPT if body["metadata"].get(key)}
    body = {
        **{key: body.pop(key) for key in ("apiVersion", "kind") if key in body},
        "metadata": meta,
        **{key: value for key, value in body.items() if key != "metadata"},
    }
    _strip(meta)
    if body.get("kind") != "Job":
        return body, []
    spec = body["spec"]
    if not spec.get("manualSelector"):
        spec.pop("selector", None)
    if not spec.get("suspend") or names.ANNOTATION_SUBMISSION in meta.get("annotations", {}):
        spec.pop("suspend", None)  # ours are suspended to keep them from starting, once: the next one shall
    template = spec["template"]
    _strip(template.get("metadata") or {})
    if template.get("metadata"):
        template["metadata"].pop("creationTimestamp", None)
    return body, masked(template["spec"])


def masked(pod: dict[str, Any]) -> list[str]:
    """Replaces what looks like a credential in a pod's spec; what that was, by its names."""
    found: list[str] = []
    for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        for variable in container.get("env") or ():
            name, value = str(variable.get("name")), variable.get("value")
            if value and name != "KUBE_MAGICS_BUNDLE" and (named(name) or kind(value)):
                variable["value"] = LEFT_OUT
                found.append(name)
        for field in ("command", "args"):
            words = container.get(field)
            if words:
                container[field], suspected = masked_arguments(words)
                found += suspected
    return found


def _strip(meta: dict[str, Any]) -> None:
    for field in ("labels", "annotations"):
        kept = {
            key: value
            for key, value in (meta.get(field) or {}).items()
            if key not in (*_BY_THE_CONTROLLER, *_NOT_AGAIN) and not key.startswith(_CONTROLLERS)
        }
        meta.pop(field, None)
        if kept:
            meta[field] = kept
