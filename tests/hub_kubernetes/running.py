"""The hub of hub-config, really run as a process under its own account, its users' servers as pods of the cluster."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from tests.cluster import Cluster, settings
from tests.cluster.paths import CHECKOUT
from tests.hub.visitor import Visitor
from tests.hub_kubernetes.accounts import HubAccount
from tests.ports import free_port

PASSWORD = "open-sesame-for-users"
ADMIN_PASSWORD = "open-sesame-for-administrators-only"
_PATIENCE_S = 120.0
_PROXY = "configurable-http-proxy"
_SMALL = Path(__file__).with_name("small_hub.py")


@dataclass(frozen=True)
class Hub:
    address: str
    """`http://127.0.0.1:20123`."""
    log: Path
    process: subprocess.Popen[bytes]

    def visitor(self, name: str) -> Visitor:
        """Not logged in yet."""
        return Visitor(self.address, name)

    def kill(self) -> None:
        """Itself and its proxy, which it starts in a session of its own."""
        for each in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self.process.wait(30)

    def kill_proxy(self) -> None:
        """And nothing else."""
        [proxy] = [each for each in psutil.Process(self.process.pid).children() if _PROXY in " ".join(each.cmdline())]
        proxy.kill()

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def in_cluster(account: HubAccount, cluster: Cluster) -> dict[str, str]:
    """The variables of a hub with this account."""
    site = account.site
    return {
        "KUBECONFIG": str(account.kubeconfig),
        "HUB_NAMESPACE": site.hub_namespace,
        "HUB_USER_ROLE": site.user_role,
        "HUB_SERVER_PRIORITY": site.server_priority or "",
        "HUB_JOB_PRIORITY": site.job_priority or "",
        "HUB_SERVER_IMAGE": cluster.images.ensure("server"),
        "HUB_JOB_IMAGE": cluster.images.quickstart,
        "HUB_HOME_SIZE": "none",
        **shared_password(),
    }


def shared_password() -> dict[str, str]:
    """The variables of the login by it."""
    return {
        "HUB_LOGIN": "shared-password",
        "HUB_USER_PASSWORD": PASSWORD,
        "HUB_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "HUB_ADMINS": "olga",
    }


@dataclass(frozen=True)
class Ports:
    """A hub that is started again has the same: its users' servers look for it there."""

    public: int
    private: int
    proxy: int

    @classmethod
    def free(cls) -> Ports:
        return cls(free_port(), free_port(), free_port())


@dataclass(frozen=True)
class Domain:
    """Of a hub whose users have a part each."""

    name: str
    proxy: Sequence[str]
    """The command of one that tells names apart."""


@contextmanager
def hub(
    folder: Path, given: Mapping[str, str], ports: Ports | None = None, domain: Domain | None = None
) -> Iterator[Hub]:
    """`given`: its variables, but for those that a chart would set; `domain`: of which each user has a part."""
    ports = ports or Ports.free()
    address = f"http://{domain.name if domain else '127.0.0.1'}:{ports.public}"
    ours = {
        "TEST_CONFIG": str(CHECKOUT / "hub-config" / "jupyterhub_config.py"),
        "TEST_PORTS": f"{ports.public} {ports.private} {ports.proxy}",
        "TEST_ADDRESS": settings.own_address(),
        "OAUTH_CALLBACK_URL": f"{address}/hub/oauth_callback",
        # A hub asks itself and its servers, not the world outside.
        "NO_PROXY": "*",
        **({"TEST_SUBDOMAIN_HOST": address, "TEST_PROXY": shlex.join(domain.proxy)} if domain else {}),
    }
    log = folder / "hub.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "--config", str(_SMALL)],
            cwd=folder,
            env=os.environ | ours | dict(given),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    made = Hub(address, log, process)
    try:
        _wait(made, ports)
        yield made
    finally:
        _stop(made)


def healthy(address: str, name: str | None = None) -> bool:
    """Whether the hub answers through its proxy; `name`: by which it is asked for there."""
    with requests.Session() as web:
        web.trust_env = False
        host = {"Host": name} if name else {}
        try:
            return web.get(f"{address}/hub/health", headers=host, timeout=10).status_code == 200
        except requests.ConnectionError:
            return False


def _wait(made: Hub, ports: Ports) -> None:
    until = time.monotonic() + _PATIENCE_S
    # A name below `localhost` is known to browsers, and not to every system.
    while not healthy(f"http://127.0.0.1:{ports.public}", made.address.removeprefix("http://")):
        assert made.process.poll() is None, made.said()
        assert time.monotonic() < until, made.said()
        time.sleep(0.1)


def _stop(made: Hub) -> None:
    """It ends its proxy itself."""
    made.process.terminate()
    try:
        made.process.wait(60)
    except subprocess.TimeoutExpired:
        made.kill()
