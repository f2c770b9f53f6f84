"""An interrupt when the program has ended and its values are on their way: none is lost, none counts as fetched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from kube_magics.jobs.interrupt import SETTLE_S
from kube_magics.spec.names import ANNOTATION_FETCHED
from tests.acceptance.desk import Desk, admin_of, eventually
from tests.acceptance.gate import Gate
from tests.acceptance.test_interrupt import ASKED, asked
from tests.acceptance.test_waits import fetched
from tests.faults.proxy import Proxy
from tests.s3 import BUCKET, Server, server

pytestmark = pytest.mark.jobs

CELL = """%%kubetrain --name {name} --artifacts {url} --returns big,small
import pathlib, time
print('up', flush=True)
while not pathlib.Path('go on').exists():
    time.sleep(0.05)
big, small = b'1' * 3_000_000, 7
"""
KEPT = f"__import__('fsspec').filesystem('s3', use_listings_cache=False).find({BUCKET!r})"


@pytest.fixture(scope="module")
def store(here: Desk) -> Iterator[tuple[Server, Proxy]]:
    """An object store, and what stands between it and everybody here."""
    with server() as found:
        address = urlsplit(found.endpoint)
        between = Proxy(address.hostname or "", address.port or 80)
        between.start()
        known = {**found.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{between.port}"}
        here.right(f"import os\nos.environ.update({known!r})")
        yield found, between
        between.stop()


@pytest.fixture(autouse=True)
def again(here: Desk) -> Iterator[None]:
    yield
    (here.folder / "go on").unlink(missing_ok=True)


def test_while_the_job_stores_them(here: Desk, store: tuple[Server, Proxy]) -> None:
    cell = CELL.format(name="stores", url=store[0].url)
    request = here.kernel.send(cell)
    here.says("stores", "up\n")
    with store[1].holding(b"/out-") as held:
        (here.folder / "go on").touch()
        assert held.wait(30)
        asked(here.kernel, request)
        ran = here.kernel.finish(request)
    assert ran.error == "Detached", ran
    assert ASKED.format("stores") in ran.stderr
    assert here.kernel.value("'big' in globals()") == "False"
    assert not fetched(here, "stores")
    assert "of this same cell" in here.right(cell).stdout
    taken(here, "stores")


def test_stopped_while_it_stores_them(here: Desk, store: tuple[Server, Proxy]) -> None:
    """What does not get into the store any more is lost to nobody on this machine."""
    request = here.kernel.send(CELL.format(name="stopped", url=store[0].url))
    here.says("stopped", "up\n")
    with store[1].holding(b"/out-") as held:
        (here.folder / "go on").touch()
        assert held.wait(30)
        asked(here.kernel, request)
        here.kernel.interrupt()
        ran = here.kernel.finish(request)
    assert ran.error == "JobStopped", ran
    taken(here, "stopped")


def test_while_this_notebook_reads_them(here: Desk, store: tuple[Server, Proxy]) -> None:
    """By `result()`; then `%kube attach` has them."""
    (here.folder / "go on").touch()
    here.right(CELL.format(name="read", url=store[0].url).replace(" --name", " --detach --name"))
    here.right("job = _\njob.wait()")
    with store[1].holding(f"GET /{BUCKET}/jobs/".encode()) as held:
        request = here.kernel.send("job.result()")
        assert held.wait(30)
        here.kernel.interrupt()
        ran = here.kernel.finish(request)
    assert ran.error == "Detached", ran
    assert "the results of job read were being loaded: they are still where they were" in ran.traceback
    assert not fetched(here, "read")
    here.right("%kube attach read")
    taken(here, "read")


def taken(desk: Desk, name: str) -> None:
    """The values are here, nothing is left in the store, and the job has gone."""
    assert desk.kernel.value("(len(big), small)") == "(3000000, 7)"
    eventually(lambda: fetched(desk, name), "a note that they are fetched")
    eventually(lambda: desk.kernel.value(KEPT) == "[]", "an empty store")
    desk.right(f"del big, small\n%kube delete {name}")


@pytest.mark.cluster
def test_while_they_come_through_the_log(there: Desk, gated: Gate) -> None:
    """The job is over, which a stop finds too late: its values wait all the same, for whoever comes next."""
    cell = (
        "%%kubetrain --name logged --cpus 100m --returns a,b,c\nimport os\nprint('up', flush=True)\n"
        "a, b, c = (os.urandom(900_000) for _ in range(3))"
    )
    gated.hold(body=r"^GET .*/log$")
    request = there.kernel.send(cell)
    assert gated.held.wait(60)
    asked(there.kernel, request)
    ran = there.kernel.finish(request)
    assert ran.error == "Detached", ran
    assert "up\n" in ran.stdout

    def job() -> Any:
        return admin_of(there).kubectl.get("job", "logged")

    eventually(lambda: job()["status"].get("succeeded"), "its end")
    request = there.kernel.send(cell)
    eventually(lambda: "up\n" in there.kernel.peek(request).stdout, "its log")
    asked(there.kernel, request)
    there.kernel.interrupt()
    eventually(lambda: "stopping job logged" in there.kernel.peek(request).stderr, "the stop")
    time.sleep(SETTLE_S)
    there.kernel.interrupt()
    ran = there.kernel.finish(request)
    assert ran.error == "Detached", ran
    assert ANNOTATION_FETCHED not in job()["metadata"]["annotations"]
    gated.hold()
    ran = there.right(cell)
    assert "job logged of this same cell has ended, and its results have not been fetched yet: attached" in ran.stdout
    assert there.kernel.value("[len(each) for each in (a, b, c)]") == "[900000, 900000, 900000]"
    eventually(lambda: ANNOTATION_FETCHED in job()["metadata"]["annotations"], "a note that they are fetched")
    there.right("%kube delete logged")
