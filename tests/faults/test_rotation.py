"""A node that rotates the log while nobody can read it: the exact loss is said, or nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.desk import admin_of, environment
from tests.cluster import Cluster
from tests.faults.conftest import Linked, link
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


def away(linked: Linked, name: str) -> None:
    linked.desk.says(name, "0020000 ")
    with linked.proxy.silent():
        time.sleep(AWAY_S)


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


@dataclass(frozen=True)
class Rotated:
    """What one user got of a log that was rotated while nobody could read it."""

    log: Path
    ran: Ran
    again: Ran
    """By another notebook, later."""

    @property
    def later(self) -> Path:
        return self.log.with_name("rotated.2.log")


@pytest.fixture(scope="module")
def rotated(linked: Linked, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rotated, ...]:
    """Of two users at the same time. Only the second may read the node's files; there is none where nobody can."""
    with ExitStack() as exits:
        users = [linked]
        with suppress(NotHere):
            second = exits.enter_context(link(tmp_path_factory.mktemp("second"), cluster))
            exits.enter_context(may_read_nodes(admin_of(second.desk), cluster))
            users.append(second)
        with ThreadPoolExecutor(len(users)) as pool:
            acted = [pool.submit(away, each, "rotated") for each in users]
            sent = [each.desk.kernel.send(cell("rotated", LINES, RATE, width=WIDTH)) for each in users]
            ran = [each.desk.kernel.finish(request) for each, request in zip(users, sent, strict=True)]
            for story in acted:
                story.result()
        again = [attached_elsewhere(each, "rotated") for each in users]
    return tuple(Rotated(each.log("rotated"), *runs) for each, *runs in zip(users, ran, again, strict=True))


def test_what_a_rotation_took_is_counted_to_the_line(rotated: tuple[Rotated, ...]) -> None:
    assert rotated[0].ran.error is None, rotated[0].ran
    assert exactly_counted(rotated[0].log) > 0
    assert exactly_counted(rotated[0].later) > 0


def test_what_a_rotation_took_comes_from_the_node(rotated: tuple[Rotated, ...]) -> None:
    if len(rotated) == 1:
        pytest.skip("nobody can read the files of this cluster's node")
    whole(rotated[1].ran, rotated[1].log, LINES)
    whole(rotated[1].again, rotated[1].later, LINES)


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
