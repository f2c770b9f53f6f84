"""Another process that follows the same job: with names, tokens and connections of its own, which end on the way."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
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

pytestmark = pytest.mark.cluster

LINES, RATE = 4_000, 200
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
        _, said = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, said
        found = counted(self.log, LINES)
        assert (found.lost, found.doubled, found.same) == (0, 0, True), (found, said[-2000:])


@contextmanager
def follower(
    name: str, folder: Path, environment: dict[str, str], before: Sequence[str] = (), patience_s: float = 90
) -> Iterator[Follower]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    command = [*before, sys.executable, "-W", "error", str(FOLLOWER), name]
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
            eventually(lambda: log.is_file() and log.stat().st_size > 0, "a line", patience_s)
            yield Follower(process, log)
        finally:
            process.kill()


def beside(linked: Linked, name: str, act: Callable[[], None]) -> None:
    """A job whose notebook follows it to its end, and what happens once it runs."""

    def acted() -> None:
        linked.desk.says(name, "0000000 ")
        act()

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(acted)
        whole(linked.desk.kernel.run(cell(name, LINES, RATE), 180), linked.log(name), LINES)
        acting.result()


def cluster_of(space: Namespace) -> dict[str, Any]:
    return dict(yaml.safe_load(space.kubeconfig.read_text())["clusters"][0]["cluster"])


def test_two_follow_one_job_and_both_are_cut(linked: Linked, tmp_path: Path) -> None:
    space = admin_of(linked.desk)

    def act() -> None:
        with proxy(space.kubeconfig) as own:
            config = own.kubeconfig(space.kubeconfig, tmp_path / "config")
            with follower("both", tmp_path, {"KUBECONFIG": str(config), "KUBE_MAGICS_CONTEXT": space.context}) as two:
                for _ in range(4):
                    time.sleep(0.7)
                    own.cut()
                    linked.proxy.cut()
                two.whole()

    beside(linked, "both", act)


def test_a_name_that_resolves_no_more_for_a_while(linked: Linked, tmp_path: Path) -> None:
    """In a mount namespace of its own the process has its own /etc/hosts."""
    space = admin_of(linked.desk)
    hosts = tmp_path / "hosts"
    known = "127.0.0.1 localhost kube.test\n"

    def act() -> None:
        hosts.write_text(known)
        with proxy(space.kubeconfig) as own:
            config = own.kubeconfig(space.kubeconfig, tmp_path / "config", host="kube.test")
            mount = f'mount --bind {hosts} /etc/hosts && exec "$@"'
            inside = ["unshare", "--mount", "sh", "-c", mount, "sh"]
            environment = {"KUBECONFIG": str(config), "KUBE_MAGICS_CONTEXT": space.context}
            with follower("nameless", tmp_path, environment, inside) as two:
                hosts.write_text("127.0.0.1 localhost\n")
                time.sleep(11)  # as long as a client may remember the answer
                own.cut()
                time.sleep(2)
                connections = own.connections
                time.sleep(1)
                assert own.connections == connections  # nobody finds the way
                hosts.write_text(known)
                two.whole()

    beside(linked, "nameless", act)


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


def _config(folder: Path, own: Proxy, user: dict[str, Any], space: Namespace) -> Start:
    content = yaml.safe_load(space.kubeconfig.read_text())
    content["users"][0]["user"] = user
    original = folder / "original"
    original.write_text(yaml.safe_dump(content))
    config = own.kubeconfig(original, folder / "config")
    return {"KUBECONFIG": str(config), "KUBE_MAGICS_CONTEXT": space.context}, []


@pytest.mark.parametrize("user", [token_file, exec_plugin, in_cluster])
def test_a_token_that_expires_on_the_way(linked: Linked, tmp_path: Path, user: Callable[..., Start]) -> None:
    space = admin_of(linked.desk)
    name = user.__name__.replace("_", "-")
    tokens, file = Tokens(space), tmp_path / "token"

    def act() -> None:
        first = tokens.make(f"{name}-1")
        file.write_text(first)
        with proxy(space.kubeconfig) as own, follower(name, tmp_path, *user(tmp_path, own, file, space)) as two:
            tokens.revoke(f"{name}-1", first)
            own.cut()
            time.sleep(1)  # refused meanwhile: the new one comes late
            file.write_text(tokens.make(f"{name}-2"))
            two.whole()

    beside(linked, name, act)
