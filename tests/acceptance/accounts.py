"""Accounts of a namespace with rights of their own, and one kubeconfig with a context for each."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.acceptance.desk import ROLE, eventually
from tests.cluster.kubectl import Kubectl
from tests.cluster.paths import CHECKOUT

Rules = Sequence[Mapping[str, Any]]
ROLE_FILE = CHECKOUT / "hub-config" / "rbac" / "user-role.yaml"


def role_rules() -> list[dict[str, Any]]:
    """Of hub-config/rbac/user-role.yaml."""
    found: list[dict[str, Any]] = yaml.safe_load(ROLE_FILE.read_text("utf-8"))["rules"]
    return found


def rights(rules: Rules) -> list[tuple[str, str]]:
    """(verb, resource) of each."""
    return [(verb, resource) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]]


def without(rules: Rules, right: tuple[str, str]) -> list[dict[str, Any]]:
    """The same rules, but for one verb on one resource."""
    split = [{**rule, "resources": [one]} for rule in rules for one in rule["resources"]]
    left = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if (verb, rule["resources"][0]) != right]} for rule in split
    ]
    return [rule for rule in left if rule["verbs"]]


def context_of(right: tuple[str, str]) -> str:
    """The context of the account that lacks it: `no-get-pods-log`."""
    return f"no-{right[0]}-{right[1].replace('/', '-')}"


def make(admin: Kubectl, namespace: str, accounts: Mapping[str, Rules]) -> dict[str, str]:
    """Accounts of these names, each with its rules alone; their tokens."""
    admin.apply(*(each for name, rules in accounts.items() for each in _manifests(namespace, name, rules)))

    def tokens() -> dict[str, str]:
        found = admin.get("secrets", f"--namespace={namespace}", f"--selector={ROLE}")["items"]
        return {each["metadata"]["name"]: each["data"]["token"] for each in found if "token" in each.get("data", {})}

    made = eventually(lambda: len(tokens()) == len(accounts) and tokens(), "a token for each account")
    assert isinstance(made, dict)
    return {name: base64.b64decode(token).decode() for name, token in made.items()}


def add(kubeconfig: Path, original: Path, users: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to `kubeconfig` the cluster of `original`, by a context for each of these users, which bears its name."""
    content, direct = yaml.safe_load(kubeconfig.read_text()), yaml.safe_load(original.read_text())
    namespace = direct["contexts"][0]["context"]["namespace"]
    content["clusters"].append({"name": "direct", "cluster": direct["clusters"][0]["cluster"]})
    for name, user in users.items():
        content["users"].append({"name": name, "user": dict(user)})
        content["contexts"].append(
            {"name": name, "context": {"cluster": "direct", "user": name, "namespace": namespace}}
        )
    kubeconfig.write_text(yaml.safe_dump(content))


def _manifests(namespace: str, name: str, rules: Rules) -> list[dict[str, Any]]:
    meta = {"name": name, "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    token = {"annotations": {"kubernetes.io/service-account.name": name}, "labels": {ROLE: ""}}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**meta, **token},
            "type": "kubernetes.io/service-account-token",
        },
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": list(rules)},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    ]
