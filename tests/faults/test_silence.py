"""A link on which nothing comes any more, though it is open: noticed, said, and mended when it is back."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.acceptance.desk import admin_of, eventually
from tests.cluster import Cluster
from tests.faults.conftest import Linked, another
from tests.faults.counting import cell
from tests.faults.test_cuts import whole
from tests.kernel import Ran

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

RATE = 200
AWAY = re.compile(r"\[kube_magics: no word from the cluster for (\d+) s; the job goes on there")
BACK = re.compile(r"\[kube_magics: the cluster answers again after (\d+) s")


def act(linked: Linked, name: str, fault: AbstractContextManager[object], away_s: float) -> None:
    """Once the job has printed for two seconds: the fault, and a line after it."""
    linked.desk.says(name, f"{2 * RATE:07} ")
    with fault:
        time.sleep(away_s)
        size = linked.log(name).stat().st_size
    began = time.monotonic()
    eventually(lambda: linked.log(name).stat().st_size > size, "a line after the fault")
    print(f"{name}: goes on {time.monotonic() - began:.2f} s after the fault")


def lines(away_s: float) -> int:
    """Of a job that prints during the fault and after it."""
    return int((away_s + 7) * RATE)


def through(linked: Linked, name: str, fault: AbstractContextManager[object], away_s: float) -> Ran:
    """A job that prints all the while, and whose log file is whole at the end."""
    # The kernel's client belongs to this thread.
    with ThreadPoolExecutor(1) as pool:
        acted = pool.submit(act, linked, name, fault, away_s)
        ran = linked.desk.kernel.run(cell(name, lines(away_s), RATE), away_s + 180)
        acted.result()
    whole(ran, linked.log(name), lines(away_s))
    return ran


def said(ran: Ran) -> list[int]:
    """Seconds, as the notebook was told when the link was known to be away, and when it was back.

    Twice where a busy machine lets the first answers after the silence wait for seconds.
    """
    away, back = AWAY.findall(ran.stderr), BACK.findall(ran.stderr)
    assert 1 <= len(away) == len(back) <= 2, ran.stderr
    return [int(away[0]), int(back[0])]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """As on a laptop that sleeps: the link lives on, and nobody reads from it."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@dataclass(frozen=True)
class Story:
    fault: Callable[[Linked], AbstractContextManager[object]]
    away_s: float
    said: bool = True
    """The notebook is told."""


STORIES = {
    "resumes": Story(lambda linked: linked.proxy.silent(), 12),
    "forgets": Story(lambda linked: linked.proxy.silent(forget=True), 12),
    "accepts-nothing": Story(lambda linked: linked.proxy.refusing(), 6),
    "asleep": Story(lambda linked: stopped(linked.desk.kernel.pid), 20, said=False),
}
WAITS = "waits"


@dataclass(frozen=True)
class Silence:
    """What came of the stories, and of a job that waited for its pod."""

    linked: Linked
    ran: dict[str, Ran]
    acted: dict[str, Future[None]]
    value: str


@pytest.fixture(scope="module")
def silence(linked: Linked, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Silence:
    """Notebooks behind links of their own, all of which fail at the same time."""
    with ExitStack() as exits, ThreadPoolExecutor(len(STORIES)) as pool:
        desks = {name: exits.enter_context(another(linked, tmp_path_factory.mktemp(name))) for name in STORIES}
        acted = {
            name: pool.submit(act, desks[name], name, each.fault(desks[name]), each.away_s)
            for name, each in STORIES.items()
        }
        sent = {
            name: desks[name].desk.kernel.send(cell(name, lines(each.away_s), RATE)) for name, each in STORIES.items()
        }
        ran = {WAITS: while_it_waits(linked, cluster)}
        ran |= {name: desks[name].desk.kernel.finish(request) for name, request in sent.items()}
    return Silence(linked, ran, acted, linked.desk.kernel.value("n"))


def while_it_waits(linked: Linked, cluster: Cluster) -> Ran:
    """A link that is silent while a job waits for its pod."""
    gpus = cluster.kubectl.get("nodes")["items"][0]["status"]["allocatable"]["nvidia.com/gpu"]
    linked.desk.right(f"%%kubetrain --detach --name holds --cpus 100m --gpus {gpus}\nimport time\ntime.sleep(600)")
    request = linked.desk.kernel.send(f"%%kubetrain --name {WAITS} --cpus 100m --gpus 1 --returns n\nn = 42")
    eventually(lambda: "Not enough free GPUs" in str(linked.desk.kernel.peek(request).cards), "why it waits")
    with linked.proxy.silent():
        time.sleep(12)
    eventually(lambda: BACK.search(linked.desk.kernel.peek(request).stderr), "its return")
    admin_of(linked.desk).admin("delete", "job", "holds", "--wait=false", f"--namespace={admin_of(linked.desk).name}")
    return linked.desk.kernel.finish(request)


@pytest.mark.parametrize("name", STORIES)
def test_the_log_is_whole(silence: Silence, name: str) -> None:
    silence.acted[name].result()
    whole(silence.ran[name], silence.linked.log(name), lines(STORIES[name].away_s))


@pytest.mark.parametrize("name", [WAITS, *(name for name, story in STORIES.items() if story.said)])
def test_it_is_told_within_ten_seconds(silence: Silence, name: str) -> None:
    noticed, lasted = said(silence.ran[name])
    assert noticed <= 10
    assert noticed < lasted


def test_what_waits_for_its_pod_meanwhile_has_its_value(silence: Silence) -> None:
    """Though nothing of a log could be read yet."""
    ran = silence.ran[WAITS]
    assert ran.error is None, ran
    assert silence.value == "42"


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("forget", [False, True], ids=["resumes", "forgets"])
def test_a_link_that_is_silent_for_a_minute(linked: Linked, forget: bool) -> None:
    noticed, lasted = said(through(linked, f"minute-{forget}".lower(), linked.proxy.silent(forget=forget), 60))
    assert noticed <= 10
    assert lasted > 50  # since the last word that was read, which a busy notebook reads later


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_notebook_that_sleeps_for_two_minutes_and_whose_connections_are_forgotten(linked: Linked) -> None:
    @contextmanager
    def both() -> Iterator[None]:
        with linked.proxy.silent(forget=True), stopped(linked.desk.kernel.pid):
            yield

    through(linked, "asleep-long", both(), 120)
