"""A node that rotates the log while nobody can read it: the exact loss is said, or nothing is lost."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.desk import admin_of
from tests.cluster import Cluster
from tests.cluster.namespaces import ACCOUNT
from tests.faults.conftest import Linked
from tests.faults.counting import cell
from tests.faults.test_cuts import through_cuts, whole
from tests.kernel import Ran

pytestmark = pytest.mark.cluster

LOST = re.compile(rb"\[kube_magics: ([0-9,]+) lines \(([0-9,]+) bytes\) were lost between the pod and here")
NODE_LOGS = Path("/var/log/pods")
"""Where a node serves them from; the test cluster keeps its own elsewhere, so that it leaves nothing here."""
LINES, RATE, WIDTH = 400_000, 12_000, 180
AWAY_S = 25.0
"""Twice as long as a rotation takes: the kubelet looks every ten seconds."""


@contextmanager
def may_read_nodes(linked: Linked, cluster: Cluster) -> Iterator[None]:
    """The user has the right `nodes/proxy`, and the node serves its files as others do."""
    if NODE_LOGS.exists():
        pytest.skip(f"{NODE_LOGS} of this machine belongs to something else")
    node = cluster.kubectl("get", "nodes", "--output=jsonpath={.items[0].metadata.name}").stdout
    config = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/configz").stdout)
    kept = Path(config["kubeletconfig"]["podLogsDir"])
    if not kept.is_dir():
        pytest.skip("this machine is not the cluster's node")
    name, space = f"nodes-{admin_of(linked.desk).name}", admin_of(linked.desk).name
    NODE_LOGS.symlink_to(kept)
    try:
        cluster.kubectl("create", "clusterrole", name, "--verb=get", "--resource=nodes/proxy")
        cluster.kubectl(
            "create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount={space}:{ACCOUNT}"
        )
        yield
    finally:
        NODE_LOGS.unlink()
        cluster.kubectl("delete", "clusterrolebinding,clusterrole", name, check=False)


def through_rotations(linked: Linked, name: str) -> Ran:
    def act() -> None:
        linked.desk.says(name, "0020000 ")
        with linked.proxy.silent():
            time.sleep(AWAY_S)

    with ThreadPoolExecutor(1) as pool:
        acted = pool.submit(act)
        ran = linked.desk.kernel.run(cell(name, LINES, RATE, width=WIDTH), 110)
        acted.result()
    return ran


def exactly_counted(path: Path, lines: int = LINES) -> int:
    """The lines that the log says are lost: exactly those that are not there."""
    text = path.read_bytes()
    said = sum(int(count.replace(b",", b"")) for count, _ in LOST.findall(text))
    numbers = [int(line[:7]) for line in text.split(b"\n") if re.match(rb"\d{7} \.*$", line)]
    assert said == lines - len(set(numbers))
    assert len(set(numbers)) == len(numbers)
    return said


def test_what_a_rotation_took_is_counted_to_the_line(linked: Linked) -> None:
    ran = through_rotations(linked, "rotated")
    assert ran.error is None, ran
    assert exactly_counted(linked.log("rotated")) > 0
    ran = linked.desk.right("%kube attach rotated")
    assert exactly_counted(linked.log("rotated.2")) > 0


def test_what_a_rotation_took_comes_from_the_node(linked: Linked, cluster: Cluster) -> None:
    with may_read_nodes(linked, cluster):
        whole(through_rotations(linked, "put-aside"), linked.log("put-aside"), LINES)
        whole(linked.desk.right("%kube attach put-aside"), linked.log("put-aside.2"), LINES)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_mixed_cuts_lose_nothing(linked: Linked, cluster: Cluster) -> None:
    """At this rate the node rotates every ten seconds, often while nobody is connected."""
    lines = 4_000_000
    with may_read_nodes(linked, cluster):
        ran, broken = through_cuts(linked, "cuts-long", lines, 20_000, 200, 1500)
        whole(ran, linked.log("cuts-long"), lines)
    assert broken >= 200


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_what_two_hundred_cuts_cost_without_that_right_is_counted(linked: Linked) -> None:
    lines = 4_000_000
    ran, _ = through_cuts(linked, "cuts-counted", lines, 20_000, 200, 1500)
    assert ran.error is None, ran
    exactly_counted(linked.log("cuts-counted"), lines)
