"""A node that rotates the log while nobody can read it: the exact loss is said, or nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.desk import admin_of, environment
from tests.cluster import Cluster
from tests.faults.conftest import Linked
from tests.faults.counting import cell, tallied
from tests.faults.nodes import NotHere, may_read_nodes
from tests.faults.test_cuts import through_cuts, whole
from tests.kernel import Kernel, Ran

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

LINES, RATE, WIDTH = 400_000, 12_000, 180
AWAY_S = 25.0
"""Twice as long as a rotation takes: the kubelet looks every ten seconds."""


@contextmanager
def node_files(linked: Linked, cluster: Cluster) -> Iterator[None]:
    try:
        with may_read_nodes(admin_of(linked.desk), cluster):
            yield
    except NotHere as error:
        pytest.skip(str(error))


def through_rotations(linked: Linked, name: str) -> Ran:
    def act() -> None:
        linked.desk.says(name, "0020000 ")
        with linked.proxy.silent():
            time.sleep(AWAY_S)

    with ThreadPoolExecutor(1) as pool:
        acted = pool.submit(act)
        ran = linked.desk.kernel.run(cell(name, LINES, RATE, width=WIDTH), 180)
        acted.result()
    return ran


def attached_elsewhere(linked: Linked, name: str) -> Ran:
    """By a kernel that has not read the log before: all of it is asked for again."""
    with Kernel(linked.desk.folder, environment(linked.desk)) as kernel:
        assert kernel.run("%load_ext kube_magics").error is None
        return kernel.run(f"%kube attach {name}")


def exactly_counted(path: Path, lines: int = LINES) -> int:
    """The lines that the log says are lost: exactly those that are not there."""
    found = tallied(path, lines)
    assert (found.unsaid, found.doubled) == (0, 0), found
    return found.said


def test_what_a_rotation_took_is_counted_to_the_line(linked: Linked) -> None:
    ran = through_rotations(linked, "rotated")
    assert ran.error is None, ran
    assert exactly_counted(linked.log("rotated")) > 0
    ran = attached_elsewhere(linked, "rotated")
    assert exactly_counted(linked.log("rotated.2")) > 0


def test_what_a_rotation_took_comes_from_the_node(linked: Linked, cluster: Cluster) -> None:
    with node_files(linked, cluster):
        whole(through_rotations(linked, "put-aside"), linked.log("put-aside"), LINES)
        whole(attached_elsewhere(linked, "put-aside"), linked.log("put-aside.2"), LINES)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_mixed_cuts_lose_nothing(linked: Linked, cluster: Cluster) -> None:
    """At this rate the node rotates every ten seconds, often while nobody is connected."""
    lines = 4_000_000
    with node_files(linked, cluster):
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
