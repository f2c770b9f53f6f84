"""How a bundle stands in the cluster: in the Job's own environment, or in ConfigMaps that the Job owns."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry.objects import rows, text

LITERAL_LIMIT_BYTES = 64 * 1024
"""Base64 of at most this travels as an environment value (Linux refuses one above 128 KiB): one POST, no volume."""
CONFIG_MAP_BYTES = 900 * 1024
"""Of the zip, per ConfigMap; the API server's own limit is 1 MiB of the whole object, and base64 is counted decoded."""
VOLUME = "bundle"
"""Of the pod, with all of them."""
TOTAL_LIMIT_BYTES = 4 * 1024 * 1024
"""Above this a bundle does not belong into the cluster's database."""


def literal(data: bytes) -> str | None:
    """The bundle as an environment value, or None when it is too large for one."""
    if len(data) > LITERAL_LIMIT_BYTES * 3 // 4:
        return None
    return base64.b64encode(data).decode("ascii")


def slices(data: bytes) -> list[bytes]:
    """The bundle cut into ConfigMap-sized pieces."""
    return [data[at : at + CONFIG_MAP_BYTES] for at in range(0, len(data), CONFIG_MAP_BYTES)]


def map_name(job: str, submission_id: str, index: int) -> str:
    """Name of the ConfigMap that holds slice `index`; no other job's, also of the same name.

    The cluster removes those of a deleted job a moment after it, and a pod that found them would mount them.
    """
    return f"{job}-{submission_id[:8]}-{index}"


def carried(job: Mapping[str, Any]) -> tuple[bytes | None, tuple[str, ...], str]:
    """Of a Job: the bundle that stands in it, or the names of the ConfigMaps that carry it, and its digest."""
    pod = job["spec"]["template"]["spec"]
    env = {each["name"]: each.get("value", "") for each in pod["containers"][0].get("env") or ()}
    inline, digest = env.get("KUBE_MAGICS_BUNDLE"), env.get("KUBE_MAGICS_BUNDLE_SHA256", "")
    if inline is not None:
        return base64.b64decode(inline), (), digest
    return None, map_names(job) if "KUBE_MAGICS_BUNDLE_PARTS" in env else (), digest


def map_names(job: Mapping[str, Any]) -> tuple[str, ...]:
    """The ConfigMaps that carry the bundle of a Job, whoever made it; empty: there are none."""
    for volume in rows(job, "spec", "template", "spec", "volumes"):
        if text(volume, "name") == VOLUME:
            named = [text(source, "configMap", "name") for source in rows(volume, "projected", "sources")]
            return tuple(filter(None, named))
    return ()


def part(config_map: Mapping[str, Any]) -> bytes:
    """The slice that a ConfigMap holds."""
    return b"".join(base64.b64decode(data) for data in (config_map.get("binaryData") or {}).values())


def joined(job: Mapping[str, Any], maps: Iterable[Mapping[str, Any]]) -> bytes | None:
    """The zip of a Job and the ConfigMaps that carry it; None where it is not the one whose digest the Job has."""
    inline, _, digest = carried(job)
    data = b"".join(map(part, maps)) if inline is None else inline
    return data if hashlib.sha256(data).hexdigest() == digest else None


def exchange(job: dict[str, Any], maps: Sequence[dict[str, Any]], data: bytes) -> None:
    """Let a Job and its ConfigMaps carry another zip, of nearly the same size."""
    digest, at = hashlib.sha256(data).hexdigest(), CONFIG_MAP_BYTES
    texts = {"KUBE_MAGICS_BUNDLE": base64.b64encode(data).decode("ascii"), "KUBE_MAGICS_BUNDLE_SHA256": digest}
    for variable in job["spec"]["template"]["spec"]["containers"][0]["env"]:
        if variable["name"] in texts:
            variable["value"] = texts[variable["name"]]
    job["metadata"]["annotations"][names.ANNOTATION_BUNDLE] = digest
    for number, each in enumerate(maps):
        # A few bytes more than fill the last one still fit: the API server takes more than we put into one.
        piece = data[number * at :] if each is maps[-1] else data[number * at : (number + 1) * at]
        each["binaryData"] = dict.fromkeys(each["binaryData"], base64.b64encode(piece).decode("ascii"))


def members(data: bytes) -> dict[str, bytes]:
    """What tells of the job in a bundle: spec.json and program.json."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in ("spec.json", "program.json")}


def config_map(job: dict[str, Any], name: str, data: bytes, labels: dict[str, str]) -> dict[str, Any]:
    """A slice of the bundle as `map_name` says, owned by the created `job`, so that deleting the Job deletes it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": labels,
            "ownerReferences": owners(job),
        },
        "immutable": True,
        "binaryData": {f"part-{int(name.rpartition('-')[2]):03d}": base64.b64encode(data).decode("ascii")},
    }


def owners(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of what goes with the created `job`."""
    meta = job["metadata"]
    return [{"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}]
