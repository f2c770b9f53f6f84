"""A container that cannot be made or started: no such program, no such Secret, no such image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kube_magics.telemetry.causes.absent import absent
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.objects import rows, text

IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
START_REASONS = ("CreateContainerError", "CreateContainerConfigError", "RunContainerError", "StartError")
NEVER_STARTED = ("StartError", "ContainerCannotRun")
"""A container that ended for these never ran; its `startedAt` is 1970."""
_NO_PROGRAM = re.compile(
    r"executable file not found|exec: .*(?:no such file|permission denied)", re.IGNORECASE | re.DOTALL
)
_PASSES = re.compile(
    r"failed to sync|timed? ?out|deadline exceeded|connection re(?:fused|set)|try again|unavailable|is reserved for",
    re.IGNORECASE,
)
"""What a busy node says of a container that it will start in a moment."""
_ABSENT = re.compile(
    r"not found|does not exist|manifest unknown|no such host|NAME_UNKNOWN|denied|unauthorized", re.IGNORECASE
)


NO_PYTHON = "The image has no such Python interpreter."
WRONG_PROCESSOR = "The image is built for other processors than its node's."
OTHER_PROCESSOR = "--image for the node's processors, or --node-selector kubernetes.io/arch=arm64 (or amd64)"
_OTHER_PROCESSOR = re.compile(r"exec format error", re.IGNORECASE)
_NO_PLATFORM = re.compile(r"no match for platform|no matching manifest for", re.IGNORECASE)
_REFUSES = re.compile(
    r"\b40[13]\b|unauthorized|denied|forbidden|authentication required|authorization failed|failed to authorize",
    re.IGNORECASE,
)
"""Registries answer so too of an image that they do not have, to who has not logged in."""
_NOT_THERE = re.compile(r": not found|manifest unknown|NAME_UNKNOWN|does not exist", re.IGNORECASE)
_ADMINISTRATOR = "or ask your administrator to let the nodes reach it"
_UNREACHED = (
    (re.compile(r"no such host|server misbehaving", re.IGNORECASE), "its registry has no such address", ""),
    (
        re.compile(r"connection refused|i/o timeout|no route to host|network is unreachable", re.IGNORECASE),
        "its registry does not answer its node",
        _ADMINISTRATOR,
    ),
    (
        re.compile(r"server gave HTTP response to HTTPS client|first record does not look like a TLS"),
        "its registry does not speak HTTPS, without which its node trusts none",
        _ADMINISTRATOR,
    ),
    (re.compile(r"x509: "), "its node does not trust the certificate of its registry", _ADMINISTRATOR),
)
"""What Go's net, net/http and crypto/tls say of a server; what that means, and what else to type."""


def unpullable(pod: Mapping[str, Any], status: Mapping[str, Any], reason: str, said: str | None) -> Cause:
    """The container's image is not on the node, and cannot be fetched."""
    name = text(status, "name")
    # The status of a container that ran before names the image by another of its names.
    asked = [text(c, "image") for c in rows(pod, "spec", "containers") if text(c, "name") == name]
    image = next(filter(None, [*asked, text(status, "image")]), "of the job")
    # One failed pull can be a hiccup; a back-off means that the kubelet has tried again.
    hopeless = reason in ("InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff")
    hopeless = hopeless or bool(_ABSENT.search(said or ""))
    why, fix = _pull(said or "", [text(secret, "name") for secret in rows(pod, "spec", "imagePullSecrets")])
    return Cause("image", f"The image {image} cannot be pulled ({reason}){why}.", said, fix, hopeless)


def _pull(said: str, secrets: list[str]) -> tuple[str, str]:
    """What the registry says of it, as the end of a sentence, and what to type."""
    fix = "correct --image (or KUBE_MAGICS_IMAGE): it must be an image that the cluster's nodes can pull"
    given = f"--image-pull-secret: is {', '.join(secrets)} in the namespace, and good for it?"
    if _NO_PLATFORM.search(said):
        return ": it is not made for its node's processors", OTHER_PROCESSOR
    or_secret = f"{fix}; or {given}" if secrets else fix
    for words, why, ask in _UNREACHED:
        if words.search(said):
            return f": {why}", f"{or_secret}; {ask}" if ask else or_secret
    if _REFUSES.search(said):
        why = ": its registry refuses it to who asks so, or has none of that name"
        return why, given if secrets else f"--image-pull-secret SECRET (one that may read it), or {fix}"
    if _NOT_THERE.search(said):
        return ": its registry has no such image or tag", or_secret
    return "", or_secret


def not_started(reason: str, said: str | None) -> Cause:
    """Its image is there, and it is not started."""
    if said and _NO_PROGRAM.search(said):
        fix = "--python PATH as it is in the image, or --image with a Python"
        return Cause("start", NO_PYTHON, said, fix, hopeless=True)
    if said and "runAsNonRoot" in said:
        what = "The image insists on root, the job may not be root."
        fix = "--run-as 1000, or another --image   (--run-as 0, where the namespace allows root)"
        return Cause("start", what, said, fix, hopeless=True)
    if (part := absent(said)) is not None:
        fix = "correct --secret SECRET:KEY=VARIABLE (or --secret SECRET, for all keys)"
        if not part.is_secret:
            fix = "make it, or correct the variable that names it in the job's YAML (%kube yaml NAME)"
        return Cause("start", part.sentence, said, fix, hopeless=True)
    if said and _OTHER_PROCESSOR.search(said):
        return Cause("start", WRONG_PROCESSOR, said, OTHER_PROCESSOR, hopeless=True)
    if said and _PASSES.search(said):
        fix = "the node goes on trying; %kube delete NAME, to give it up"
        return Cause("start", f"The node could not start the container yet ({reason}).", said, fix)
    return Cause(
        "start", f"The container cannot be started ({reason}).", said, "correct --image or --python", hopeless=True
    )
