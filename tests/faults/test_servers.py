"""The cluster's own servers crash, start again and hang: the log is whole, nothing is told dead, nothing is made twice."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.belongings import deleted, only
from tests.acceptance.desk import LOGS, Desk, desk, environment, eventually
from tests.cluster import Cluster
from tests.faults.counting import cell
from tests.faults.test_cuts import whole
from tests.faults.test_silence import AWAY, BACK
from tests.kernel import Kernel, Ran

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

RATE = 200
VALUE = "%%kubetrain --name {name} --cpus 100m --returns n {options}\nn = len(data)"
LARGE = 1_200_000


@dataclass(frozen=True)
class Office:
    """Three notebooks of one user: one follows a job, in one a job waits, one submits; it has the job `first`."""

    desk: Desk
    waits: Kernel
    submits: Kernel

    def log(self, name: str) -> Path:
        return self.desk.folder / LOGS / f"{name}.log"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Office]:
    with desk(tmp_path_factory.mktemp("office"), cluster) as found, ExitStack() as exits:
        kernels = [exits.enter_context(Kernel(found.folder, environment(found))) for _ in range(2)]
        for kernel in kernels:
            ran = kernel.run(f"%load_ext kube_magics\nimport os\ndata = os.urandom({LARGE})")
            assert ran.error is None, ran
        # A cluster that has never answered is an error at once: each has spoken to it before.
        ran = kernels[1].run("%%kubetrain --detach --name first --cpus 100m\nprint(1)")
        assert ran.error is None, ran
        yield Office(found, *kernels)
        deleted(found)


def told(ran: Ran) -> None:
    """The notebook was told that the cluster is away, and that it is back: a line each, and nothing of a dead job.

    Twice where a starting server on a busy machine lets its first answers wait for seconds.
    """
    assert not re.search("lost|died|failed|gone|evicted|lack the right", ran.stderr), ran.stderr
    assert 1 <= len(AWAY.findall(ran.stderr)) == len(BACK.findall(ran.stderr)) <= 2, ran.stderr


def without_apiserver(office: Office, cluster: Cluster, name: str, away_s: float) -> tuple[Ran, Ran, Ran]:
    """A job is followed, one waits for the GPUs that it holds, and one is submitted while there is no server."""
    names = [f"{name}-followed", f"{name}-waits", f"{name}-submitted"]
    gpus = cluster.kubectl.get("nodes")["items"][0]["status"]["allocatable"]["nvidia.com/gpu"]
    lines = int((away_s + 12) * RATE)
    followed = office.desk.kernel.send(cell(names[0], lines, RATE, f"--gpus {gpus}"))
    office.desk.says(names[0], "0000000 ")
    waits = office.waits.send(VALUE.format(name=names[1], options="--gpus 1"))
    eventually(lambda: "Not enough free GPUs" in str(office.waits.peek(waits).cards), "why it waits")
    with cluster.no_apiserver():
        submitted = office.submits.send(VALUE.format(name=names[2], options=""))
        time.sleep(away_s)
    ran = (
        office.desk.kernel.finish(followed, away_s + 100),
        office.waits.finish(waits, away_s + 100),
        office.submits.finish(submitted, away_s + 100),
    )
    whole(ran[0], office.log(names[0]), lines)
    assert [each.error for each in ran] == [None] * 3, ran
    assert [kernel.value("n") for kernel in (office.waits, office.submits)] == [str(LARGE)] * 2
    only(office.desk, "first", *names)
    deleted(office.desk, *names)
    return ran


def test_the_api_server_crashes_and_starts_again(office: Office, cluster: Cluster) -> None:
    """Away for some seconds: said once by those who wait, and once that it is back."""
    followed, waits, submitted = without_apiserver(office, cluster, "crash", 4)
    told(followed)
    told(waits)
    assert "[kube_magics: the cluster has not taken job crash-submitted yet" in submitted.stderr


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_api_server_is_down_for_twenty_seconds(office: Office, cluster: Cluster) -> None:
    followed, waits, _ = without_apiserver(office, cluster, "down", 20)
    told(followed)
    told(waits)


def printing(office: Office, name: str, seconds: float, *faults: tuple[AbstractContextManager[None], float]) -> Ran:
    """A job that prints during all of the faults and after them, and whose log is whole at the end."""
    lines = int(seconds * RATE)

    def act() -> None:
        office.desk.says(name, f"{RATE:07} ")
        for fault, lasts_s in faults:
            with fault:
                time.sleep(lasts_s)
            size = office.log(name).stat().st_size
            eventually(lambda size=size: office.log(name).stat().st_size > size, "a line after the fault")

    with ThreadPoolExecutor(1) as pool:
        acted = pool.submit(act)
        ran = office.desk.kernel.run(cell(name, lines, RATE), seconds + 100)
        acted.result()
    whole(ran, office.log(name), lines)
    only(office.desk, "first", name)
    deleted(office.desk, name)
    return ran


def test_the_kubelet_crashes_and_the_leg_to_it_is_cut(office: Office, cluster: Cluster) -> None:
    """A stream that ends cleanly in the middle, refused logs, then a node that says nothing."""
    told(printing(office, "node", 32, (cluster.no_kubelet(), 2), (cluster.hung_kubelet(), 11)))


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_kubelet_is_away_and_the_leg_to_it_is_cut_for_long(office: Office, cluster: Cluster) -> None:
    """Beyond the time after which the cluster calls the node not ready."""
    told(printing(office, "node-long", 160, (cluster.no_kubelet(), 30), (cluster.hung_kubelet(), 70)))
