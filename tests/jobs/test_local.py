"""Jobs of this machine, as several kernels see them: real runners, real files."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from kube_magics import errors
from kube_magics.backends import jobfolder, machine
from kube_magics.backends.jobfolder import END, FACTS, LOG, READ_BYTES
from kube_magics.backends.local import DEVICES, LocalBackend
from kube_magics.backends.localrunner import locked
from kube_magics.cells.capture import capture
from kube_magics.cells.notebook import Notebook
from kube_magics.jobs import attach, loop
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.follow import Follower
from kube_magics.jobs.job import Job
from kube_magics.jobs.logfile import LogFile
from kube_magics.jobs.origin import Origin
from kube_magics.jobs.screen import Screen
from tests.acceptance.desk import eventually
from tests.jobs.local import SLEEPS, backend_in, prepared
from tests.kernel import Kernel

pytestmark = pytest.mark.jobs


async def up(backend: LocalBackend, cell: str) -> None:
    """Submit it as job `job`, and wait until it has printed something of its own."""
    await backend.submit(prepared(backend, cell, "--grace", "1s").submission)
    async for piece in backend.follow("job"):
        if isinstance(piece, bytes) and b"up\n" in piece:
            return


def test_the_stop_of_a_job_does_not_strike_the_next_of_its_name(tmp_path: Path) -> None:
    async def story() -> str:
        backend = backend_in(tmp_path, stop_margin_s=0)
        await up(backend, SLEEPS)
        deleted = asyncio.get_running_loop().time()
        await backend.delete("job")
        await up(backend, SLEEPS)
        await asyncio.sleep(deleted + 1.3 - asyncio.get_running_loop().time())
        phase = (await backend.poll("job")).phase
        await backend.delete("job")
        return phase

    assert asyncio.run(story()) == "running"


def test_who_is_stopped_before_it_listens_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Python dies without a word, like one that could not start the program."""
    monkeypatch.chdir(tmp_path)
    backend = backend_in(tmp_path)
    home = tmp_path / "jobs" / "job"
    home.mkdir(parents=True)
    child = subprocess.Popen(["sleep", "60"])
    facts = {"created_at": 1.0, "pid": child.pid, "pid_started": machine.process_started(child.pid)}
    (home / FACTS).write_text(json.dumps(facts))
    (home / LOG).touch()
    (home / END).touch()
    loop.wait(backend.stop("job"))
    child.wait()
    state = loop.wait(backend.poll("job"))
    assert (state.phase, state.over) == ("stopped", True)
    with pytest.raises(errors.JobStopped, match="was stopped before it started"):
        attach.follow(backend, state, None).result()


def test_a_runner_that_does_not_hear_is_killed(tmp_path: Path) -> None:
    async def story() -> None:
        backend = backend_in(tmp_path, stop_margin_s=0)
        await up(backend, SLEEPS)
        pid = int(jobfolder.facts(tmp_path / "jobs" / "job")["pid"])
        os.kill(pid, signal.SIGSTOP)
        await backend.stop("job")
        async for _ in backend.follow("job"):
            pass
        state = await backend.poll("job")
        assert state.cause is not None
        assert "runner was killed" in state.cause.sentence

    asyncio.run(story())


def test_another_kernels_job_under_a_name_that_was_ours(tmp_path: Path) -> None:
    async def story() -> tuple[str, str]:
        mine, other = backend_in(tmp_path), backend_in(tmp_path)
        await up(mine, "print('up')")
        async for _ in mine.follow("job"):
            pass
        await other.delete("job")
        await up(other, SLEEPS)
        seen = (await mine.poll("job")).phase, (await other.poll("job")).phase
        await other.delete("job")
        return seen

    assert asyncio.run(story()) == ("running", "running")


def test_a_flood_leaves_the_loop_to_others(tmp_path: Path) -> None:
    home = tmp_path / "jobs" / "job"
    home.mkdir(parents=True)
    (home / FACTS).write_text('{"pid": 0}')
    (home / LOG).write_bytes((b"x" * 1023 + b"\n") * 5 * (READ_BYTES >> 10))
    (home / END).write_text('{"code": 0}')
    came: list[str] = []

    async def other() -> None:
        while True:
            came.append("other")
            await asyncio.sleep(0)

    async def story() -> None:
        beside = asyncio.create_task(other())
        for pieces in (backend_in(tmp_path).follow("job"), backend_in(tmp_path).log("job")):
            async for piece in pieces:
                came.append("block" if isinstance(piece, bytes) else "state")  # noqa: PERF401 - the other one appends too
        beside.cancel()

    asyncio.run(story())
    assert came.count("block") == 10
    assert ("block", "block") not in list(pairwise(came))


def test_two_write_the_same_file(tmp_path: Path) -> None:
    path, failed = tmp_path / FACTS, []

    def write(text: str) -> None:
        try:
            for _ in range(300):
                jobfolder.write_atomically(path, text)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(json.dumps({"by": number}),)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    assert list(tmp_path.iterdir()) == [path]
    assert json.loads(path.read_text())["by"] in range(3)


@contextmanager
def unnoted(home: Path) -> Iterator[int]:
    """A process that its starter has not yet noted as the runner of the job in `home`."""
    (home / "bundle").mkdir(parents=True)
    (home / LOG).touch()
    (home / FACTS).write_text('{"submission_id": "s1"}')
    with subprocess.Popen(["sh", "-c", "read line", str(home / "bundle")], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def test_whoever_starts_a_job_notes_its_process(tmp_path: Path) -> None:
    """Another kernel that looks meanwhile sees it, and writes nothing that could take the place of the starter's."""
    home = tmp_path / "jobs" / "job"
    with unnoted(home) as pid:
        with locked(tmp_path / "jobs" / DEVICES):
            assert asyncio.run(backend_in(tmp_path).poll("job")).phase == "running"
            assert jobfolder.facts(home) == {"submission_id": "s1"}
        (home / FACTS).write_text('{"submission_id": "s1", "devices": ["GPU-1"]}')  # the starter was killed here
        assert asyncio.run(backend_in(tmp_path).poll("job")).phase == "running"
        started = machine.process_started(pid)
        assert jobfolder.facts(home) == {
            "submission_id": "s1",
            "devices": ["GPU-1"],
            "pid": pid,
            "pid_started": started,
        }


def test_a_job_is_stopped_whose_starter_has_not_noted_its_process(tmp_path: Path) -> None:
    with unnoted(tmp_path / "jobs" / "job"), locked(tmp_path / "jobs" / DEVICES):
        assert "is being stopped" in asyncio.run(backend_in(tmp_path).stop("job"))


def test_the_log_of_a_job_that_never_came_to_one_is_empty(tmp_path: Path) -> None:
    """Its kernel was killed between its first note and the start of its runner."""
    (tmp_path / "jobs" / "job").mkdir(parents=True)
    (tmp_path / "jobs" / "job" / FACTS).write_text('{"submission_id": "s1"}')

    async def read() -> tuple[list[object], list[object]]:
        backend = backend_in(tmp_path)
        return [piece async for piece in backend.log("job")], [piece async for piece in backend.follow("job")]

    log, (state, *rest) = asyncio.run(read())
    assert (log, rest) == ([], [])
    assert getattr(state, "phase", None) == "incomplete"


def test_who_attaches_to_a_job_that_never_ran_leaves_it(tmp_path: Path) -> None:
    """Its own cell takes it away: to whoever comes later it may be all that tells of it."""
    settings = {"KUBE_MAGICS_BACKEND": "local", "KUBE_MAGICS_STATE": str(tmp_path / "state")}
    with Kernel(tmp_path, settings) as kernel:
        assert kernel.run("%load_ext kube_magics").error is None
        assert kernel.run("%%kubetrain --name never --python /bin/false --detach\n1").error is None
        for _ in range(2):
            assert kernel.run("%kube attach never").error == "JobNotStarted"
        assert "never" in kernel.run("%kube jobs").text


def test_a_process_is_known_by_more_than_its_number(tmp_path: Path) -> None:
    odd = tmp_path / "a) Z 1 (b"
    shutil.copy(shutil.which("sleep") or "", odd)
    first, second = (subprocess.Popen([str(odd), "60"]) for _ in range(2))
    known = machine.process_started(first.pid)
    assert known is not None
    assert known == machine.process_started(first.pid)
    machine.kill_tree(first.pid, "another")
    machine.kill_tree(second.pid, machine.process_started(second.pid))
    assert second.wait(60) == -signal.SIGKILL
    assert first.poll() is None
    first.kill()
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
    assert machine.process_started(first.pid) is None, "its corpse"
    first.wait()
    assert machine.process_started(first.pid) is None


def test_whoever_asks_too_early_what_came_back_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not there yet is not taken for all there is; and what is handed out is the asker's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path / "state"))
    origin = Origin({}, capture("%%kubetrain\nx = 1", Notebook({})).definitions(None), ("x",))
    cell = "import time\ntime.sleep(1)\nx = 1"
    for number, ask in enumerate((Job.values, Job.failure, Job.files, Job.arrived)):
        given = prepared(backend_in(tmp_path), cell, "--returns", "x", name=f"job-{number}")
        job = submitting.submit(given, origin)
        assert not job.done(0)
        ask(job)
        assert job.failure() is None
        job.values().clear()
        assert (job.result(60), job.status) == ({"x": 1}, "succeeded")


def test_how_a_job_ended_is_said_though_nothing_of_it_is_left(tmp_path: Path) -> None:
    backend = backend_in(tmp_path)
    loop.wait(up(backend, SLEEPS))
    pid = int(jobfolder.facts(tmp_path / "jobs" / "job")["pid"])
    follower = Follower(backend, "job", LogFile(tmp_path / "log"), Screen("log"))
    following = loop.start(follower.run())
    eventually(lambda: follower.outcome.heard, "its log")
    shutil.move(tmp_path / "jobs" / "job", tmp_path / "elsewhere")
    following.result(30)
    machine.kill_tree(pid, machine.process_started(pid))
    job = Job(backend, "job", follower)
    assert (job.wait(60), job.status) == ("gone", "gone")
    with pytest.raises(errors.NotFound):
        job.snapshot()
    assert isinstance(job.failure(), errors.JobDeleted)
    with pytest.raises(errors.JobDeleted):
        job.result(60)
