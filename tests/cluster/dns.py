"""CoreDNS as a Deployment, so that pods find each other by name."""

from __future__ import annotations

from typing import Any

import yaml

from .paths import DNS_IP, HERE


def manifests(image: str) -> list[dict[str, Any]]:
    """``coredns.yaml`` with this cluster's image and address."""
    found = list(yaml.safe_load_all((HERE / "coredns.yaml").read_text()))
    for manifest in found:
        if manifest["kind"] == "Deployment":
            manifest["spec"]["template"]["spec"]["containers"][0]["image"] = image
        if manifest["kind"] == "Service":
            manifest["spec"]["clusterIP"] = DNS_IP
    return found
