"""A namespace's queue, where the site has Kueue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.desk import eventually
from tests.cluster import Cluster
from tests.hub_kubernetes.accounts import hub_account, made_by

pytest.importorskip("kubernetes_asyncio", reason="the hub's own packages are not installed")
# The others' cluster has no Kueue, and their jobs are told so.
pytestmark = [pytest.mark.cluster, pytest.mark.alone]

QUEUES = "localqueues.kueue.x-k8s.io"


@pytest.fixture
def queues(cluster: Cluster) -> Iterator[None]:
    """Kueue's kind of object, without a Kueue: what is tried is that the hub may make one, and makes it right."""
    if cluster.kubectl("get", "crd", QUEUES, check=False).returncode == 0:
        yield
        return
    spec = {"type": "object", "required": ["clusterQueue"], "properties": {"clusterQueue": {"type": "string"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    kind = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": QUEUES},
        "spec": {
            "group": "kueue.x-k8s.io",
            "scope": "Namespaced",
            "names": {"plural": "localqueues", "singular": "localqueue", "kind": "LocalQueue"},
            "versions": [{"name": "v1beta2", "served": True, "storage": True, "schema": schema}],
        },
    }
    try:
        cluster.kubectl.apply(kind)
        path = "--raw=/apis/kueue.x-k8s.io/v1beta2/localqueues"
        eventually(lambda: cluster.kubectl("get", path, check=False).returncode == 0, "the kind LocalQueue")
        yield
    finally:
        cluster.kubectl("delete", "crd", QUEUES, "--ignore-not-found", "--timeout=60s", check=False)
        # kubectl remembers for hours which kinds there are, also for the next cluster at this address.
        cluster.kubectl("api-resources", "--output=name", check=False)


@pytest.mark.usefixtures("queues")
def test_a_namespace_has_a_queue_which_the_hubs_own_account_makes(cluster: Cluster, tmp_path: Path) -> None:
    with hub_account(cluster, tmp_path) as hub:
        user = hub.user("joan")
        made_by(replace(hub, site=replace(hub.site, cluster_queue="gpus")), user, times=2)
        [queue] = hub.admin.get(QUEUES, f"--namespace={user.namespace}")["items"]
    assert (queue["metadata"]["name"], queue["spec"]) == ("default", {"clusterQueue": "gpus"})
