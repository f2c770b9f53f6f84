"""The node under a job runs out of memory, or stops answering; the node is put back as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.belongings import deleted
from tests.acceptance.desk import Desk, admin_of, desk, eventually
from tests.cluster import Cluster
from tests.cluster.paths import NODE
from tests.faults.endings import Ending, another, check, check_later, once, submit

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.long]

HOARDS = "hoard = bytearray(1536 << 20)\nhoard[::4096] = b'x' * len(hoard[::4096])\nimport time\nprint('up', flush=True)\ntime.sleep(900)"
LASTS = "import time\nprint('up', flush=True)\ntime.sleep(900)"
MIB = 1 << 20
TAINT = "kube-magics.test/gone"
AWAY = "node.kubernetes.io/unreachable"
"""What a cluster taints a node with that does not answer, and each pod bears for five minutes. One whose nodes are all
away does not ("master disruption mode", pkg/controller/nodelifecycle): here the test does."""


@contextmanager
def ends(folder: Path, cluster: Cluster, name: str, ending: Ending, options: str) -> Iterator[Desk]:
    """A user with one job, which is up, and what they are told in the end."""
    with desk(folder, cluster) as found:
        submit(found, {name: ending}, options)
        found.says(name, "up\n")
        yield found
        with another(found, found.folder / "elsewhere") as elsewhere:
            check_later(elsewhere, found, name, ending)
        once(found, {name: ending})
        deleted(found)


def condition(cluster: Cluster, kind: str) -> str:
    found: list[dict[str, Any]] = cluster.kubectl.get("node", NODE)["status"]["conditions"]
    return next(str(each["status"]) for each in found if each["type"] == kind)


def test_the_node_runs_out_of_memory(tmp_path: Path, cluster: Cluster) -> None:
    """For the kubelet, which is told to keep more of it free than there is: the pod goes that uses more than it asked."""
    ending = Ending(
        HOARDS,
        "PodLost",
        ("Its node ran out of memory", "The node was low on resource: memory"),
        "--memory SIZE reserves",
    )
    with ends(tmp_path / "user", cluster, "hoards", ending, "--cpus 10m --detach") as user:
        try:
            path = f"/api/v1/nodes/{NODE}/proxy/stats/summary"
            node = json.loads(cluster.kubectl("get", f"--raw={path}").stdout)["node"]
            free = node["memory"]["availableBytes"] // MIB
            kept = {"memory.available": f"{free + 512}Mi", "nodefs.available": "1%", "imagefs.available": "1%"}
            cluster.restart_kubelet(evictionHard=kept, evictionPressureTransitionPeriod="1s")
            check(user, "hoards", ending)
        finally:
            cluster.restart_kubelet()
            eventually(lambda: condition(cluster, "MemoryPressure") == "False", "a node without pressure")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("taint", [TAINT, AWAY], ids=["tainted", "waited-for"])
def test_the_node_stops_answering(tmp_path: Path, cluster: Cluster, taint: str) -> None:
    """The cluster waits 40 s before it says so, and five minutes more before it gives up the node's pods; with a taint,
    as an administrator or a cloud's controller sets it, at once."""
    later = ("PodLost", "Its pod is gone")
    ending = Ending(LASTS, "PodLost", ("Its node stopped answering",), "run the cell again", later=later)
    with ends(tmp_path / "user", cluster, "lasts", ending, "--cpus 10m --memory 128Mi --detach") as user:
        cluster.stop_kubelet()
        try:
            if taint == AWAY:
                eventually(lambda: condition(cluster, "Ready") == "Unknown", "the cluster's word that it is away")
            cluster.kubectl("taint", "node", NODE, f"{taint}:NoExecute", "--overwrite")
            ran = user.run("jobs['lasts'].result()", 600)
            assert ran.error == "PodLost", ran
            check(user, "lasts", ending)
        finally:
            cluster.kubectl("taint", "node", NODE, f"{taint}-", check=False)
            cluster.start_kubelet()
            space = admin_of(user)
            asked = ("pods", f"--namespace={space.name}", "--selector=job-name=lasts")
            eventually(lambda: not space.admin.get(*asked)["items"], "the end of the pod")
            cluster.kubectl("rollout", "status", "deployment/coredns", "--namespace=kube-system", "--timeout=120s")
