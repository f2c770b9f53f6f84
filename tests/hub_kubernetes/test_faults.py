"""What breaks while people work: the hub is killed, a user's pod is deleted. Their jobs and files are there afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from userspace.settings import Found, User
from userspace.space import objects

from tests.acceptance.desk import eventually
from tests.cluster import Cluster, Namespace
from tests.cluster.claims import claim
from tests.hub.visitor import Notebook, Visitor
from tests.hub_kubernetes.accounts import HubAccount, hub_account
from tests.hub_kubernetes.running import PASSWORD, Ports, hub, in_cluster

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = [pytest.mark.cluster, pytest.mark.long]

WAITS = """%%kubetrain --cpus 50m --detach --name {name} --returns told
import os, time
while not os.path.exists("/tmp/go"):
    time.sleep(0.2)
told = "all the way"
"""


@dataclass(frozen=True)
class Scene:
    account: HubAccount
    user: User
    folder: Path
    """Of the hub: its database, its log."""
    given: dict[str, str]
    ports: Ports

    @property
    def here(self) -> str:
        return f"--namespace={self.user.namespace}"

    @property
    def server(self) -> str:
        """The uid of the pod, empty without one."""
        pods = self.account.admin.get("pods", self.here, "--selector=component=singleuser-server")["items"]
        return "".join(each["metadata"]["uid"] for each in pods)

    def go(self, job: str) -> None:
        """Let the job end."""
        selector = f"--selector=job-name={job}"
        [pod] = self.account.admin.get("pods", self.here, selector)["items"]
        self.account.admin("exec", pod["metadata"]["name"], self.here, "--", "touch", "/tmp/go")

    def runs(self, job: str) -> None:
        """Wait until its pod does."""
        command = ("get", "pods", self.here, f"--selector=job-name={job}", "--output=jsonpath={.items[*].status.phase}")
        eventually(lambda: self.account.admin(*command).stdout == "Running", f"a pod of {job}")

    @contextmanager
    def logged_in(self) -> Iterator[Visitor]:
        with hub(self.folder, self.given, self.ports) as running:
            visitor = running.visitor(self.user.name).log_in(PASSWORD)
            if not visitor.is_there():
                visitor.start(profile="cpu")
            yield visitor
            # As a machine that loses its power: nobody cleans up.
            running.kill()


@pytest.fixture(scope="module")
def scene(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A user whose home is a volume, as where storage is provisioned."""
    folder = tmp_path_factory.mktemp("hub")
    with hub_account(cluster, folder) as account:
        user = account.user("ada")
        account.admin.apply(*objects(account.site, user, Found((), None)))
        space = Namespace(user.namespace, account.kubeconfig, "", account.kubectl, account.admin)
        with claim(cluster, space, "home", modes=("ReadWriteOnce",)):
            given = in_cluster(account, cluster) | {"HUB_HOME_SIZE": "1Gi"}
            yield Scene(account, user, folder, given, Ports.free())


def test_servers_kernels_and_jobs_outlive_a_hub_that_was_killed(scene: Scene) -> None:
    with scene.logged_in() as visitor:
        server = scene.server
        with closing(visitor.kernel()) as notebook:
            assert notebook.run("kept = 'in the kernel'").error is None
            assert notebook.run(WAITS.format(name="through-it")).error is None
        scene.runs("through-it")
        [kernel] = visitor.get("/api/kernels").json()
    assert scene.server == server
    with scene.logged_in() as visitor:
        assert (scene.server, visitor.get("/api/kernels").json()[0]["id"]) == (server, kernel["id"])
        scene.go("through-it")
        with closing(Notebook(visitor, kernel["id"])) as again:
            assert again.run("kept").text == "'in the kernel'\n"
            assert again.run("%kube attach through-it").error is None
            assert again.run("told").text == "'all the way'\n"


def test_a_home_and_a_job_outlive_a_server_that_was_deleted(scene: Scene) -> None:
    with scene.logged_in() as visitor:
        with closing(visitor.kernel()) as notebook:
            assert notebook.run("open('notes.txt', 'w').write('mine')").error is None
            assert notebook.run(WAITS.format(name="left-behind")).error is None
        scene.runs("left-behind")
        server = scene.server
        scene.account.admin("delete", "pods", scene.here, "--selector=component=singleuser-server", "--grace-period=1")
        eventually(lambda: not visitor.is_there(), "the hub's knowledge that the server is gone")
        later = Visitor(visitor.address, visitor.name).log_in(PASSWORD)
        later.start(profile="cpu")
        assert scene.server not in ("", server)
        scene.go("left-behind")
        with closing(later.kernel()) as notebook:
            assert notebook.run("open('notes.txt').read()").text == "'mine'\n"
            assert notebook.run("%kube attach left-behind").error is None
            assert notebook.run("told").text == "'all the way'\n"
