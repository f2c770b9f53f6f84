"""How far a job of this machine is, as its `Job` tells: real runners, real bars."""

from __future__ import annotations

from pathlib import Path

import pytest

from kube_magics.jobs import attach, loop
from kube_magics.jobs.job import Job
from tests.jobs.local import backend_in, prepared

pytestmark = pytest.mark.jobs


def job(folder: Path, cell: str) -> Job:
    backend = backend_in(folder)
    loop.wait(backend.submit(prepared(backend, cell).submission))
    return attach.follow(backend, loop.wait(backend.poll("job")), None)


def test_what_is_reported_is_known_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cell = (
        "from kube_magics import report\nimport math\n"
        "for step in range(11):\n    report(step=step, total=10, text='training', loss=1 / (step + 1))\n"
        "report(step=10, grad=math.nan)"
    )
    subject = job(tmp_path, cell)
    assert subject.wait(60) == "succeeded"
    found = subject.progress()
    assert found is not None
    assert (found.fraction, found.step, found.total, found.label) == (1.0, 10, 10, "training")
    assert found.metrics["loss"].points[-1] == (10, 1 / 11)
