"""The hub's account as hub-config/rbac makes it, under names of this test run's own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from userspace.settings import NAMESPACE_TEMPLATE, Site, Team, User
from userspace.space import objects

from tests.cluster import Cluster, kubeconfigs
from tests.cluster.kubectl import Kubectl
from tests.cluster.paths import CHECKOUT

RBAC = CHECKOUT / "hub-config" / "rbac"


@dataclass(frozen=True)
class HubAccount:
    site: Site
    kubeconfig: Path
    """The hub's own."""
    kubectl: Kubectl
    """As the hub."""
    admin: Kubectl

    def user(self, name: str, *groups: str) -> User:
        """A user of this test run."""
        name = f"{name}-{self.site.hub_namespace}"
        return User(name, NAMESPACE_TEMPLATE.format(username=name), frozenset(groups))

    def of_team(self, team: Team) -> User:
        """Whose server it is."""
        return User(team.user, NAMESPACE_TEMPLATE.format(username=team.user), frozenset({team.group}))


@contextmanager
def hub_account(cluster: Cluster, folder: Path) -> Iterator[HubAccount]:
    """The account with its rights and bounds; all of it, and each namespace that it made, is gone afterwards."""
    space = f"hub-{secrets.token_hex(3)}"
    admin = cluster.kubectl
    names = own_names(space)
    manifests = f"{rendered(admin, space)}\n---\n{_classes(space)}"
    admin("create", "namespace", space)
    try:
        admin("apply", "--server-side", "--filename=-", input=manifests)
        token = admin("create", "token", "hub", f"--namespace={space}", "--duration=24h").stdout.strip()
        content = kubeconfigs.with_token(yaml.safe_load(admin.kubeconfig.read_text()), "hub", token, space)
        kubeconfig = kubeconfigs.write(folder / "hub.yaml", content)
        site = Site(
            hub_namespace=space,
            user_role=names["kube-magics-user"],
            server_priority=names["kube-magics-server"],
            job_priority=names["kube-magics-batch"],
        )
        yield HubAccount(site, kubeconfig, Kubectl(admin.program, kubeconfig), admin)
    finally:
        users = admin.get("namespaces", f"--selector=kube-magics.io/hub={space}")["items"]
        spaces = [each["metadata"]["name"] for each in users]
        for each in spaces:
            admin(
                "delete", "jobs,pods", "--all", f"--namespace={each}", "--grace-period=1", "--wait=false", check=False
            )
        admin("delete", "--filename=-", "--wait=false", "--ignore-not-found", input=manifests, check=False)
        admin("delete", "namespace", space, *spaces, "--wait=false", check=False)


def made_by(hub: HubAccount, user: User, times: int = 1) -> None:
    """What the hook does."""
    from kubernetes_asyncio import client, config
    from userspace import apply

    async def main() -> None:
        configuration = client.Configuration()
        await config.load_kube_config(str(hub.kubeconfig), client_configuration=configuration)
        async with client.ApiClient(configuration) as api:
            for _ in range(times):
                await apply.apply(api, objects(hub.site, user, await apply.found(api, hub.site)))

    asyncio.run(main())


def rendered(kubectl: Kubectl, space: str | None = None) -> str:
    """What `kubectl apply -k hub-config/rbac` applies; with `space`, for a hub of that namespace, beside others."""
    text = kubectl("kustomize", str(RBAC)).stdout
    if space is None:
        return text
    names = {"jupyterhub": space, "kube-magics-hub": space, **own_names(space)}
    for name, own in names.items():
        text = text.replace(name, own)
    return text


def own_names(space: str) -> dict[str, str]:
    """Of what has one name in a cluster, for this test run."""
    return {f"kube-magics-{each}": f"{each}-{space}" for each in ("user", "server", "batch")}


def _classes(space: str) -> str:
    """Its priority classes."""
    text = (RBAC.parent / "manifests" / "priority-classes.yaml").read_text()
    for name, own in own_names(space).items():
        text = text.replace(f"name: {name}", f"name: {own}")
    return text
