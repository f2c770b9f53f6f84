"""The hub under its own account: a user logs in, gets a namespace and a server, and trains from it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from userspace.settings import Found, User
from userspace.space import objects

from tests.cluster import Cluster
from tests.hub.visitor import Turned, Visitor
from tests.hub_kubernetes import attacks
from tests.hub_kubernetes.accounts import HubAccount, hub_account
from tests.hub_kubernetes.attacks import Attack
from tests.hub_kubernetes.running import ADMIN_PASSWORD, PASSWORD, Hub, hub, in_cluster

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = pytest.mark.cluster

TRAIN = """%%kubetrain --cpus 50m --gpus 2 --returns there
import os
there = os.path.exists("/var/run/secrets/kubernetes.io"), os.environ["NVIDIA_VISIBLE_DEVICES"].count(",") + 1
"""


@pytest.fixture(scope="module")
def account(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubAccount]:
    with hub_account(cluster, tmp_path_factory.mktemp("account")) as made:
        yield made


@pytest.fixture(scope="module")
def running(account: HubAccount, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with hub(tmp_path_factory.mktemp("hub"), in_cluster(account, cluster)) as made:
        yield made


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


def test_a_servers_token_opens_nobody_elses_door_at_the_hub(running: Hub, ada: Visitor) -> None:
    """What an administrator may, a server's own token may not."""
    paths = ["/users", "/groups", "/proxy", "/services"]
    olga = running.visitor("olga").log_in(ADMIN_PASSWORD)
    assert [olga.web.get(f"{running.address}/hub/api{path}", timeout=60).status_code for path in paths] == [200] * 4
    notebook = ada.kernel()
    ran = notebook.run(
        f"{attacks.PROGRAM}\nimport os\nurl, token = os.environ['JUPYTERHUB_API_URL'], os.environ['JUPYTERHUB_API_TOKEN']\n"
        "found = []\n"
        f"for path in {paths} + ['/user']:\n"
        "    request = urllib.request.Request(url + path, headers={'Authorization': 'token ' + token})\n"
        "    try:\n        found.append(urllib.request.urlopen(request, timeout=60).status)\n"
        "    except urllib.error.HTTPError as error:\n        found.append(error.code)\n"
        "found"
    )
    notebook.close()
    assert ran.text == "[403, 403, 403, 403, 200]\n", ran


def answers(visitor: Visitor, known: list[Attack], magic: str = "") -> dict[str, int]:
    """The API server's, to a cell of the user's notebook."""
    tries = json.dumps([[each.name, each.method, each.path, each.body] for each in known])
    notebook = visitor.kernel()
    ran = notebook.run(
        f"{magic}{attacks.PROGRAM}\nfound = {{n: attempt(m, p, b) for n, m, p, b in json.loads({tries!r})}}"
    )
    assert ran.error is None, ran
    shown = notebook.run("import json\nprint(json.dumps(found))")
    notebook.close()
    found: dict[str, int] = json.loads(shown.text)
    return found
