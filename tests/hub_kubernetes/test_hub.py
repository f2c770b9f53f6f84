"""The hub under its own account: a user logs in, gets a namespace and a server, trains from it, and gets no further."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
from userspace.settings import Found, User
from userspace.space import objects

from tests.acceptance.desk import eventually
from tests.cluster import Cluster
from tests.faults.proxy import Proxy, proxy
from tests.hub.visitor import Turned, Visitor
from tests.hub_kubernetes import attacks
from tests.hub_kubernetes.accounts import HubAccount, hub_account
from tests.hub_kubernetes.answers import answers, asked, knocked
from tests.hub_kubernetes.attacks import Attack, Door
from tests.hub_kubernetes.running import ADMIN_PASSWORD, PASSWORD, Hub, hub, in_cluster

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = pytest.mark.cluster

TRAIN = """%%kubetrain --cpus 50m --gpus 2 --returns there
import os
there = os.path.exists("/var/run/secrets/kubernetes.io"), os.environ["NVIDIA_VISIBLE_DEVICES"].count(",") + 1
"""
HOLDS = """%%kubetrain --cpus 50m --gpus 2 --detach --name holds
import time
time.sleep(600)
"""
GPUS = "requests.nvidia.com/gpu"


@pytest.fixture(scope="module")
def account(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubAccount]:
    with hub_account(cluster, tmp_path_factory.mktemp("account")) as made:
        yield made


@pytest.fixture(scope="module")
def link(account: HubAccount) -> Iterator[Proxy]:
    """Between the hub and the API server; of users' servers none."""
    with proxy(account.kubeconfig) as made:
        yield made


@pytest.fixture(scope="module")
def running(
    account: HubAccount, link: Proxy, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    linked = {"KUBECONFIG": str(link.kubeconfig(account.kubeconfig, folder / "linked.yaml"))}
    with hub(folder, in_cluster(account, cluster) | linked) as made:
        yield made


@pytest.fixture(scope="module")
def olga(running: Hub) -> str:
    """What an administrator's requests of the hub's API are authorised by."""
    return f"token {running.visitor('olga').log_in(ADMIN_PASSWORD).token()}"


@pytest.fixture(scope="module")
def ada(running: Hub, account: HubAccount) -> Visitor:
    """Her server runs."""
    visitor = running.visitor(account.user("ada").name).log_in(PASSWORD)
    visitor.start(profile="cpu")
    return visitor


def test_a_wrong_password_is_refused(running: Hub) -> None:
    with pytest.raises(Turned):
        running.visitor("ada").log_in("let-me-in-please")


def test_a_user_trains_from_their_server_by_the_pods_own_account(account: HubAccount, ada: Visitor) -> None:
    notebook = ada.kernel()
    ran = notebook.run(TRAIN)
    assert ran.error is None, ran
    assert notebook.run("there").text == "(False, 2)\n"
    space = account.user("ada").namespace
    [job] = account.admin.get("jobs", f"--namespace={space}")["items"]
    pod = job["spec"]["template"]["spec"]
    asked = (pod["serviceAccountName"], pod["priorityClassName"])
    assert asked == ("kube-magics-job", account.site.job_priority)
    notebook.close()


def test_more_than_the_sites_limit_is_refused_in_the_cell(ada: Visitor) -> None:
    notebook = ada.kernel()
    ran = notebook.run("%%kubetrain --gpus 3\n1")
    assert (ran.error, "this site allows a job 2" in ran.message) == ("NotAllowed", True), ran
    notebook.close()


def test_a_job_beyond_the_quota_is_told_so_in_the_cell(account: HubAccount, ada: Visitor) -> None:
    """Within the limit of a single job, but another one has it all: only the cluster can know."""
    notebook = ada.kernel()
    assert notebook.run(HOLDS).error is None
    both_are_counted(account, account.user("ada"))
    ran = notebook.run("%%kubetrain --cpus 50m --gpus 1 --name one-more\n1")
    assert notebook.run("%kube delete holds").error is None
    notebook.close()
    assert "The namespace's quota does not allow this job." in ran.message, ran
    assert f"exceeded quota: kube-magics-user, requested: {GPUS}=1, used: {GPUS}=2, limited: {GPUS}=2" in ran.message


def test_a_server_beyond_the_quota_is_told_so_on_the_page(running: Hub, account: HubAccount) -> None:
    """What pods that run already hold, or that wait for a node, is no longer there for a server."""
    user = account.user("eli")
    waits = attacks.server(user.namespace, "example/none:1")
    waits["spec"] |= {"nodeSelector": {"is": "nowhere"}}
    waits["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "2"}}
    account.admin.apply(*objects(account.site, user, Found((), None)))
    account.admin.apply(waits)
    both_are_counted(account, user)
    page = asked(running.visitor(user.name).log_in(PASSWORD), "gpu")
    assert "Your server does not fit into your quota" in page
    assert f"exceeded quota: kube-magics-user, requested: {GPUS}=1, used: {GPUS}=2, limited: {GPUS}=2" in page


def both_are_counted(account: HubAccount, user: User) -> None:
    """Both GPUs of the user's quota: what it counts lags behind what is made."""

    def used() -> str:
        status = account.admin.get("resourcequota", "kube-magics-user", f"--namespace={user.namespace}")["status"]
        return str(status.get("used", {}).get(GPUS))

    eventually(lambda: used() == "2", "both GPUs in the quota")


def test_who_has_no_gpus_is_refused_a_server_with_one(running: Hub, account: HubAccount, olga: str) -> None:
    """It is not on their page; whoever asks for it all the same is told what there is."""
    user, api = account.user("ida").name, f"{running.address}/hub/api"
    visitor = running.visitor(user).log_in(PASSWORD)
    assert attacks.here("POST", f"{api}/groups/no-gpus", None, olga) == 201
    assert attacks.here("POST", f"{api}/groups/no-gpus/users", {"users": [user]}, olga) == 200
    assert 'value="gpu"' not in visitor.web.get(f"{running.address}/hub/spawn", timeout=60).text
    assert "There is no server gpu in your quota, which has room for: cpu, large, nowhere." in asked(visitor, "gpu")


@pytest.mark.parametrize("away_s", [4, pytest.param(60, marks=pytest.mark.long)])
def test_a_start_waits_for_an_api_server_that_is_away(
    running: Hub, account: HubAccount, link: Proxy, ada: Visitor, away_s: float
) -> None:
    """Who comes can log in, and who is there works on. KubeSpawner by itself would end the hub after 50 s."""
    visitor = running.visitor(account.user(f"eve-{away_s}").name)
    with ThreadPoolExecutor(1) as pool:
        with link.refusing():
            visitor.log_in(PASSWORD)
            starting = pool.submit(visitor.start, "cpu")
            time.sleep(away_s)
            assert ada.is_there()
            assert not starting.done()
        starting.result()
    assert (running.process.poll(), ada.is_there()) == (None, True)


@pytest.fixture(scope="module")
def bob(account: HubAccount, cluster: Cluster) -> User:
    """The other user: a namespace as the hub makes it, with something in it to be had."""
    user = account.user("bob")
    victim = attacks.server(user.namespace, cluster.images.quickstart)
    account.admin.apply(*objects(account.site, user, Found((), None)), attacks.secret(user.namespace))
    account.admin.apply(victim)
    name = f"pod/{victim['metadata']['name']}"
    account.admin("wait", name, f"--namespace={user.namespace}", "--for=condition=Ready", "--timeout=120s")
    return user


@pytest.fixture(scope="module")
def known(account: HubAccount, bob: User, ada: Visitor) -> list[Attack]:
    """All that the API server must refuse to ada."""
    node = account.admin.get("nodes")["items"][0]["metadata"]["name"]
    return attacks.known(account.user("ada").namespace, bob.namespace, account.site.hub_namespace, node)


def test_each_attack_would_succeed_if_it_were_allowed(account: HubAccount, known: list[Attack]) -> None:
    assert [each.name for each in known if not each.works_for(account.admin)] == []


def test_a_users_notebook_is_refused_all_of_them(ada: Visitor, known: list[Attack]) -> None:
    """403: a 404 or a broken connection would prove nothing."""
    assert answers(ada, known) == {each.name: 403 for each in known}


def test_a_users_job_is_refused_all_of_them(ada: Visitor, known: list[Attack]) -> None:
    """It has no account at all; who is nobody gets 401 or 403."""
    found = answers(ada, known, "%%kubetrain --cpus 50m --returns found\n")
    assert set(found) == {each.name for each in known}
    assert set(found.values()) <= {401, 403}, found


@pytest.fixture(scope="module")
def warden(account: HubAccount) -> Iterator[str]:
    """The token of an account that kubelets obey."""
    name, space = f"warden-{account.site.hub_namespace}", f"--namespace={account.site.hub_namespace}"
    member = f"--serviceaccount={account.site.hub_namespace}:warden"
    account.admin("create", "serviceaccount", "warden", space)
    account.admin("create", "clusterrolebinding", name, "--clusterrole=system:kubelet-api-admin", member)
    try:
        yield account.admin("create", "token", "warden", space).stdout.strip()
    finally:
        account.admin("delete", "clusterrolebinding", name, check=False)


def test_the_kubelets_own_port_is_closed_to_users(account: HubAccount, bob: User, ada: Visitor, warden: str) -> None:
    """It asks the API server what an account may: 403; who comes without one, as a job: 401.

    The cluster of the tests enforces no NetworkPolicy, which would not even let them come so far.
    """
    node = account.admin.get("nodes")["items"][0]["status"]
    [address] = [each["address"] for each in node["addresses"] if each["type"] == "InternalIP"]
    kubelet = f"https://{address}:{node['daemonEndpoints']['kubeletEndpoint']['Port']}"
    known = [
        Attack(path, f"{kubelet}{path}") for path in ("/pods", f"/containerLogs/{bob.namespace}/{attacks.SERVER}/main")
    ]
    for each in known:
        eventually(lambda url=each.path: attacks.here("GET", url, None, f"Bearer {warden}") == 200, each.name)
    assert answers(ada, known) == {each.name: 403 for each in known}
    in_job = answers(ada, known, "%%kubetrain --cpus 50m --returns found\n")
    assert in_job == {each.name: 401 for each in known}


def test_a_servers_token_opens_nobody_elses_door_at_the_hub(
    running: Hub, account: HubAccount, ada: Visitor, olga: str
) -> None:
    """What an administrator may, a server's own token may not."""
    known = attacks.doors(ada.name, account.user("bob").name)
    opened = [attacks.here(each.method, f"{running.address}/hub/api{each.path}", each.body, olga) for each in known]
    assert opened == [each.admin for each in known]
    assert knocked(ada, known) == [each.user for each in known]
    # The token is good, for itself.
    assert knocked(ada, [Door("GET", "/user", 200)]) == [200]


@pytest.mark.long
def test_an_administrator_of_the_hub_is_let_into_everybodys_server(running: Hub, ada: Visitor) -> None:
    """What the README warns of."""
    administrator = running.visitor("olga").log_in(ADMIN_PASSWORD)
    with closing(replace(administrator, name=ada.name, open=[])) as there:
        assert there.is_there()
        assert there.kernel().run("import os\nos.environ['JUPYTERHUB_USER']").text == f"'{ada.name}'\n"


@pytest.mark.long
def test_a_servers_token_neither_starts_nor_stops_anybody_elses(
    running: Hub, account: HubAccount, ada: Visitor, olga: str
) -> None:
    user = account.user("rob").name
    path = f"/users/{user}/server"
    doors = [Door("POST", path, 201, body={"profile": "cpu"}), Door("DELETE", path, 204)]
    api = f"{running.address}/hub/api"
    assert attacks.here("POST", f"{api}/users/{user}", None, olga) == 201
    assert attacks.here("POST", f"{api}{path}", doors[0].body, olga) in {201, 202}
    assert knocked(ada, doors) == [403, 403]
    # 400 while it starts.
    eventually(lambda: attacks.here("DELETE", f"{api}{path}", None, olga) in {202, 204}, "the end of the server")
    assert knocked(ada, doors) == [403, 403]
