"""Can the claims of `--volume` and `--cache` be mounted? Asked before the Job is made, as far as rights show it.

What a scheduler can still bring about (a volume that is made for the first pod, one that is being made) is no reason to
refuse.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from typing import Any

from kube_magics import errors
from kube_magics.backends import happened
from kube_magics.cluster.client import Client
from kube_magics.cluster.watch import listed
from kube_magics.spec import names
from kube_magics.spec.job import JobSpec
from kube_magics.telemetry.objects import part, rows, text

ONE_POD = "ReadWriteOncePod"


async def check(client: Client, namespace: str, spec: JobSpec) -> None:
    """Raises NotFound or SubmitError for the first claim that cannot be mounted."""
    wanted = {volume.claim: ("--volume", f":{volume.path}") for volume in spec.volume}
    if spec.cache:
        wanted.setdefault(spec.cache, ("--cache", ""))
    await asyncio.gather(*(_check(client, namespace, claim, *typed) for claim, typed in wanted.items()))


async def _check(client: Client, namespace: str, claim: str, option: str, path: str) -> None:
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    try:
        found = await client.get(f"{claims}/{claim}")
    except errors.Forbidden:
        return
    except errors.NotFound as absent:
        raise await _absent(client, claims, f"{option} {claim}{path}", absent) from absent
    said = _unusable(found)
    if said is None and text(found, "status", "phase") == "Pending":
        said = await _unbound(client, namespace, found)
    if said is None and ONE_POD in (part(found, "spec").get("accessModes") or ()):
        said = await _in_use(client, namespace, claim)
    if said is not None:
        sentence, words, fix = said
        raise errors.SubmitError(f"{option} {claim}{path}: {sentence}", said=words, hint=fix)


async def _absent(client: Client, claims: str, typed: str, absent: errors.NotFound) -> errors.NotFound:
    """Which claims there are instead."""
    option, _, rest = typed.partition(" ")
    claim, colon, path = rest.partition(":")
    try:
        there = sorted(text(found, "metadata", "name") for found in (await client.get(claims))["items"])
    except errors.Forbidden:
        there = []
    listed = f"there are {', '.join(there)}" if there else "there is none that you can see"
    near = difflib.get_close_matches(claim, there, 1, 0.5) or (there if len(there) == 1 else [])
    fix = (
        f"{option} {near[0]}{colon}{path}"
        if near
        else "ask your administrator for a PersistentVolumeClaim, or name one that is there"
    )
    return errors.NotFound(
        f"{typed}: there is no claim {claim} in this namespace; {listed}.", said=absent.said, hint=fix
    )


Problem = tuple[str, str | None, str]
"""A sentence, the cluster's words, what to type."""


def _unusable(claim: Mapping[str, Any]) -> Problem | None:
    if part(claim, "metadata").get("deletionTimestamp"):
        return "the claim is being deleted.", None, "another claim"
    if text(claim, "status", "phase") == "Lost":
        return "the claim has lost its volume.", None, "ask your administrator, or name another claim"
    return None


async def _unbound(client: Client, namespace: str, claim: Mapping[str, Any]) -> Problem | None:
    """Why a claim without a volume will not get one; None: it may."""
    uid = text(claim, "metadata", "uid")
    events = await happened.to_if_seen(client, namespace, "PersistentVolumeClaim", uid)
    said = {text(event, "reason"): text(event, "message") for event in events or ()}
    ask = "ask your administrator for storage behind this claim, or name another claim"
    if "WaitForFirstConsumer" in said:
        return None
    if "FailedBinding" in said:
        return "nothing provides storage for the claim.", said["FailedBinding"], ask
    if not text(claim, "spec", "storageClassName") and not text(claim, "spec", "volumeName"):
        return "the claim has no volume, and no storage class that would make one.", None, ask
    return None


async def _in_use(client: Client, namespace: str, claim: str) -> Problem | None:
    """Who has a claim that one pod may have at a time."""
    try:
        found, _version = await listed(client, f"/api/v1/namespaces/{namespace}/pods", {})
    except errors.Forbidden:
        return None
    for pod in found.items:
        mounted = [text(volume, "persistentVolumeClaim", "claimName") for volume in rows(pod, "spec", "volumes")]
        if claim in mounted and text(pod, "status", "phase") not in ("Succeeded", "Failed"):
            job = text(pod, "metadata", "labels", names.LABEL_JOB) or text(pod, "metadata", "labels", "job-name")
            fix = f"wait until job {job} has ended, or %kube stop {job}" if job else "wait until that pod has ended"
            return f"one pod at a time may mount it ({ONE_POD}), and {text(pod, 'metadata', 'name')} does.", None, fix
    return None
