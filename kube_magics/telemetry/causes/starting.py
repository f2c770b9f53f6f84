"""A container that cannot be made or started: no such program, no such Secret, no such image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.objects import rows, text

IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
START_REASONS = ("CreateContainerError", "CreateContainerConfigError", "RunContainerError", "StartError")
NEVER_STARTED = ("StartError", "ContainerCannotRun")
"""A container that ended for these never ran; its `startedAt` is 1970."""
_NO_PROGRAM = re.compile(
    r"executable file not found|exec: .*(?:no such file|permission denied)", re.IGNORECASE | re.DOTALL
)
_NO_SECRET = re.compile(
    r'secret "(?P<name>[^"]+)" not found|couldn\'t find key (?P<key>\S+) in Secret (?P<of>\S+)', re.IGNORECASE
)
_PASSES = re.compile(
    r"failed to sync|timed? ?out|deadline exceeded|connection re(?:fused|set)|try again|unavailable|is reserved for",
    re.IGNORECASE,
)
"""What a busy node says of a container that it will start in a moment."""
_ABSENT = re.compile(
    r"not found|does not exist|manifest unknown|no such host|NAME_UNKNOWN|denied|unauthorized", re.IGNORECASE
)


def unpullable(pod: Mapping[str, Any], status: Mapping[str, Any], reason: str, said: str | None) -> Cause:
    """The container's image is not on the node, and cannot be fetched."""
    name = text(status, "name")
    # The status of a container that ran before names the image by another of its names.
    asked = [text(c, "image") for c in rows(pod, "spec", "containers") if text(c, "name") == name]
    image = next(filter(None, [*asked, text(status, "image")]), "of the job")
    # One failed pull can be a hiccup; a back-off means that the kubelet has tried again.
    hopeless = reason in ("InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff")
    hopeless = hopeless or bool(_ABSENT.search(said or ""))
    fix = "correct --image (or KUBE_MAGICS_IMAGE): it must be an image that the cluster's nodes can pull"
    if secrets := [text(secret, "name") for secret in rows(pod, "spec", "imagePullSecrets")]:
        fix += f"; or --image-pull-secret: is {', '.join(secrets)} in the namespace, and good for it?"
    return Cause("image", f"The image {image} cannot be pulled ({reason}).", said, fix, hopeless)


def not_started(reason: str, said: str | None) -> Cause:
    """Its image is there, and it is not started."""
    if said and _NO_PROGRAM.search(said):
        fix = "--python PATH as it is in the image, or --image with a Python"
        return Cause("start", "The image has no such Python interpreter.", said, fix, hopeless=True)
    if said and "runAsNonRoot" in said:
        what = "The image insists on root, the job may not be root."
        fix = "--run-as 1000, or another --image   (--run-as 0, where the namespace allows root)"
        return Cause("start", what, said, fix, hopeless=True)
    absent = _NO_SECRET.search(said or "")
    if absent:
        name, key = absent["name"] or absent["of"].rpartition("/")[2], absent["key"]
        what = f"The Secret {name} has no key {key}." if key else f"There is no Secret {name} in the job's namespace."
        fix = "correct --secret SECRET:KEY=VARIABLE (or --secret SECRET, for all keys)"
        return Cause("start", what, said, fix, hopeless=True)
    if said and _PASSES.search(said):
        fix = "the node goes on trying; %kube delete NAME, to give it up"
        return Cause("start", f"The node could not start the container yet ({reason}).", said, fix)
    return Cause(
        "start", f"The container cannot be started ({reason}).", said, "correct --image or --python", hopeless=True
    )
