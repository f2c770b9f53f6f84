"""From a Job that is in the cluster to one that can be created: without what the cluster has added. Pure.

What looks like a credential is left out where it is printed, and named: whoever prints a Job may show it to others.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from kube_magics import errors
from kube_magics.manifests import bundle
from kube_magics.spec import names
from kube_magics.spec.credentials import LEFT_OUT, kind, masked_arguments, named
from kube_magics.telemetry.objects import text

_KEPT = ("name", "namespace", "labels", "annotations")
_BY_THE_CONTROLLER = ("controller-uid", "job-name")
_CONTROLLERS = "batch.kubernetes.io/"
_BY_KUEUE = tuple(
    f"kueue.x-k8s.io/{name}" for name in ("workload", "podset", "tas", "cluster-queue-name", "local-queue-name")
)
"""On the template of a Job that it has let run; of another one it refuses to overwrite them.
https://kueue.sigs.k8s.io/docs/reference/labels-and-annotations/"""
_NOT_AGAIN = (
    "kubectl.kubernetes.io/last-applied-configuration",  # the whole once more, credentials and all
    "batch.kubernetes.io/job-tracking",
    names.ANNOTATION_FETCHED,
    names.ANNOTATION_STOPPED,
)


def creatable(found: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """`found`, fit for `kubectl create`; and what of it is left out because it looks like a credential."""
    body = _bare(found)
    return body, masked(body["spec"]["template"]["spec"]) if body.get("kind") == "Job" else []


def renamed(found: Sequence[Mapping[str, Any]], name: str, submission_id: str) -> list[dict[str, Any]]:
    """A Job and the ConfigMaps that carry its files as the same job of another name, credentials and all: not to be
    shown. Raises OptionError for one that cannot stand beside itself, NotFound where a part of its files is gone."""
    job, *maps = (_bare(each) for each in found)
    before = job["metadata"]["name"]
    if job["spec"].get("manualSelector"):
        what = f"Job {before} chooses its pods by labels of its own: another one would take them for its own."
        raise errors.OptionError(what, hint=f"%kube yaml {before}   (to be given other labels)")
    carriers = {old: bundle.map_name(name, submission_id, at) for at, old in enumerate(bundle.map_names(job))}
    if names.ANNOTATION_BUNDLE in job["metadata"].get("annotations", {}):
        if carriers.keys() != {each["metadata"]["name"] for each in maps}:
            raise errors.NotFound(f"The files of job {before} are no longer there.", hint="run its cell again")
        _carry(job, maps, carriers)
    job["metadata"]["name"] = name
    job["metadata"].setdefault("annotations", {})[names.ANNOTATION_SUBMISSION] = submission_id
    for meta in (job["metadata"], job["spec"]["template"].get("metadata") or {}, *(each["metadata"] for each in maps)):
        labels = meta.get("labels") or {}
        labels.pop(names.LABEL_KERNEL, None)  # the process that submitted the first one does not wait for this one
        if names.LABEL_JOB in labels:
            labels[names.LABEL_JOB] = name
    return [job, *maps]


def bundle_of(found: Sequence[Mapping[str, Any]]) -> bytes:
    """Of a Job and the ConfigMaps that carry its files; raises NotFound where it is not whole."""
    data = bundle.joined(found[0], found[1:])
    if data is None:
        what = f"The files of job {text(found[0], 'metadata', 'name')} are no longer there, or others."
        raise errors.NotFound(what, hint="run its cell again")
    return data


def rebundled(found: Sequence[Mapping[str, Any]], data: bytes, artifacts: str) -> list[dict[str, Any]]:
    """The same objects with a bundle of nearly the same size, and with another place in a store."""
    job, *maps = copy.deepcopy([dict(each) for each in found])
    bundle.exchange(job, maps, data)
    job["metadata"]["annotations"][names.ANNOTATION_ARTIFACTS] = artifacts
    return [job, *maps]


def _carry(job: dict[str, Any], maps: Sequence[dict[str, Any]], carriers: Mapping[str, str]) -> None:
    """Let `job` and its ConfigMaps know each other by other names."""
    for each in maps:
        each["metadata"]["name"] = carriers[each["metadata"]["name"]]
    for volume in job["spec"]["template"]["spec"].get("volumes") or ():
        if volume["name"] == bundle.VOLUME:
            for source in volume["projected"]["sources"]:
                if text(source, "configMap", "name"):
                    source["configMap"]["name"] = carriers[source["configMap"]["name"]]


def _bare(found: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = copy.deepcopy({key: value for key, value in found.items() if key != "status"})
    meta = {key: body["metadata"][key] for key in _KEPT if body["metadata"].get(key)}
    body = {
        **{key: body.pop(key) for key in ("apiVersion", "kind") if key in body},
        "metadata": meta,
        **{key: value for key, value in body.items() if key != "metadata"},
    }
    ours = {names.ANNOTATION_SUBMISSION, names.ANNOTATION_STOPPED} & set(meta.get("annotations", {}))
    _strip(meta)
    if body.get("kind") != "Job":
        return body
    spec = body["spec"]
    if not spec.get("manualSelector"):
        spec.pop("selector", None)
    if not spec.get("suspend") or ours:
        spec.pop("suspend", None)  # ours are suspended to keep them from starting, once: the next one shall
    template = spec["template"]
    _strip(template.get("metadata") or {})
    if template.get("metadata"):
        template["metadata"].pop("creationTimestamp", None)
    return body


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
            if key not in (*_BY_THE_CONTROLLER, *_BY_KUEUE, *_NOT_AGAIN) and not key.startswith(_CONTROLLERS)
        }
        meta.pop(field, None)
        if kept:
            meta[field] = kept
