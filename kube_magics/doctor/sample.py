"""Jobs of the doctor's own: the one that a cell would be by default, and a short one that only says its Python."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kube_magics.spec import names
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.version import VERSION

SAYS = "import platform; open('/dev/termination-log', 'w').write(platform.python_version())"
LONGEST_S = 180
"""The cluster itself ends such a job, and removes it soon after, where nobody is left to do so."""
SOON_S = 60
_BUNDLE = b"doctor"


def submission(spec: JobSpec) -> Submission:
    """What a cell with these options would be; its bundle is none, and nothing would run it."""
    return Submission(
        spec=spec,
        name=names.fresh_name("doctor"),
        submission_id=str(uuid.uuid4()),
        bundle=_BUNDLE,
        bundle_sha256=hashlib.sha256(_BUNDLE).hexdigest(),
        cell_digest="",
        label="%kube doctor",
        version=VERSION,
    )


def small(spec: JobSpec) -> JobSpec:
    """The same image as the same user on the same nodes, without what is no business of an image's pull."""
    least = replace(spec, gpus=0, cpus="50m", memory="128Mi", shm=None, timeout=None, retries=0)
    return replace(least, volume=(), cache=None, secret=(), env=(), log_to=None)


def short(job: Mapping[str, Any], python: str | None) -> dict[str, Any]:
    """The Job as one that says which Python its image has, and ends."""
    spec, template = job["spec"], job["spec"]["template"]
    (container,) = template["spec"]["containers"]
    program = {**container, "command": [python or "python3", "-IS", "-c", SAYS]}
    kept = {key: value for key, value in template["spec"].items() if key != "volumes"}
    pod = {**kept, "terminationGracePeriodSeconds": 1, "containers": [_without(program, "volumeMounts", "env")]}
    limits = {"activeDeadlineSeconds": LONGEST_S, "ttlSecondsAfterFinished": SOON_S}
    return {**job, "spec": {**spec, **limits, "template": {**template, "spec": pod}}}


def _without(found: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in keys}


def in_words(job: Mapping[str, Any]) -> str:
    """What its container asks for: `500m cpu, 1Gi memory`."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return ", ".join(f"{quantity} {name}" for name, quantity in container["resources"]["requests"].items())
