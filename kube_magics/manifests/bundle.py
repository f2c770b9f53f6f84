"""How a bundle stands in the cluster: in the Job's own environment, or in ConfigMaps that the Job owns."""

from __future__ import annotations

import base64
from typing import Any

LITERAL_LIMIT_BYTES = 64 * 1024
"""Base64 of at most this travels as an environment value (Linux refuses one above 128 KiB): one POST, no volume."""
CONFIG_MAP_BYTES = 900 * 1024
"""Of the zip, per ConfigMap; the API server's own limit is 1 MiB of the whole object, and base64 is counted decoded."""
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


def map_name(job: str, index: int) -> str:
    """Name of the ConfigMap that holds slice `index`."""
    return f"{job}-bundle-{index}"


def config_map(job: dict[str, Any], index: int, data: bytes, labels: dict[str, str]) -> dict[str, Any]:
    """Slice `index` of the bundle, owned by the created `job`, so that deleting the Job deletes it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": map_name(job["metadata"]["name"], index),
            "labels": labels,
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": job["metadata"]["name"],
                    "uid": job["metadata"]["uid"],
                }
            ],
        },
        "immutable": True,
        "binaryData": {f"part-{index:03d}": base64.b64encode(data).decode("ascii")},
    }
