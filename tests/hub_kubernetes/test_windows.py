"""hub-config/time-windows.yaml: the pool is closed and opened again, and its account can do nothing else.

The pool is a node that only the API server knows: nobody's jobs are kept from the real one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.acceptance.desk import eventually
from tests.cluster import Cluster
from tests.cluster.kubectl import Kubectl
from tests.cluster.paths import CHECKOUT

# A second node, though it is none, changes what the scheduler says of pods that wait.
pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.long]

MANIFEST = CHECKOUT / "hub-config" / "time-windows.yaml"
IMAGE = "registry.k8s.io/kubectl:v1.35.0"


CORDON = '--patch={"spec":{"unschedulable":true}}'
"""kubectl's own cordon ends with 0 when it is refused."""


@dataclass(frozen=True)
class Windows:
    name: str
    """Of the namespace, and of all that has one name in a cluster."""
    pool: str
    """The node."""
    admin: Kubectl

    def run(self, cronjob: str) -> str:
        """One of its jobs now, to its end: `Complete` or `Failed`."""
        here, name = f"--namespace={self.name}", f"{cronjob}-{secrets.token_hex(3)}"
        self.admin("create", "job", name, f"--from=cronjob/{cronjob}", here)

        def ended() -> str | None:
            conditions = self.admin.get("job", name, here)["status"].get("conditions", [])
            return next((each["type"] for each in conditions if each["type"] in ("Complete", "Failed")), None)

        return str(eventually(ended, f"the end of {cronjob}"))

    def closed(self) -> bool:
        taints = self.admin.get("node", self.pool)["spec"].get("taints", [])
        return {"key": "kube-magics.io/closed", "value": "by-day", "effect": "NoSchedule"} in taints

    def refused(self, *command: str) -> str:
        """What the API server says to the pool's account, which an administrator may do."""
        self.admin(*command, "--dry-run=server")
        account = f"--as=system:serviceaccount:{self.name}:pool"
        done = self.admin(*command, "--dry-run=server", account, check=False)
        assert done.returncode != 0, done
        return done.stderr


@pytest.fixture(scope="module")
def windows(cluster: Cluster) -> Iterator[Windows]:
    name, admin = f"windows-{secrets.token_hex(3)}", cluster.kubectl
    text = MANIFEST.read_text().replace("kube-magics-windows", name).replace(IMAGE, cluster.images.ensure("kubectl"))
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kube-magics.io/pool": "ml"}}}
    try:
        admin("create", "--filename=-", input=json.dumps(node))
        admin("apply", "--server-side", "--filename=-", input=text)
        made = Windows(name, name, admin)
        probe = ("label", "node", name, "probe=1", "--dry-run=server", f"--as=system:serviceaccount:{name}:pool")
        eventually(lambda: "not their labels" in admin(*probe, check=False).stderr, "the admission policy")
        yield made
    finally:
        admin("delete", "--filename=-", "--wait=false", "--ignore-not-found", input=text, check=False)
        admin("delete", "node", name, "--wait=false", "--ignore-not-found", check=False)


def test_the_pool_is_closed_and_opened_again(windows: Windows) -> None:
    assert (windows.run("close"), windows.closed()) == ("Complete", True)
    # Closing what is closed is no error.
    assert (windows.run("close"), windows.closed()) == ("Complete", True)
    assert (windows.run("open"), windows.closed()) == ("Complete", False)


def test_its_account_changes_one_taint_of_the_pool_and_nothing_else(windows: Windows, cluster: Cluster) -> None:
    [other] = [
        each["metadata"]["name"]
        for each in cluster.kubectl.get("nodes")["items"]
        if each["metadata"]["name"] != windows.pool
    ]
    assert "only nodes of the pool" in windows.refused("taint", "node", other, "kube-magics.io/closed=x:NoSchedule")
    assert "only the taint" in windows.refused("taint", "node", windows.pool, "mine=x:NoExecute")
    assert "only the taint" in windows.refused("patch", "node", windows.pool, "--type=merge", CORDON)
    assert "not their labels" in windows.refused("label", "node", windows.pool, "role=admin")
    assert "forbidden" in windows.refused("create", "namespace", f"more-{windows.name}")
