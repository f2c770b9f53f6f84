"""A link on which nothing comes any more, though it is open: noticed, said, and mended when it is back."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.acceptance.desk import admin_of, eventually
from tests.cluster import Cluster
from tests.faults.conftest import Linked
from tests.faults.counting import cell
from tests.faults.test_cuts import whole
from tests.kernel import Ran

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

AWAY = re.compile(r"\[kube_magics: no word from the cluster for (\d+) s; the job goes on there")
BACK = re.compile(r"\[kube_magics: the cluster answers again after (\d+) s")


def through(linked: Linked, name: str, fault: AbstractContextManager[object], away_s: float, rate: int = 200) -> Ran:
    """A job that prints during the fault and after it, and whose log file is whole at the end."""
    lines = int((away_s + 7) * rate)

    def act() -> None:
        linked.desk.says(name, f"{2 * rate:07} ")
        with fault:
            time.sleep(away_s)
            size = linked.log(name).stat().st_size
        began = time.monotonic()
        eventually(lambda: linked.log(name).stat().st_size > size, "a line after the fault")
        print(f"{name}: goes on {time.monotonic() - began:.2f} s after the fault")

    # The kernel's client belongs to this thread.
    with ThreadPoolExecutor(1) as pool:
        acted = pool.submit(act)
        ran = linked.desk.kernel.run(cell(name, lines, rate), away_s + 100)
        acted.result()
    whole(ran, linked.log(name), lines)
    return ran


def said(ran: Ran) -> list[int]:
    """Seconds, as the notebook was told when the link was known to be away, and when it was back."""
    away, back = AWAY.findall(ran.stderr), BACK.findall(ran.stderr)
    assert len(away) == len(back) == 1, ran.stderr
    return [int(away[0]), int(back[0])]


@pytest.mark.parametrize("forget", [False, True], ids=["resumes", "forgets"])
def test_a_silent_link(linked: Linked, forget: bool) -> None:
    noticed, lasted = said(through(linked, f"silent-{forget}".lower(), linked.proxy.silent(forget=forget), 12))
    assert noticed <= 10
    assert noticed < lasted


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("forget", [False, True], ids=["resumes", "forgets"])
def test_a_link_that_is_silent_for_a_minute(linked: Linked, forget: bool) -> None:
    noticed, lasted = said(through(linked, f"minute-{forget}".lower(), linked.proxy.silent(forget=forget), 60))
    assert noticed <= 10
    assert lasted > 50  # since the last word that was read, which a busy notebook reads later


def test_a_server_that_accepts_nothing_for_a_while(linked: Linked) -> None:
    noticed, lasted = said(through(linked, "refusing", linked.proxy.refusing(), 6))
    assert noticed <= 10
    assert noticed < lasted


def test_a_link_that_is_silent_while_a_job_waits_for_its_pod(linked: Linked, cluster: Cluster) -> None:
    """Said once, though nothing of a log can be read yet; and the job's value comes."""
    gpus = cluster.kubectl.get("nodes")["items"][0]["status"]["allocatable"]["nvidia.com/gpu"]
    linked.desk.right(f"%%kubetrain --detach --name holds --cpus 100m --gpus {gpus}\nimport time\ntime.sleep(600)")
    request = linked.desk.kernel.send("%%kubetrain --name waits --cpus 100m --gpus 1 --returns n\nn = 42")
    eventually(lambda: "waits: " in linked.desk.kernel.peek(request).stderr, "why it waits")
    with linked.proxy.silent():
        time.sleep(12)
    eventually(lambda: BACK.search(linked.desk.kernel.peek(request).stderr), "its return")
    admin_of(linked.desk).admin("delete", "job", "holds", "--wait=false", f"--namespace={admin_of(linked.desk).name}")
    ran = linked.desk.kernel.finish(request)
    assert ran.error is None, ran
    assert linked.desk.kernel.value("n") == "42"
    noticed, lasted = said(ran)
    assert noticed <= 10
    assert noticed < lasted


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """As on a laptop that sleeps: the link lives on, and nobody reads from it."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_notebook_that_sleeps(linked: Linked) -> None:
    through(linked, "asleep", stopped(linked.desk.kernel.pid), 20)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_notebook_that_sleeps_for_two_minutes_and_whose_connections_are_forgotten(linked: Linked) -> None:
    @contextmanager
    def both() -> Iterator[None]:
        with linked.proxy.silent(forget=True), stopped(linked.desk.kernel.pid):
            yield

    through(linked, "asleep-long", both(), 120)
