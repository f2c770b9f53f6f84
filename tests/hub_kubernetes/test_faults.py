"""What breaks while people work: hub and proxy are killed, servers deleted, stopped and forgotten, an image is missing.

Their jobs and files are there afterwards, and where something has to be said, it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from userspace.settings import Found, User
from userspace.space import objects

from tests.acceptance.desk import eventually
from tests.acceptance.why.servers import registry
from tests.cluster import Cluster, Namespace, settings
from tests.cluster.claims import claim
from tests.hub.visitor import Notebook, Visitor
from tests.hub_kubernetes.accounts import HubAccount, hub_account
from tests.hub_kubernetes.answers import there
from tests.hub_kubernetes.running import PASSWORD, Hub, Ports, hub, in_cluster

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = [pytest.mark.cluster, pytest.mark.long]

WAITS = """%%kubetrain --cpus 50m --detach --name {name} --returns told
import os, time
while not os.path.exists("/tmp/go"):
    time.sleep(0.2)
told = "all the way"
"""
CULLER = "token-of-the-idle-culler"


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

    def leave(self, visitor: Visitor, job: str, first: str = "pass") -> None:
        """Run `first` in a kernel, and from it a job that waits to be told to go on."""
        with closing(visitor.kernel()) as notebook:
            assert notebook.run(first).error is None
            assert notebook.run(WAITS.format(name=job)).error is None
        self.runs(job)

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
    def at_work(self) -> Iterator[tuple[Hub, Visitor]]:
        with hub(self.folder, self.given, self.ports) as running:
            visitor = running.visitor(self.user.name).log_in(PASSWORD)
            if not visitor.is_there():
                visitor.start(profile="cpu")
            yield running, visitor
            # As a machine that loses its power: nobody cleans up.
            running.kill()

    @contextmanager
    def logged_in(self) -> Iterator[Visitor]:
        with self.at_work() as (_, visitor):
            yield visitor


@pytest.fixture(scope="module")
def scene(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A user whose home is a volume, as where storage is provisioned."""
    folder = tmp_path_factory.mktemp("hub")
    with hub_account(cluster, folder) as account:
        user = account.user("ada")
        account.admin.apply(*objects(account.site, user, Found((), None)))
        space = Namespace(user.namespace, account.kubeconfig, "", account.kubectl, account.admin)
        with claim(cluster, space, "home", modes=("ReadWriteOnce",)):
            given = in_cluster(account, cluster) | {"HUB_HOME_SIZE": "1Gi", "TEST_CULLER": CULLER}
            yield Scene(account, user, folder, given, Ports.free())


def test_servers_kernels_and_jobs_outlive_a_hub_that_was_killed(scene: Scene) -> None:
    with scene.logged_in() as visitor:
        server = scene.server
        scene.leave(visitor, "through-it", "kept = 'in the kernel'")
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
        scene.leave(visitor, "left-behind", "open('notes.txt', 'w').write('mine')")
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


def test_a_job_goes_on_whose_server_is_stopped_because_nobody_uses_it(scene: Scene) -> None:
    with scene.logged_in() as visitor:
        scene.leave(visitor, "unwatched")
        with culler(visitor.address):
            eventually(lambda: not scene.server, "the end of the idle server")
            eventually(lambda: not model(visitor)["pending"], "the hub's knowledge of it")
        scene.runs("unwatched")
        later = Visitor(visitor.address, visitor.name).log_in(PASSWORD)
        later.start(profile="cpu")
        with closing(later.kernel()) as notebook:
            assert '"unwatched"' in notebook.run("%kube jobs --json").text
            scene.go("unwatched")
            assert notebook.run("%kube attach unwatched").error is None
            assert notebook.run("told").text == "'all the way'\n"


@contextmanager
def culler(address: str) -> Iterator[None]:
    """The real one, as soon as it can be."""
    command = [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=1", "--cull-every=1"]
    ours = {"JUPYTERHUB_API_TOKEN": CULLER, "JUPYTERHUB_API_URL": f"{address}/hub/api"}
    process = subprocess.Popen([*command, f"--url={address}/hub/api"], env=os.environ | ours)
    try:
        yield
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(30)


def model(visitor: Visitor) -> dict[str, object]:
    """Of a user, as the hub has it."""
    answer = visitor.web.get(f"{visitor.address}/hub/api/users/{visitor.name}", timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_servers_and_kernels_outlive_a_proxy_that_was_killed(scene: Scene) -> None:
    """The hub starts it again, and tells it where everybody's server is; browsers connect to the same kernels."""
    with scene.at_work() as (running, visitor):
        server = scene.server
        with closing(visitor.kernel()) as notebook:
            assert notebook.run("kept = 'in the kernel'").error is None
            running.kill_proxy()
        assert not there(visitor)
        eventually(lambda: there(visitor), "the proxy")
        with closing(Notebook(visitor, notebook.kernel)) as again:
            assert again.run("kept").text == "'in the kernel'\n"
        assert scene.server == server


def test_a_hub_without_its_database_starts_servers_anew_and_loses_no_work(scene: Scene) -> None:
    """It does not know that one runs, and a namespace may have one."""
    with scene.logged_in() as visitor:
        server = scene.server
        scene.leave(visitor, "remembered", "open('kept.txt', 'w').write('mine')")
    (scene.folder / "hub.sqlite").unlink()
    with scene.logged_in() as visitor:
        assert scene.server not in ("", server)
        scene.go("remembered")
        with closing(visitor.kernel()) as notebook:
            assert notebook.run("open('kept.txt').read()").text == "'mine'\n"
            assert notebook.run("%kube attach remembered").error is None
            assert notebook.run("told").text == "'all the way'\n"


@pytest.mark.parametrize(("profile", "why"), [("cpu", "Failed to pull image"), ("nowhere", "nodes are available")])
def test_a_server_that_cannot_run_is_told_why_on_the_page(scene: Scene, tmp_path: Path, profile: str, why: str) -> None:
    """Its image is missing, or no node is right: while it is waited for, by the cluster's own events, and at the end."""
    with registry() as address:
        image = f"{address}/team/absent:1"
        given = scene.given | {"HUB_HOME_SIZE": "none", "HUB_SERVER_IMAGE": image, "TEST_START_TIMEOUT": "45"}
        ports = Ports.free()
        with hub(tmp_path, given, ports) as running:
            visitor = running.visitor(scene.account.user(f"ida-{profile}").name).log_in(PASSWORD)
            authorized = {"Authorization": f"token {visitor.token()}"}
            visitor.ask(profile).raise_for_status()
            # From the hub itself: the proxy in Python ends what takes longer than half a minute.
            api = f"http://{settings.own_address()}:{ports.private}/hub/api"
            said = visitor.web.get(f"{api}/users/{visitor.name}/server/progress", headers=authorized, timeout=300)
            lines = said.text.splitlines()
            events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
            page = visitor.web.get(f"{running.address}/hub/spawn-pending/{visitor.name}", timeout=60).text
    assert [each for each in events[:-1] if why in each["message"]], said.text
    assert events[-1]["failed"]
    for told in (events[-1]["message"], page):
        assert "Your server could not be started: it did not run after 40 s. The cluster says: " in told
        assert why in told
