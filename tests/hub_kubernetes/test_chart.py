"""hub-config in the real Zero to JupyterHub: what the chart makes of values.yaml, and a hub installed by it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import profiles
import pytest
from userspace.network import SERVER_PORT
from userspace.settings import LABEL

from tests.acceptance.desk import eventually
from tests.cluster import Cluster, Namespace
from tests.hub.visitor import Notebook, Visitor
from tests.hub_kubernetes.accounts import HubAccount, hub_account, made_by
from tests.hub_kubernetes.answers import there
from tests.hub_kubernetes.chart import VARIABLE, Chart, Installed, chart, installed
from tests.hub_kubernetes.running import PASSWORD

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = pytest.mark.cluster
if VARIABLE not in os.environ:
    pytest.skip(f"{VARIABLE} names no folder of the chart", allow_module_level=True)

TRAIN = """%%kubetrain --cpus 50m --gpus 2 --returns there
import os
there = os.path.exists("/var/run/secrets/kubernetes.io"), os.environ["NVIDIA_VISIBLE_DEVICES"].count(",") + 1
"""
ROLES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount", "DaemonSet", "PriorityClass"}


@pytest.fixture(scope="module")
def z2jh(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return chart(Path(os.environ[VARIABLE]), tmp_path_factory.mktemp("chart"))


@pytest.fixture(scope="module")
def account(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubAccount]:
    with hub_account(cluster, tmp_path_factory.mktemp("account")) as made:
        yield made


@pytest.fixture(scope="module")
def hub(z2jh: Chart, account: HubAccount, cluster: Cluster) -> Iterator[Installed]:
    with installed(z2jh, account, cluster) as made:
        yield made


def test_its_schema_knows_every_value(z2jh: Chart) -> None:
    """It refuses unknown keys."""
    assert z2jh.render("lab").returncode == 0
    assert "additional properties 'no-such' not allowed" in z2jh.render("lab", "--set=hub.no-such=1").stderr


HUB_ACCESS = {"hub.jupyter.org/network-access-hub": "true"}
"""The chart's label of those that may speak to the hub."""


def test_what_it_renders_is_accepted_and_has_no_rights_of_its_own(
    z2jh: Chart, cluster: Cluster, namespace: Namespace
) -> None:
    made = z2jh.objects(namespace.name)
    assert not {each["kind"] for each in made} & ROLES
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    cluster.kubectl("apply", "--dry-run=server", f"--namespace={namespace.name}", "--filename=-", input=text)
    by_name = {(each["kind"], each["metadata"]["name"]): each["spec"] for each in made if "spec" in each}
    assert by_name["Service", "proxy-public"]["type"] == "ClusterIP"
    pod = by_name["Deployment", "hub"]["template"]["spec"]
    assert pod["serviceAccountName"] == "hub"
    mounts = {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    assert {"/srv/kube-magics/config", "/srv/kube-magics/lib/userspace"} <= mounts


def test_its_network_policies_let_hub_and_users_namespaces_reach_each_other(z2jh: Chart) -> None:
    """As far as the chart's side goes: that of the users is userspace/network.py."""
    policies = {each["metadata"]["name"]: each["spec"] for each in z2jh.objects("lab") if "Policy" in each["kind"]}
    # None of servers, which would cut them off the API server if it held where they are.
    assert set(policies) == {"hub", "proxy"}
    served = {"podSelector": {"matchLabels": HUB_ACCESS}, "namespaceSelector": {"matchLabels": {}}}
    assert any(served in rule["from"] for rule in policies["hub"]["ingress"])
    users = {"namespaceSelector": {"matchLabels": {LABEL: "jupyterhub"}}}
    for each in policies.values():
        assert {"to": [users], "ports": [{"port": SERVER_PORT}]} in each["egress"]


@pytest.mark.long
def test_the_pod_of_every_profile_is_accepted(hub: Installed) -> None:
    """As the chart's configuration and ours make it together, in a namespace as the hub makes it."""
    account, group = hub.account, "gpu-heavy"
    user = account.user("maria", group)
    made_by(replace(account, site=replace(account.site, group_quotas=profiles.GROUP_QUOTAS)), user)
    pods = hub.pods(user.name, group)
    assert list(pods) == [each.slug for each in profiles.PROFILES]
    for slug, pod in pods.items():
        body = json.dumps({**pod, "metadata": {**pod["metadata"], "namespace": user.namespace}})
        done = account.kubectl("create", "--dry-run=server", "--filename=-", input=body, check=False)
        assert done.returncode == 0, (slug, done.stderr)
        spec = pod["spec"]
        assert "initContainers" not in spec
        assert (spec["serviceAccountName"], spec["priorityClassName"]) == (
            "kube-magics-notebook",
            account.site.server_priority,
        )
        assert pod["metadata"]["labels"].items() >= HUB_ACCESS.items()


@pytest.fixture(scope="module")
def ada(hub: Installed) -> Iterator[Visitor]:
    """Through the chart's proxy; her server runs."""
    with hub.visitor("ada").log_in(PASSWORD) as visitor:
        visitor.start(profile="cpu")
        yield visitor


@pytest.mark.long
def test_a_user_trains_in_the_namespace_that_their_first_start_has_made(ada: Visitor) -> None:
    with closing(ada.kernel()) as notebook:
        ran = notebook.run(TRAIN)
        assert ran.error is None, ran
        assert notebook.run("there").text == "(False, 2)\n"


@pytest.mark.long
@pytest.mark.parametrize("what", ["hub", "proxy"])
def test_servers_and_kernels_outlive_what_its_deployment_starts_again(hub: Installed, ada: Visitor, what: str) -> None:
    """Hub or proxy; the database is in the chart's claim."""
    with closing(ada.kernel()) as notebook:
        assert notebook.run("kept = 'in the kernel'").error is None
    hub.restart(what)
    eventually(lambda: there(ada), "the page of the same login")
    with closing(Notebook(ada, notebook.kernel)) as again:
        assert again.run("kept").text == "'in the kernel'\n"
