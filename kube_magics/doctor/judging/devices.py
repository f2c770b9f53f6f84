"""GPUs: what nodes offer, what stands on their labels, and what the two say of the device plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kube_magics.doctor.line import Line, degraded, ok
from kube_magics.telemetry.objects import gpus, part, text

CHECK = "GPUs"
PRODUCT = "nvidia.com/gpu.product"
PRESENT = (
    "nvidia.com/gpu.present",
    "feature.node.kubernetes.io/pci-10de.present",
    "feature.node.kubernetes.io/pci-0302_10de.present",
)
"""Labels of GPU feature discovery and node feature discovery: an NVIDIA device is in the machine."""


def nodes(found: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Of all nodes of the cluster."""
    lines = []
    offered = {text(node, "metadata", "name"): gpus(part(node, "status", "allocatable")) for node in found}
    built_in = {text(node, "metadata", "name"): gpus(part(node, "status", "capacity")) for node in found}
    products = sorted({product for node in found if (product := text(node, "metadata", "labels", PRODUCT))})
    total = sum(offered.values())
    if total:
        kinds = ", ".join(products) or "of unknown kind: GPU feature discovery has labelled no node"
        with_some = sum(map(bool, offered.values()))
        lines.append(
            ok(CHECK, f"{total} on {with_some} of {len(found)} nodes ({kinds}); %kube gpus shows what is free")
        )
    for node in found:
        name = text(node, "metadata", "name")
        if built_in[name] > offered[name]:
            what = f"{name} has {built_in[name]} GPUs and offers {offered[name]}: the others are held to be unfit."
            lines.append(degraded(CHECK, what, "tell your administrator"))
        elif not offered[name] and any(text(node, "metadata", "labels", label) == "true" for label in PRESENT):
            what = f"{name} has NVIDIA GPUs by its labels, and offers none: no device plugin runs there."
            lines.append(degraded(CHECK, what, "tell your administrator"))
    if not lines:
        what = f"None of {len(found)} nodes offers a GPU: a job with --gpus waits until one does."
        lines.append(degraded(CHECK, what, "leave --gpus out, or ask your administrator for the device plugin"))
    return lines


def hidden() -> Line:
    """Where nodes may not be listed, as to most users."""
    return ok(
        CHECK, "whether there are any is not shown to you (nodes may not be listed); %kube gpus: those of your jobs"
    )
