"""hub-config in Zero to JupyterHub, as the README says it: the chart rendered or installed by helm, with values.yaml.

KUBE_MAGICS_Z2JH_CHART names the chart's folder: of a release, or `jupyterhub/` of the chart's own repository.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.acceptance.desk import eventually
from tests.cluster import Cluster, binaries
from tests.cluster.claims import volume
from tests.cluster.paths import CHECKOUT
from tests.hub.visitor import Visitor
from tests.hub_kubernetes.accounts import HubAccount
from tests.hub_kubernetes.running import healthy, in_cluster

VARIABLE = "KUBE_MAGICS_Z2JH_CHART"
HUB_CONFIG = CHECKOUT / "hub-config"
_RELEASE = "jupyterhub"
_SCHEMA = "values.schema.json"
_SMALL = """import profiles
from dataclasses import replace
profiles.PROFILES = (replace(profiles.PROFILES[0], cpus="50m", memory="1G"), *profiles.PROFILES[1:])
"""


@dataclass(frozen=True)
class Chart:
    folder: Path
    """With the schema that helm reads."""
    helm: Path
    scratch: Path

    def render(self, namespace: str, *more: str) -> subprocess.CompletedProcess[str]:
        return self.run("template", _RELEASE, str(self.folder), f"--namespace={namespace}", *_OURS, *more)

    def objects(self, namespace: str, *more: str) -> list[dict[str, Any]]:
        done = self.render(namespace, *more)
        assert done.returncode == 0, done.stderr
        return [each for each in yaml.safe_load_all(done.stdout) if each]

    def run(self, *args: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        ours = {f"HELM_{each}_HOME": str(self.scratch / each.lower()) for each in ("CACHE", "CONFIG", "DATA")}
        ours["KUBECONFIG"] = str(kubeconfig or os.devnull)
        return subprocess.run([self.helm, *args], env=os.environ | ours, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Installed:
    account: HubAccount
    address: str
    """The proxy's, as this machine reaches it, which is the cluster's node."""

    @property
    def here(self) -> str:
        return f"--namespace={self.account.site.hub_namespace}"

    def visitor(self, name: str) -> Visitor:
        """Not logged in yet."""
        return Visitor(self.address, self.account.user(name).name)

    def ready(self) -> None:
        for each in ("proxy", "hub"):
            done = self.account.admin(
                "rollout", "status", f"deployment/{each}", self.here, "--timeout=150s", check=False
            )
            assert done.returncode == 0, f"{done.stderr}\n{self.said(each)}"
        # A service finds its pod a moment after that.
        eventually(lambda: healthy(self.address), "the hub through its proxy")

    def restart(self, deployment: str) -> None:
        """As `kubectl rollout restart` does it, to the end."""
        self.account.admin("rollout", "restart", f"deployment/{deployment}", self.here)
        self.ready()

    def said(self, deployment: str) -> str:
        return self.account.admin("logs", f"deployment/{deployment}", self.here, "--tail=60", check=False).stdout

    def pods(self, name: str, group: str) -> dict[str, Any]:
        """Of every profile of this user, as the running hub's configuration makes them."""
        program = Path(__file__).with_name("print_pods.py").read_text()
        whole = "TEST_CONFIG=/usr/local/etc/jupyterhub/jupyterhub_config.py"
        command = ["exec", "-i", "deployment/hub", self.here, "--", "env", whole, "python3", "-", name, group]
        printed = self.account.admin(*command, input=program).stdout
        # The chart's own configuration tells what it loads.
        found: dict[str, Any] = json.loads(printed.splitlines()[-1])
        return found


_OURS = (f"--values={HUB_CONFIG / 'values.yaml'}",)


def chart(given: Path, scratch: Path) -> Chart:
    """A copy, with the schema that a release has made by the chart's own program."""
    folder = Path(shutil.copytree(given, scratch / "jupyterhub"))
    if not (folder / _SCHEMA).exists():
        tools = scratch / "tools"
        tools.mkdir()
        program = shutil.copy(given.parent / "tools" / "generate-json-schema.py", tools)
        subprocess.run([sys.executable, program], check=True, capture_output=True)
    return Chart(folder, binaries.helm(), scratch)


@contextmanager
def installed(made: Chart, account: HubAccount, cluster: Cluster) -> Iterator[Installed]:
    """Step 4 and 5 of the README; the volume of the hub's database is an administrator's."""
    space, site = account.site.hub_namespace, made.scratch / "site.yaml"
    site.write_text(yaml.safe_dump(_site(account, cluster)))
    _configure(account)
    args = (f"--namespace={space}", *_OURS, f"--values={site}")
    with volume(cluster, space, "hub-db-dir"):
        done = made.run("upgrade", "--install", _RELEASE, str(made.folder), *args, kubeconfig=account.admin.kubeconfig)
        assert done.returncode == 0, done.stderr
        service = account.admin.get("service", "proxy-public", args[0])["spec"]
        found = Installed(account, f"http://{service['clusterIP']}")
        try:
            found.ready()
            yield found
        finally:
            made.run("uninstall", _RELEASE, args[0], kubeconfig=account.admin.kubeconfig)


def _site(account: HubAccount, cluster: Cluster) -> Mapping[str, Any]:
    """What differs by site."""
    given = in_cluster(account, cluster)
    # The hub's account comes with its pod.
    del given["KUBECONFIG"]
    given["HUB_CONNECT_URL"] = f"http://hub.{account.site.hub_namespace}.svc:8081"
    return {
        "hub": {"image": _image(cluster, "hub"), "extraEnv": given, "extraConfig": {"small": _SMALL}},
        "proxy": {"chp": {"image": _image(cluster, "proxy")}},
    }


def _image(cluster: Cluster, name: str) -> dict[str, str]:
    image, _, tag = cluster.images.ensure(name).rpartition(":")
    return {"name": image, "tag": tag}


def _configure(account: HubAccount) -> None:
    """The ConfigMaps, by the README's commands."""
    files = {
        "kube-magics-config": (HUB_CONFIG / "jupyterhub_config.py", HUB_CONFIG / "profiles.py"),
        "kube-magics-userspace": (HUB_CONFIG / "userspace",),
    }
    for name, sources in files.items():
        command = ("create", "configmap", name, f"--namespace={account.site.hub_namespace}", "--dry-run=client")
        text = account.admin(*command, "--output=yaml", *(f"--from-file={each}" for each in sources)).stdout
        account.admin("apply", "--filename=-", input=text)
