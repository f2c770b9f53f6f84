"""A namespace as an administrator sets one up for a kube_magics user: role, account, binding, kubeconfig."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import kubeconfigs
from .kubectl import Kubectl
from .paths import CHECKOUT

ACCOUNT = "kube-magics-user"
_ROLE = CHECKOUT / "hub-config" / "rbac" / "user-role.yaml"


@dataclass(frozen=True)
class Namespace:
    name: str
    """For example ``test-3f2a9c``."""
    kubeconfig: Path
    """Its user's: this is the namespace it starts in, and the only one in which it may do anything."""
    context: str
    """The kubeconfig's one context."""
    kubectl: Kubectl
    """As that user."""
    admin: Kubectl
    """As administrator, ``--namespace`` still to be said."""


def create(admin: Kubectl, folder: Path, name: str | None = None, pod_security: str = "restricted") -> Namespace:
    """A new namespace; ``pod_security`` is the level that is enforced. ``delete`` undoes it."""
    name = name or f"test-{secrets.token_hex(3)}"
    admin.apply(*manifests(name, pod_security))
    token = admin("create", "token", ACCOUNT, f"--namespace={name}", "--duration=168h").stdout.strip()
    content = kubeconfigs.with_token(yaml.safe_load(admin.kubeconfig.read_text()), ACCOUNT, token, name)
    kubeconfig = kubeconfigs.write(folder / f"{name}.yaml", content)
    return Namespace(name, kubeconfig, content["current-context"], Kubectl(admin.program, kubeconfig), admin)


def delete(namespace: Namespace) -> None:
    """Returns at once: the cluster goes on deleting."""
    here = f"--namespace={namespace.name}"
    # Its pods' GPUs are wanted by the next test: no 30 s grace. Jobs first, else they make new pods.
    namespace.admin("delete", "jobs,pods", "--all", here, "--grace-period=1", "--wait=false", check=False)
    namespace.admin("delete", "namespace", namespace.name, "--wait=false", check=False)
    namespace.kubeconfig.unlink(missing_ok=True)


def manifests(name: str, pod_security: str) -> list[dict[str, Any]]:
    role = yaml.safe_load(_ROLE.read_text())
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": pod_security}},
        },
        # The cluster makes it too, a moment later: a pod created before that would be refused.
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": name}},
        {**role, "metadata": {**role["metadata"], "namespace": name}},
        _binding(name, role),
    ]


def _binding(name: str, role: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": ACCOUNT, "namespace": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": name}],
    }
