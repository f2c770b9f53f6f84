"""A kernel that follows for long, and many, over a link that breaks: it holds afterwards what it held before."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from kube_magics.cluster.connections import KEPT
from tests.acceptance.desk import admin_of, eventually
from tests.cluster import Cluster
from tests.faults.conftest import Linked
from tests.faults.counting import cell
from tests.faults.nodes import may_read_nodes
from tests.faults.test_cuts import whole
from tests.held import Held, held

pytestmark = pytest.mark.cluster

MOST_GROWN_MB = 15.0
"""What the notebook's own history, and an allocator that gives nothing back, may come to."""
SETTLE_S = 30.0
RATE = 2_000

CHATTER = """\
import kube_magics
def chatter(n, seconds):
    import time
    for i in range(10 * seconds):
        print(n, i, flush=True)
        time.sleep(0.1)
    return n
def begin(name, count, seconds):
    return [kube_magics.train(chatter, (n, seconds), name=f"{name}-{n}", cpus="20m", memory="64Mi") for n in range(count)]
"""


TIDY = """\
import ctypes, gc, threading
_ = gc.collect()
_ = ctypes.CDLL(None).malloc_trim(0)
print(sum(each.name.startswith("asyncio_") for each in threading.enumerate()))
"""
"""What is left is held: not garbage, nor what glibc keeps for the next time. Says how many threads the event loop's own
pool has begun: up to its bound, when several were needed at once."""


def now(linked: Linked) -> Held:
    """What the kernel holds; connections: to the cluster; threads: without those of the loop's pool."""
    pool = int(linked.desk.right(TIDY).stdout)
    found = held(linked.desk.kernel.pid, linked.proxy.port)
    return replace(found, threads=found.threads - pool)


def settled(linked: Linked, before: Held) -> Held:
    """What it holds when it has come back to no more descriptors and threads than `before`, kept connections apart."""
    found = [before]

    def back() -> bool:
        found.append(now(linked))
        own, own_before = (each.files - each.connections for each in (found[-1], before))
        return own <= own_before and found[-1].threads <= before.threads and found[-1].connections <= 2 * KEPT

    try:
        eventually(back, "descriptors and threads as before", SETTLE_S)
    finally:
        print(f"before: {before}; after: {found[-1]}")
    return found[-1]


def one_by_one(linked: Linked, name: str, count: int) -> None:
    for n in range(count):
        linked.desk.right(f"%%kubetrain --name {name}-{n} --cpus 20m --memory 64Mi --returns n\nn = 1\nprint(n)")


def at_once(linked: Linked, name: str, count: int) -> None:
    wait = f"assert kube_magics.wait_all(jobs) == list(range({count}))\ndel jobs"
    linked.desk.right(f"jobs = begin('{name}-at-once', {count}, 1)\n{wait}", 180)


def warm(linked: Linked, name: str, count: int) -> Held:
    """Twice, so that caches, pools and the allocator have what they will have."""
    linked.desk.right(CHATTER)
    linked.desk.right("print('.' * 200_000)")  # ZeroMQ begins threads for the first message of more than 64 KiB
    for n in range(2):
        at_once(linked, f"{name}-warm-{n}", count)
    one_by_one(linked, f"{name}-warm", 1)
    return settled(linked, now(linked))


def beside_others(linked: Linked, name: str, lines: int, every_s: float) -> None:
    """A job of `lines` lines to its end beside two that go on, its link cut every so many seconds."""
    seconds = lines // RATE
    linked.desk.right(f"jobs = begin('{name}-beside', 2, {seconds})")
    request = linked.desk.kernel.send(cell(name, lines, RATE))
    linked.desk.says(name, "0000000 ")
    began = time.monotonic()
    while time.monotonic() - began < seconds - every_s:
        time.sleep(every_s)
        # Each log has a connection of its own, which may still be on its way after the last cut.
        eventually(lambda: held(linked.desk.kernel.pid, linked.proxy.port).connections >= 3, "all connections")
        print(f"{time.monotonic() - began:.0f} s: {held(linked.desk.kernel.pid, linked.proxy.port)}")
        assert linked.proxy.cut() >= 3
    ran = linked.desk.kernel.finish(request, seconds + 100)
    whole(ran, linked.log(name), lines)
    linked.desk.right("assert kube_magics.wait_all(jobs) == [0, 1]\ndel jobs")
    for n in range(2):
        text = linked.log(f"{name}-beside-{n}").read_text()
        assert text == "".join(f"{n} {i}\n" for i in range(10 * seconds))


def test_a_kernel_holds_no_more_than_before(linked: Linked) -> None:
    before = warm(linked, "short", 4)
    beside_others(linked, "short", 20_000, 3)
    one_by_one(linked, "short", 3)
    at_once(linked, "short", 4)
    assert settled(linked, before).memory_mb - before.memory_mb < MOST_GROWN_MB


@pytest.mark.long
@pytest.mark.timeout(900)
def test_fifty_jobs_one_by_one_and_twenty_at_once(linked: Linked) -> None:
    before = warm(linked, "many", 20)
    one_by_one(linked, "many", 50)
    at_once(linked, "many", 20)
    assert settled(linked, before).memory_mb - before.memory_mb < MOST_GROWN_MB


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_million_lines_beside_others_and_a_cut_every_minute(linked: Linked, cluster: Cluster) -> None:
    before = warm(linked, "million", 3)
    with may_read_nodes(admin_of(linked.desk), cluster):  # some rotation may meet a cut
        beside_others(linked, "million", 1_000_000, 60)
    assert settled(linked, before).memory_mb - before.memory_mb < MOST_GROWN_MB
