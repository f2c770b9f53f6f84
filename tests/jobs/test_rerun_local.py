"""A job of this machine submitted once more: with what it had, or not at all."""

from __future__ import annotations

import hashlib
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kube_magics import errors
from kube_magics.backends.local import DEVICES, LocalBackend
from kube_magics.backends.localkept import SUBMITTED, noted
from kube_magics.backends.localrunner import locked
from kube_magics.cells.bundle import STORED_ABOVE_BYTES
from kube_magics.jobs import loop, records
from kube_magics.jobs.rerun import rerun
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.telemetry.snapshot import SUCCEEDED
from tests.acceptance.desk import eventually
from tests.browser.jobsof import ended
from tests.jobs.local import backend_in, interruptible, prepared

OTHER: dict[str, Any] = {
    **dict.fromkeys(("notebook", "label", "version", "artifacts")),
    "cell": "",
    "grace_s": 30,
    SUBMITTED: noted(Submission(JobSpec(), "job", "the other", b"", hashlib.sha256(b"").hexdigest(), cell_digest="")),
}
"""Facts of a job that could be run again."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path) -> Iterator[None]:
    with interruptible(tmp_path):
        yield


def ran(backend: LocalBackend, name: str) -> str:
    """The log of a job that has come to its end well."""

    async def whole() -> bytes:
        async for _ in backend.follow(name):
            pass
        state = await backend.poll(name)
        assert state.phase == SUCCEEDED, state
        return b"".join([piece async for piece in backend.log(name) if isinstance(piece, bytes)])

    return "".join(re.findall(r"^[^\x1e].*\n", loop.wait(whole()).decode(), re.MULTILINE))


@pytest.mark.jobs
def test_a_job_of_this_machine_is_run_again_with_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program spoils its own files; the notebook's folder has others by now."""
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("first")
    cell = (
        "import os\n"
        "print(open('in.txt').read(), os.environ['HOW'], os.path.basename(os.getcwd()))\n"
        "size = open('in.txt', 'w').write('spoiled')"
    )
    backend = backend_in(tmp_path)
    one = prepared(backend, cell, "--files", "in.txt", "--env", "HOW=well").submission
    loop.wait(backend.submit(one))
    Path("in.txt").write_text("second")
    assert ran(backend, "job") == "first well work\n"
    fresh = rerun(backend, "job")
    assert ran(backend, fresh) == "first well work\n"
    assert ran(backend, rerun(backend, fresh)) == "first well work\n"
    (tmp_path / "jobs" / "job" / "bundle.zip").write_bytes(b"")
    homes = set((tmp_path / "jobs").iterdir())
    with pytest.raises(errors.NotFound, match="its files have changed"):
        rerun(backend, "job")
    (tmp_path / "jobs" / "job" / "bundle.zip").unlink()
    with pytest.raises(errors.NotFound, match="its files are gone"):
        rerun(backend, "job")
    assert set((tmp_path / "jobs").iterdir()) == homes


@pytest.mark.jobs
def test_an_interrupt_takes_back_a_job_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    backend = backend_in(tmp_path)
    ready = prepared(backend, "print('up')", "--artifacts", str(tmp_path / "store"), "--retries", "1")
    assert ready.store is not None
    ready.store.send(None)
    records.arrived(records.begin(ready.submission, backend), loop.wait(backend.submit(ready.submission)))
    assert ran(backend, "job") == "up\n"

    def interrupt(lock: ExitStack) -> None:
        with lock:  # a submit waits for it between the job's folder and its process
            eventually(lambda: list((tmp_path / "jobs").glob("job-*/bundle/main.py")), "its folder")
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)

    before = set((tmp_path / "jobs").iterdir()), set((tmp_path / "store").iterdir()), records.files().keys()
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        stack.enter_context(locked(tmp_path / "jobs" / DEVICES))
        done = pool.submit(interrupt, stack.pop_all())
        with pytest.raises(errors.SubmitError, match="nothing is left of it") as raised:
            rerun(backend, "job")
        done.result()
    assert raised.value.hint == "%kube rerun job"
    after = set((tmp_path / "jobs").iterdir()), set((tmp_path / "store").iterdir()), records.files().keys()
    assert before == after


@pytest.mark.jobs
def test_what_it_had_of_the_notebooks_environment_it_needs_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "t0")
    backend = backend_in(tmp_path)
    cell = "import os\nprint(os.environ['TOKEN'])"
    loop.wait(backend.submit(prepared(backend, cell, "--secret", "team:token=TOKEN").submission))
    assert ran(backend, "job") == "t0\n"
    monkeypatch.setenv("TOKEN", "t1")
    second = rerun(backend, "job")
    assert ran(backend, second) == "t1\n"
    monkeypatch.delenv("TOKEN")
    for name in ("job", second):
        with pytest.raises(errors.OptionError, match=f"Job {name} had TOKEN of its notebook's environment"):
            rerun(backend, name)


@pytest.mark.jobs
def test_values_beside_the_bundle_are_the_same_or_none(tmp_path: Path) -> None:
    backend = backend_in(tmp_path)
    big = random.Random(1).randbytes(STORED_ABOVE_BYTES + 1)
    one = prepared(backend, "print(len(big))", values={"big": big}).submission
    assert one.data is not None
    loop.wait(backend.submit(one))
    expected = f"{len(big)}\n"
    assert ran(backend, "job") == expected
    second = rerun(backend, "job")
    assert ran(backend, second) == expected
    assert ran(backend, rerun(backend, second)) == expected
    homes = set((tmp_path / "jobs").iterdir())
    for name in ("job", second):
        values = tmp_path / "jobs" / name / "bundle" / "data.pkl"
        with values.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(bytes([big[-1] ^ 1]))
        with pytest.raises(errors.NotFound, match=f"{name} is not whole any more: its values have changed"):
            rerun(backend, name)
        values.unlink()
        with pytest.raises(errors.NotFound, match="its values are gone"):
            rerun(backend, name)
    assert set((tmp_path / "jobs").iterdir()) == homes


def test_another_job_of_that_name_by_now_is_left_alone(tmp_path: Path) -> None:
    home = ended(tmp_path, "job", submission_id="the first")
    other = ended(tmp_path / "elsewhere", "job", submission_id="the other", **OTHER)
    (other / "bundle.zip").write_bytes(b"")
    end = (home / "end.json").read_text()
    (home / "end.json").unlink()
    os.mkfifo(home / "end.json")  # whoever looks at the job has its facts by then, and waits for its end

    def replace_it() -> None:
        with (home / "end.json").open("w") as waiting:
            home.rename(tmp_path / "the first")
            other.rename(home)
            waiting.write(end)

    with ThreadPoolExecutor() as pool:
        done = pool.submit(replace_it)
        with pytest.raises(errors.Conflict, match="job is another job by now"):
            rerun(backend_in(tmp_path), "job")
        done.result()
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["job"]


def test_what_is_not_kept_is_said(tmp_path: Path) -> None:
    ended(tmp_path, "job")
    with pytest.raises(errors.NotFound, match="by a version of kube_magics that did not keep all of it"):
        rerun(backend_in(tmp_path), "job")
