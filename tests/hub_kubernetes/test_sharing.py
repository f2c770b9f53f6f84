"""What users of a hub share: folders, in servers and jobs of each namespace; a team's server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from userspace import defaults
from userspace.settings import Found, Share, Team, User
from userspace.space import objects

from tests.cluster import Cluster
from tests.hub.visitor import Visitor
from tests.hub_kubernetes import attacks
from tests.hub_kubernetes.accounts import HubAccount, hub_account
from tests.hub_kubernetes.answers import served
from tests.hub_kubernetes.edited import edited
from tests.hub_kubernetes.folders import shared
from tests.hub_kubernetes.running import ADMIN_PASSWORD, PASSWORD, Hub, hub, in_cluster

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = pytest.mark.cluster

SHARES = (Share("shared-vision", "/shared/vision", group="vision"), Share("datasets", "/datasets", read_only=True))

JOB = """%%kubetrain --cpus 50m --returns found
import errno
found = [open(path).read() for path in ("/shared/vision/note.txt", "/shared/vision/about.txt", "/datasets/about.txt")]
open("/shared/vision/answer.txt", "w").write("from the job")
try:
    open("/datasets/mine.txt", "w")
except OSError as error:
    found.append(errno.errorcode[error.errno])
"""


@dataclass(frozen=True)
class Scene:
    account: HubAccount
    hub: Hub
    team: Team
    ada: Visitor
    """In the group "vision". Her server runs."""


@pytest.fixture(scope="module")
def scene(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("hub")
    with hub_account(cluster, folder) as account:
        team = Team(f"v-{account.site.hub_namespace}", group="vision")
        users = [account.user("ada"), account.user("bob"), account.of_team(team)]
        config = {"TEST_CONFIG": str(edited(folder, SHARES=repr(SHARES), TEAMS=repr((team,))))}
        with shared(cluster, SHARES, users), hub(folder, in_cluster(account, cluster) | config) as running:
            ada = running.visitor(users[0].name).log_in(PASSWORD)
            running.visitor("olga").log_in(ADMIN_PASSWORD).join("vision", ada.name)
            ada.start(profile="cpu")
            yield Scene(account, running, team, ada)


def test_shared_folders_are_the_same_in_servers_jobs_and_namespaces(scene: Scene, cluster: Cluster) -> None:
    bob = beside(scene.account, cluster.images.quickstart)
    notebook = scene.ada.kernel()
    assert notebook.run("open('/shared/vision/note.txt', 'w').write('from the server')").error is None
    ran = notebook.run(JOB)
    assert ran.error is None, ran
    assert notebook.run("found").text == "['from the server', 'shared-vision', 'datasets', 'EROFS']\n"
    assert notebook.run("open('/shared/vision/answer.txt').read()").text == "'from the job'\n"
    notebook.close()
    theirs = ("exec", attacks.SERVER, f"--namespace={bob.namespace}", "--", "cat", "/shared/vision/answer.txt")
    assert scene.account.admin(*theirs).stdout == "from the job"


def test_a_teams_server_is_for_its_members_to_start_and_use(scene: Scene) -> None:
    team = scene.account.of_team(scene.team)
    with closing(replace(scene.ada, name=team.name, open=[])) as together:
        together.start(profile="cpu")
        notebook = together.kernel()
        ran = notebook.run("import os\nos.environ['KUBE_MAGICS_NAMESPACE'], os.path.exists('/shared/vision/about.txt')")
    assert ran.text == f"('{team.namespace}', True)\n", ran
    eve = scene.hub.visitor(scene.account.user("eve").name).log_in(PASSWORD)
    [pod] = scene.account.admin.get("pods", f"--namespace={team.namespace}")["items"]
    # Through the proxy, and past it: where no network policy is enforced, the server itself must refuse.
    for server in (scene.hub.address, f"http://{pod['status']['podIP']}:8888"):
        asked = [served(f"{server}/user/{team.name}", notebook.kernel, who.token()) for who in (scene.ada, eve)]
        assert asked == [[200, 201, 101], [403, 403, 403]], (server, asked)
    for path in (f"/hub/spawn/{team.name}", f"/user/{team.name}/lab"):
        asked = [who.web.get(scene.hub.address + path, timeout=60).status_code for who in (scene.ada, eve)]
        assert (asked[0], asked[1] in (403, 404)) == (200, True), (path, asked)


def beside(account: HubAccount, image: str) -> User:
    """Another member of the group: a namespace as the hub makes it, and a pod in it as the server's."""
    user, site = account.user("bob", "vision"), replace(account.site, shares=SHARES)
    pod = attacks.server(user.namespace, image)
    volumes, mounts = zip(*defaults.volumes(site, user), strict=True)
    pod["spec"]["volumes"], pod["spec"]["containers"][0]["volumeMounts"] = volumes, mounts
    account.admin.apply(*objects(site, user, Found((), None)))
    account.admin.apply(pod)
    name = f"pod/{attacks.SERVER}"
    account.admin("wait", name, f"--namespace={user.namespace}", "--for=condition=Ready", "--timeout=120s")
    return user
