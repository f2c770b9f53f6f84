"""How far a job of this machine is, as its `Job` and `describe` tell: real runners, real bars."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from kube_magics.backends.local import LocalBackend
from kube_magics.jobs import attach, loop
from kube_magics.jobs.choose import backend_for
from kube_magics.jobs.debugging import Debugging
from kube_magics.jobs.job import Job
from kube_magics.spec.job import JobSpec
from kube_magics.verbs.call import call
from kube_magics.verbs.door import Door
from tests.acceptance.desk import eventually
from tests.jobs.local import prepared

pytestmark = pytest.mark.jobs

BAR = """
import time
from kube_magics import should_stop
from tqdm import tqdm
bar = tqdm(total=4, desc="training", mininterval=0)
bar.set_postfix(loss=0.5)
bar.update(1)
while not should_stop():
    time.sleep(0.05)
"""
REPORTS = """
import math
from kube_magics import report
for step in range(20_001):
    report(step=step, total=20_000, text="training", loss=1 / (step + 1))
report(step=20_000, grad=math.nan)
"""


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalBackend:
    monkeypatch.setenv("KUBE_MAGICS_BACKEND", "local")
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = backend_for(JobSpec(backend="local"))
    assert isinstance(found, LocalBackend)
    return found


def begun(backend: LocalBackend, cell: str) -> Job:
    loop.wait(backend.submit(prepared(backend, cell, "--grace", "5s").submission))
    return attach.follow(backend, loop.wait(backend.poll("job")), None)


def test_a_bar_that_is_being_drawn_is_known_here(backend: LocalBackend) -> None:
    job = begun(backend, BAR)
    try:
        found = eventually(lambda: (seen := job.progress()) and seen.step and seen, "the bar")
        assert (found.fraction, found.total, found.label) == (0.25, 4, "training")
        assert found.metrics["loss"].last == 0.5
        told = repr(call(["describe", "job"], Door(), Debugging()))
        (line,) = [line for line in told.splitlines() if line.startswith("progress ")]
        assert "25 % (1 of 4), " in line
        assert line.endswith("; training; loss 0.5")
    finally:
        job.stop()


def test_the_last_that_is_reported_is_known_here_however_often(backend: LocalBackend) -> None:
    job = begun(backend, REPORTS)
    assert job.wait(60) == "succeeded"
    found = job.progress()
    assert found is not None
    assert (found.fraction, found.step, found.total, found.label) == (1.0, 20_000, 20_000, "training")
    assert found.metrics["loss"].points[-1] == (20_000, 1 / 20_001)
    assert math.isnan(found.metrics["grad"].last)
    assert found.eta_s is None
    assert job.progress() == found, "what is over grows no older"
