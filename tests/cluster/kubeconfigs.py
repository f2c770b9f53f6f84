"""Kubeconfigs: files that stand on their own (certificates inside), each with one context of the same name."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from . import pki
from .paths import CONTEXT, KUBECONFIGS
from .settings import Settings

# File name -> the certificate it carries.
_COMPONENTS = {
    "admin": "admin",
    "controller-manager": "controller-manager",
    "scheduler": "scheduler",
    "kubelet": "kubelet",
    "kube-proxy": "kube-proxy",
}


def write_all(settings: Settings) -> None:
    cluster = {
        "server": settings.server,
        "certificate-authority-data": _data(pki.certificate_path("ca")),
    }
    for name, certificate in _COMPONENTS.items():
        user = {
            "client-certificate-data": _data(pki.certificate_path(certificate)),
            "client-key-data": _data(pki.key_path(certificate)),
        }
        write(path(name), kubeconfig(cluster, name, user, "default"))


def path(name: str) -> Path:
    return KUBECONFIGS / f"{name}.yaml"


def write(file: Path, content: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def kubeconfig(cluster: dict[str, Any], user_name: str, user: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": user_name, "user": user}],
        "contexts": [
            {"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user_name, "namespace": namespace}},
        ],
        "current-context": CONTEXT,
    }


def with_token(admin: dict[str, Any], user_name: str, token: str, namespace: str) -> dict[str, Any]:
    """The same cluster as in ``admin`` (any kubeconfig's content), as another user."""
    current = next(item for item in admin["contexts"] if item["name"] == admin["current-context"])
    name = current["context"]["cluster"]
    cluster = next(item["cluster"] for item in admin["clusters"] if item["name"] == name)
    content = kubeconfig(cluster, user_name, {"token": token}, namespace)
    # A test that knows the context's name must find it in both files.
    content["contexts"][0]["name"] = content["current-context"] = admin["current-context"]
    return content


def _data(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
