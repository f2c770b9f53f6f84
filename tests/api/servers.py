"""How the tests reach a server of their own: through a real kubeconfig file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from kube_magics.cluster import auth


def kubeconfig(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    """The content of a kubeconfig with one context, `lab`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "there", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "me", "user": user or {}}],
        "contexts": [{"name": "lab", "context": {"cluster": "there", "user": "me", "namespace": "team"}}],
        "current-context": "lab",
    }


def load(path: Path, context: str | None = None, namespace: str | None = None) -> auth.Access:
    return auth.load(auth.Source("kubeconfig", str(path), str(path)), context, namespace)


def access(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> auth.Access:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_text(yaml.safe_dump(kubeconfig(server, user, **cluster)))
        return load(path)
