"""Another process that follows the same job: with names, tokens and connections of its own, which end on the way."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.desk import admin_of, eventually
from tests.cluster import Namespace
from tests.cluster.namespaces import ACCOUNT
from tests.faults.conftest import Linked
from tests.faults.counting import cell, counted
from tests.faults.proxy import Proxy, proxy
from tests.faults.test_cuts import whole
from tests.kernel import Ran

pytestmark = pytest.mark.cluster

NAME = "shared"
LINES, RATE = 7_000, 200
"""So long that each follower has begun, and its link has ended, while the job still prints."""
FOLLOWER = Path(__file__).with_name("follower.py")
Start = tuple[dict[str, str], list[str]]
"""What a process is started with: environment, and the words before its own."""
ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass
class Follower:
    """The process, once it has read something."""

    process: subprocess.Popen[str]
    log: Path

    def whole(self) -> None:
        _, said = self.process.communicate(timeout=180)
        assert self.process.returncode == 0, said
        found = counted(self.log, LINES)
        assert (found.lost, found.doubled, found.same) == (0, 0, True), (found, said[-2000:])


@contextmanager
def follower(folder: Path, environment: dict[str, str], before: Sequence[str] = ()) -> Iterator[Follower]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    command = [*before, sys.executable, "-W", "error", str(FOLLOWER), NAME]
    state = {"PYTHONPATH": os.pathsep.join(sys.path), "KUBE_MAGICS_STATE": str(folder / "state"), "HOME": str(folder)}
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**clean, **state, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            log = folder / process.stdout.readline().strip()
            eventually(lambda: log.is_file() and log.stat().st_size > 0, "a line")
            yield Follower(process, log)
        finally:
            process.kill()


def cluster_of(space: Namespace) -> dict[str, Any]:
    return dict(yaml.safe_load(space.kubeconfig.read_text())["clusters"][0]["cluster"])


def both_are_cut(linked: Linked, folder: Path) -> None:
    space = admin_of(linked.desk)
    with proxy(space.kubeconfig) as own:
        config = own.kubeconfig(space.kubeconfig, folder / "config")
        with follower(folder, {"KUBECONFIG": str(config), "KUBE_MAGICS_CONTEXT": space.context}) as two:
            for _ in range(4):
                time.sleep(0.7)
                own.cut()
                linked.proxy.cut()
            two.whole()


def a_name_that_resolves_no_more_for_a_while(linked: Linked, folder: Path) -> None:
    """In a mount namespace of its own the process has its own /etc/hosts."""
    space = admin_of(linked.desk)
    hosts = folder / "hosts"
    known = "127.0.0.1 localhost kube.test\n"
    hosts.write_text(known)
    with proxy(space.kubeconfig) as own:
        config = own.kubeconfig(space.kubeconfig, folder / "config", host="kube.test")
        mount = f'mount --bind {hosts} /etc/hosts && exec "$@"'
        inside = ["unshare", "--mount", "sh", "-c", mount, "sh"]
        with follower(folder, {"KUBECONFIG": str(config), "KUBE_MAGICS_CONTEXT": space.context}, inside) as two:
            hosts.write_text("127.0.0.1 localhost\n")
            time.sleep(11)  # as long as a client may remember the answer
            assert own.cut() > 0
            time.sleep(2)
            connections = own.connections
            time.sleep(1)
            assert own.connections == connections  # nobody finds the way
            hosts.write_text(known)
            two.whole()


@dataclass
class Tokens:
    """Tokens of the user's account, each valid until its Secret is deleted."""

    space: Namespace

    def make(self, name: str) -> str:
        here = f"--namespace={self.space.name}"
        self.space.admin("create", "secret", "generic", name, here)
        bound = ("--bound-object-kind=Secret", f"--bound-object-name={name}")
        return self.space.admin("create", "token", ACCOUNT, here, *bound).stdout.strip()

    def revoke(self, name: str, token: str) -> None:
        """Returns once the server accepts it no more; it remembers for some seconds that it did."""
        here = f"--namespace={self.space.name}"
        self.space.admin("delete", "secret", name, here)
        server = cluster_of(self.space)["server"]
        stranger = ["--kubeconfig=/dev/null", f"--server={server}", "--insecure-skip-tls-verify"]

        def refused() -> bool:
            command = [str(self.space.admin.program), *stranger, f"--token={token}", "get", "pods", here]
            said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
            return "Unauthorized" in said or "logged in" in said

        eventually(refused, "the token is refused")


def token_file(folder: Path, own: Proxy, token: Path, space: Namespace) -> Start:
    return _config(folder, own, {"tokenFile": str(token)}, space)


def exec_plugin(folder: Path, own: Proxy, token: Path, space: Namespace) -> Start:
    program = folder / "login"
    head = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "'
    program.write_text(f"#!/bin/sh\nprintf '%s' '{head}' \"$(cat {token})\" '\"}}}}'\n")
    program.chmod(0o755)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    return _config(folder, own, {"exec": plugin}, space)


def in_cluster(folder: Path, own: Proxy, token: Path, space: Namespace) -> Start:
    """A pod's account, in a mount namespace that has its folder."""
    (folder / "namespace").write_text(space.name)
    (folder / "ca.crt").write_bytes(base64.b64decode(cluster_of(space)["certificate-authority-data"]))
    mount = f"mount -t tmpfs none /run && mkdir -p {ACCOUNT_FOLDER} && mount --bind {folder} {ACCOUNT_FOLDER}"
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(own.port)}
    return environment, ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]


USERS = (token_file, exec_plugin, in_cluster)


def _config(folder: Path, own: Proxy, user: dict[str, Any], space: Namespace) -> Start:
    content = yaml.safe_load(space.kubeconfig.read_text())
    content["users"][0]["user"] = user
    original = folder / "original"
    original.write_text(yaml.safe_dump(content))
    config = own.kubeconfig(original, folder / "config")
    return {"KUBECONFIG": str(config), "KUBE_MAGICS_CONTEXT": space.context}, []


def a_token_that_expires(linked: Linked, folder: Path, user: Callable[..., Start]) -> None:
    space = admin_of(linked.desk)
    name = user.__name__.replace("_", "-")
    tokens, file = Tokens(space), folder / "token"
    first = tokens.make(f"{name}-1")
    file.write_text(first)
    with proxy(space.kubeconfig) as own, follower(folder, *user(folder, own, file, space)) as two:
        tokens.revoke(f"{name}-1", first)
        assert own.cut() > 0
        time.sleep(1)  # refused meanwhile: the new one comes late
        # At once, as whoever renews a token does: half a token is none.
        (folder / "next").write_text(tokens.make(f"{name}-2"))
        (folder / "next").replace(file)
        two.whole()


STORIES: dict[str, Callable[[Linked, Path], None]] = {
    "both are cut": both_are_cut,
    "a name that resolves no more for a while": a_name_that_resolves_no_more_for_a_while,
    **{f"a token that expires: {user.__name__}": partial(a_token_that_expires, user=user) for user in USERS},
}


@dataclass(frozen=True)
class Followed:
    """A job whose notebook has followed it to its end, and what happened beside."""

    ran: Ran
    beside: dict[str, Future[None]]


@pytest.fixture(scope="module")
def followed(linked: Linked, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """All of them at the same time."""

    def begun(number: int, story: Callable[[Linked, Path], None]) -> None:
        linked.desk.says(NAME, "0000000 ")
        story(linked, tmp_path_factory.mktemp(f"follower-{number}"))

    with ThreadPoolExecutor(len(STORIES)) as pool:
        beside = {name: pool.submit(begun, number, story) for number, (name, story) in enumerate(STORIES.items())}
        ran = linked.desk.kernel.run(cell(NAME, LINES, RATE))
    return Followed(ran, beside)


def test_its_own_notebook_has_all_of_it(linked: Linked, followed: Followed) -> None:
    whole(followed.ran, linked.log(NAME), LINES)


@pytest.mark.parametrize("name", STORIES)
def test_another_process_has_all_of_it(followed: Followed, name: str) -> None:
    followed.beside[name].result()
