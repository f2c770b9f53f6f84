"""What a job's pod mounts: its bundle, shared memory, and the user's claims. Without a reason for one there is none."""

from __future__ import annotations

from typing import Any

from kube_magics.manifests.bundle import VOLUME
from kube_magics.spec.job import JobSpec
from kube_magics.spec.volumes import Volume

WORK_ROOT = "/tmp"  # noqa: S108 - the container's own folder, writable for any uid and not a volume (a volume costs 300 ms)
BUNDLE_MOUNT = "/kube-magics/bundle"
CACHE_MOUNT = "/kube-magics/cache"

Objects = list[dict[str, Any]]


def volumes(spec: JobSpec, bundle_maps: tuple[str, ...], shm: str | None) -> tuple[Objects, Objects]:
    """`volumes` of the pod and `volumeMounts` of its container; the arguments as in `pod.Placement`."""
    found: Objects = []
    mounts: Objects = []
    if bundle_maps:
        sources = [{"configMap": {"name": name}} for name in bundle_maps]
        found.append({"name": VOLUME, "projected": {"sources": sources}})
        mounts.append({"name": VOLUME, "mountPath": BUNDLE_MOUNT, "readOnly": True})
    if shm is not None:
        limit = {"sizeLimit": shm} if shm else {}
        found.append({"name": "shm", "emptyDir": {"medium": "Memory", **limit}})
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - the path that PyTorch uses
    if spec.read_only_root:
        found.append({"name": "tmp", "emptyDir": {}})
        mounts.append({"name": "tmp", "mountPath": WORK_ROOT})
    claims = _claims(spec)
    for number, (claim, wanted) in enumerate(claims.items()):
        name = f"claim-{number}"
        # Some drivers attach a volume that many may only read in no other way.
        mode = {"readOnly": True} if all(volume.read_only for volume in wanted) else {}
        found.append({"name": name, "persistentVolumeClaim": {"claimName": claim, **mode}})
        for volume in wanted:
            mounts.append({"name": name, "mountPath": volume.path, **({"readOnly": True} if volume.read_only else {})})
    return found, mounts


def _claims(spec: JobSpec) -> dict[str, list[Volume]]:
    """Where each claim is mounted: a pod may name a claim in one volume only, and mount that as often as it likes."""
    cache = (Volume(spec.cache, CACHE_MOUNT),) if spec.cache else ()
    found: dict[str, list[Volume]] = {}
    for volume in (*spec.volume, *cache):
        found.setdefault(volume.claim, []).append(volume)
    return found
