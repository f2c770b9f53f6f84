"""A job in plain words, for who knows Python and not Kubernetes: what it runs, asks for, gets, sends back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kube_magics.spec import names
from kube_magics.spec.credentials import LEFT_OUT, kind, masked_arguments, named
from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry.objects import GPU, part, rows, text
from kube_magics.telemetry.snapshot import Snapshot

Facts = dict[str, str]
_OURS = (
    *("HOME", "TMPDIR", "USER", "LOGNAME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "HF_HOME"),
    "TORCHINDUCTOR_CACHE_DIR",
)
"""Variables that every job of ours gets."""
LONGEST = 300
"""Characters of a command."""


def facts_of(job: Mapping[str, Any], state: Snapshot) -> Facts:
    """What a Job was made with, by what it is called; empty values are left out."""
    spec = part(job, "spec")
    pod = part(spec, "template", "spec")
    containers = rows(pod, "containers")
    several = len(containers) > 1
    found: Facts = {}
    for container in containers:
        of = f" ({text(container, 'name')})" if several else ""
        found[f"image{of}"] = text(container, "image")
        found[f"runs{of}"] = "the cell, or script, by kube_magics" if state.ours else _command(container)
        found[f"asks for{of}"] = _resources(container)
        found[f"variables{of}"] = _variables(container, ours=state.submission_id is not None)
        found[f"secrets{of}"] = _secrets(container)
        found[f"mounts{of}"] = _mounts(container, pod)
    found["pods"] = _amount(spec)
    found["place"] = _place(pod)
    found["limits"] = _limits(spec, pod)
    found["labels"] = _labels(part(job, "metadata", "labels"))
    return {name: value for name, value in found.items() if value}


def _command(container: Mapping[str, Any]) -> str:
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    if not words:
        return "the image's own program"
    return " ".join(masked_arguments(words)[0])[:LONGEST]


def _resources(container: Mapping[str, Any]) -> str:
    asked = part(container, "resources", "requests")
    limits = part(container, "resources", "limits")
    found = [f"{count} GPUs ({name})" for name, count in {**asked, **limits}.items() if GPU.search(name)]
    for name, what in (("cpu", "CPU"), ("memory", "memory")):
        if name in asked or name in limits:
            limit = f", at most {limits[name]}" if name in limits and limits.get(name) != asked.get(name) else ""
            most = " (and no more)" if name in limits and limits.get(name) == asked.get(name) else limit
            found.append(f"{asked.get(name, limits.get(name))} {what}{most}")
    return "; ".join(found)


def _variables(container: Mapping[str, Any], *, ours: bool) -> str:
    found = []
    for each in rows(container, "env"):
        name = text(each, "name")
        if "value" not in each or name.startswith("KUBE_MAGICS_") or (ours and name in _OURS):
            continue
        value = text(each, "value")
        found.append(f"{name}={LEFT_OUT if named(name) or kind(value) else value}")
    return ", ".join(found)


def _secrets(container: Mapping[str, Any]) -> str:
    found = [f"{name} (all of it)" for each in rows(container, "envFrom") if (name := text(each, "secretRef", "name"))]
    for each in rows(container, "env"):
        reference = part(each, "valueFrom", "secretKeyRef")
        if reference:
            found.append(f"{text(reference, 'name')}, key {text(reference, 'key')}, as {text(each, 'name')}")
    return "; ".join(found)


def _mounts(container: Mapping[str, Any], pod: Mapping[str, Any]) -> str:
    volumes = {text(each, "name"): each for each in rows(pod, "volumes")}
    found = []
    for mount in rows(container, "volumeMounts"):
        volume = volumes.get(text(mount, "name"), {})
        claim = text(volume, "persistentVolumeClaim", "claimName")
        what = f"claim {claim}" if claim else next((key for key in volume if key != "name"), "a volume")
        only = ", read-only" if mount.get("readOnly") else ""
        found.append(f"{what} at {text(mount, 'mountPath')}{only}")
    return "; ".join(found)


def _amount(spec: Mapping[str, Any]) -> str:
    completions, parallel = spec.get("completions"), spec.get("parallelism")
    found = []
    if isinstance(completions, int) and completions != 1:
        found.append(f"{completions} in all")
    if isinstance(parallel, int) and parallel not in (1, completions):
        found.append(f"{parallel} at a time")
    tries = spec.get("backoffLimit")
    if isinstance(tries, int) and tries:
        found.append(f"tried again up to {tries} times")
    return "; ".join(found)


def _place(pod: Mapping[str, Any]) -> str:
    labels = [f"{key}={value}" for key, value in part(pod, "nodeSelector").items()]
    found = [f"nodes with {', '.join(labels)}"] if labels else []
    tolerated = [text(each, "key") for each in rows(pod, "tolerations") if text(each, "key")]
    found += [f"also nodes with the taint {', '.join(tolerated)}"] if tolerated else []
    found += [f"priority {name}"] if (name := text(pod, "priorityClassName")) else []
    found += [f"account {name}"] if (name := text(pod, "serviceAccountName")) not in ("", "default") else []
    return "; ".join(found)


def _limits(spec: Mapping[str, Any], pod: Mapping[str, Any]) -> str:
    found = []
    for where, what in ((pod, "on its node"), (spec, "in all, waiting included")):
        if isinstance(limit := where.get("activeDeadlineSeconds"), int):
            found.append(f"ends after {human_seconds(limit)} {what}")
    if isinstance(grace := pod.get("terminationGracePeriodSeconds"), int):
        found.append(f"{human_seconds(grace)} to end when it is told to")
    if isinstance(kept := spec.get("ttlSecondsAfterFinished"), int):
        found.append(f"removed {human_seconds(kept)} after its end")
    return "; ".join(found)


def _labels(labels: Mapping[str, Any]) -> str:
    own = {key: value for key, value in labels.items() if not key.startswith((names.PREFIX, "batch.kubernetes.io/"))}
    skipped = ("controller-uid", "job-name", "app.kubernetes.io/managed-by")
    return ", ".join(f"{key}={value}" for key, value in own.items() if key not in skipped)


def containers_of(pods: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A dict a container of each pod: how it is, or how it ended; unknown is None."""
    found: list[dict[str, Any]] = []
    for pod in pods:
        statuses = rows(pod, "status", "initContainerStatuses") + rows(pod, "status", "containerStatuses")
        for status in statuses or [{}]:
            state, ended = part(status, "state"), part(status, "state", "terminated")
            waits = part(state, "waiting")
            phase = text(pod, "status", "phase").lower() or None
            found.append(
                {
                    "pod": text(pod, "metadata", "name"),
                    "container": text(status, "name") or None,
                    "status": _state(state) or phase,
                    "reason": text(ended, "reason") or text(waits, "reason") or None,
                    "node": text(pod, "spec", "nodeName") or None,
                    "started_at": text(state, "running", "startedAt") or text(ended, "startedAt") or None,
                    "finished_at": text(ended, "finishedAt") or None,
                    "exit_code": ended.get("exitCode"),
                    "restarts": status.get("restartCount"),
                }
            )
    return found


def _state(state: Mapping[str, Any]) -> str:
    """Of a container; empty: it has none yet."""
    words = {"running": "running", "terminated": "ended", "waiting": "waiting"}
    return next((word for key, word in words.items() if key in state), "")
