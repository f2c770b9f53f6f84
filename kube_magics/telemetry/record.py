"""The record of a job that rides in a notebook's metadata: what ran, on what, with which result; for programs. Pure.

Digests, versions and sizes only: what a secret or a path of this machine could stand in does not come into it.
"""

from __future__ import annotations

from typing import Any

from kube_magics.telemetry.card import Card
from kube_magics.telemetry.heard import MOST_RESULTS

VERSION = 1


def record(card: Card) -> dict[str, Any]:
    """As JSON; what is unknown is null."""
    made, heard = card.made, card.heard
    return {
        "version": VERSION,
        "job": card.name,
        "namespace": card.namespace,
        "status": card.phase,
        "kube_magics": made.version,
        "cell_sha256": made.cell_sha256,
        "bundle_sha256": made.bundle_sha256,
        "image": made.image,
        "image_digest": made.image_digest,
        "seeds": dict(made.seeds),
        "python": heard.python,
        "packages": dict(heard.versions),
        "gpus": card.gpus,
        "gpu_products": [device.name for device in card.usage.devices],
        "cpus": card.cpus,
        "memory": card.memory,
        "duration_s": card.duration_s,
        "peak_memory_bytes": card.peak_memory_bytes,
        "results": _results(card),
    }


def _results(card: Card) -> dict[str, dict[str, Any]]:
    """By name. Those of a job of this machine, which stay where they are, have no digest."""
    told = (card.end or {}).get("results")
    sent = [name for name in told if isinstance(name, str)] if isinstance(told, list) else []
    found = {name: {"sha256": None, "bytes": None} for name in sent[:MOST_RESULTS] if name != "@error"}
    return found | {each.name: {"sha256": each.sha256, "bytes": each.size_bytes} for each in card.heard.results}
