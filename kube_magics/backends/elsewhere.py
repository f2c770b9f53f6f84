"""What the options of a cluster mean for a job on this machine: the same, something near, nothing, or an error."""

from __future__ import annotations

import os
from pathlib import Path

from kube_magics import errors
from kube_magics.spec.job import JobSpec

_WITHOUT_MEANING = (
    *("image", "image_pull_secret", "shm", "read_only_root", "run_as", "cache", "retries", "ttl", "gpu_resource"),
    *("queue", "priority", "node_selector", "toleration", "service_account", "labels", "annotations"),
)


def environment(spec: JobSpec) -> dict[str, str]:
    """Of a job here: the notebook's own, as it is now, with what `--env` sets."""
    return {**os.environ, **dict(spec.env)}


def check(spec: JobSpec) -> None:
    """Raises OptionError for what a job here cannot have."""
    # A default is the cluster's, as most are: here only what the line asks for is missed.
    for volume in spec.volume if "volume" in spec.given else ():
        if not Path(volume.path).is_dir():
            raise errors.OptionError(
                f"--volume {volume}: claims are a cluster's, and this machine has no folder {volume.path} instead.",
                hint=f"--backend kubernetes, or make the folder here: mkdir -p {volume.path}",
            )
    inherited = environment(spec)
    for secret in spec.secret if "secret" in spec.given else ():
        if secret.variable and secret.variable not in inherited:
            raise errors.OptionError(
                f"--secret {secret}: Secrets are a cluster's, and this notebook has no {secret.variable} instead.",
                hint=f'import os, getpass; os.environ["{secret.variable}"] = getpass.getpass()   '
                "(a job on this machine inherits it)",
            )


def remarks(spec: JobSpec) -> list[str]:
    """What the user should know of the options asked for, a sentence each."""
    found = []
    idle = [f"--{field.replace('_', '-')}" for field in _WITHOUT_MEANING if field in spec.given]
    if idle:
        verb = "has" if len(idle) == 1 else "have"
        found.append(
            f"on this machine {' and '.join(filter(None, [', '.join(idle[:-1]), idle[-1]]))} {verb} no meaning"
        )
    if spec.returns_files and (spec.workdir or not spec.files):
        found.append("on this machine the job works in a folder of yours: what --returns-files names is there already")
    if "secret" in spec.given:
        named = ", ".join(secret.variable or f"the keys of {secret.name}" for secret in spec.secret)
        found.append(f"on this machine --secret is the notebook's own environment: {named}")
    if "volume" in spec.given:
        paths = ", ".join(volume.path for volume in spec.volume)
        found.append(f"on this machine --volume is the folder that is here: {paths}")
    return found
