"""What is left of a submit that does not go through, and what of one that is still under way: nothing, and all of it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kube_magics import errors
from kube_magics.backends.local import DEVICES, LocalBackend
from kube_magics.backends.localrunner import locked
from kube_magics.cells.capture import capture
from kube_magics.cells.notebook import Notebook
from kube_magics.cells.values.data import Data
from kube_magics.jobs import loop, orphans, records
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.job import Job
from kube_magics.jobs.origin import Origin
from kube_magics.jobs.records import Record
from kube_magics.jobs.store import Store
from kube_magics.jobs.submit import Prepared
from kube_magics.spec.job import Submission
from kube_magics.telemetry.snapshot import INCOMPLETE, Snapshot
from tests.acceptance.desk import eventually
from tests.jobs.local import backend_in, prepared

pytestmark = pytest.mark.jobs

CELL = "print('up')"
DEAD = (socket.gethostname(), 0, "")
"""A process that is gone."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path / "state"))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def origin() -> Origin:
    return Origin({}, capture("%%kubetrain\n1", Notebook({})).definitions(None), ())


class Cut(LocalBackend):
    """Behind a link that dies once a job has been taken: no answer comes, to that and to all that is asked then."""

    interrupts = False
    dead = False

    async def submit(self, submission: Submission) -> str | None:
        await super().submit(submission)
        self.dead = True
        if self.interrupts:
            os.kill(os.getpid(), signal.SIGINT)
        raise errors.Unreachable("No answer in time.", hint="--backend local")

    async def poll(self, name: str) -> Snapshot:
        if self.dead:
            raise errors.Unreachable("No answer in time.")
        return await super().poll(name)


def through_a_store(backend: LocalBackend, folder: Path) -> Prepared:
    """A submission with something to upload."""
    (folder / "store").mkdir()
    return replace(prepared(backend, CELL, "--artifacts", str(folder / "store")), parcel=Data((b"x" * 1000,)))


@pytest.mark.parametrize("interrupts", [False, True], ids=["by itself", "by an interrupt"])
def test_what_may_be_there_keeps_what_it_needs(tmp_path: Path, interrupts: bool) -> None:
    backend = Cut("a test", tmp_path / "jobs")
    backend.interrupts = interrupts
    kind = errors.SubmitError if interrupts else errors.Unreachable
    with pytest.raises(kind, match=r"is not known|does not say whether") as caught:
        submitting.submit(through_a_store(backend, tmp_path), origin())
    assert "%kube jobs" in (caught.value.hint or "")
    assert "--backend local" not in (caught.value.hint or ""), "it would run twice"
    assert list((tmp_path / "store").glob("*/data.pkl"))
    (record,) = records.opened()
    assert not record.arrived
    assert not records.in_work(record)
    backend.dead = False
    assert Job(backend, "job").wait(60) == "succeeded"
    assert loop.wait(orphans.clear(backend)) == []
    assert records.opened()[0].arrived


def test_what_was_never_asked_for_leaves_nothing(tmp_path: Path) -> None:
    class Away(LocalBackend):
        async def connect(self) -> None:
            raise errors.Unreachable("No connection.", hint="--backend local")

    with pytest.raises(errors.Unreachable) as caught:
        submitting.submit(through_a_store(Away("a test", tmp_path / "jobs"), tmp_path), origin())
    assert (caught.value.message, caught.value.hint) == ("No connection.", "--backend local")
    assert list((tmp_path / "store").iterdir()) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_submit_under_way_is_not_cut_off(tmp_path: Path) -> None:
    """Whichever thread of this kernel looks meanwhile, or kernel of another host that has the same home."""
    backend = backend_in(tmp_path)
    (tmp_path / "jobs").mkdir()
    made: list[Job] = []
    with locked(tmp_path / "jobs" / DEVICES):  # a submit waits here between the job's folder and its process
        ready = prepared(backend, CELL)
        submits = threading.Thread(target=lambda: made.append(submitting.submit(ready, origin())))
        submits.start()
        eventually((tmp_path / "jobs" / "job" / "bundle" / "main.py").is_file, "its folder")
        assert loop.wait(orphans.clear(backend)) == []
        (record,) = records.opened()
        host, pid, started = record.process
        for process in [("another", pid, started), ("another", os.getpid(), "1"), (host, pid, started)]:
            assert records.in_work(replace(record, process=process))
        for process in [DEAD, (host, pid, "another")]:
            assert not records.in_work(replace(record, process=process))
        assert not records.in_work(replace(record, process=("another", 1, "1"), sent_at=record.sent_at - 90_000))
    submits.join(60)
    assert made[0].wait(60) == "succeeded"
    assert records.opened()[0].arrived
    made[0].delete()


@pytest.mark.parametrize("there", [False, True], ids=["before the job", "before its process"])
def test_a_kernel_that_was_killed_in_a_submit_leaves_nothing_in_the_store(tmp_path: Path, there: bool) -> None:
    backend = backend_in(tmp_path)
    ready = through_a_store(backend, tmp_path)
    assert ready.store is not None
    record = records.begin(ready.submission, backend)
    ready.store.send(ready.parcel)
    if there:
        home = tmp_path / "jobs" / "job"
        home.mkdir(parents=True)
        (home / "job.json").write_text(f'{{"submission_id": "{record.submission_id}", "created_at": {record.sent_at}}}')
        assert loop.wait(backend.poll("job")).phase == INCOMPLETE
    assert loop.wait(orphans.clear(backend)) == []
    assert list((tmp_path / "store").glob("*/data.pkl")), "this kernel is at it"
    record.path.write_text(record.path.read_text().replace(f'"{record.process[2]}"', '"another"'))  # killed
    assert loop.wait(orphans.clear(backend)) == (["job"] if there else [])
    assert list((tmp_path / "store").iterdir()) == []
    assert records.opened() == []
    records.drop(record)


def test_a_store_is_known_by_the_record_whatever_its_url() -> None:
    store = Store.of("sftp://host/jobs", "job", "01-23")
    assert Store.noted(str(store)) == store
    assert Store.noted(None) is None
    assert Store.noted(Record("s1", "job", "", "", "").artifacts) is None
