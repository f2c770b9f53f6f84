"""`Job.card()` of real jobs of this machine: followed here, and by somebody else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kube_magics.backends.local import LocalBackend
from kube_magics.jobs import attach, loop
from kube_magics.jobs.job import Job
from kube_magics.telemetry.card import Card
from kube_magics.telemetry.cardwords import facts
from tests.jobs.local import backend_in, prepared

pytestmark = pytest.mark.jobs


def ran(backend: LocalBackend, cell: str) -> Job:
    """Job `job` of `cell`, followed to its end."""
    loop.wait(backend.submit(prepared(backend, cell).submission))
    job = attach.follow(backend, loop.wait(backend.poll("job")), None)
    job.wait(60)
    return job


def names(card: Card) -> list[tuple[str, str]]:
    return [(each.name, each.state) for each in card.stages]


def test_a_job_that_was_followed_and_the_same_seen_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    backend = backend_in(tmp_path)
    job = ran(backend, "import time\ntime.sleep(0.5)\nprint(1)")
    card, other = job.card(), Job(backend, "job").card()
    assert names(card) == names(other) == [("starting", "over"), ("running", "over"), ("done", "over")]
    assert card.phase == other.phase == "succeeded"
    assert [each.seconds for each in card.stages] == [each.seconds for each in other.stages]
    assert card.stages[1].seconds == card.duration_s is not None
    assert card.duration_s > 0.5
    assert card.peak_memory_bytes == other.peak_memory_bytes is not None
    assert facts(card)["log"] == ".kube_magics/logs/job.log"


def test_a_job_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = ran(backend_in(tmp_path), "import sys\nsys.exit(3)")
    assert repr(job.card()).splitlines()[0].startswith("job job  failed after ")
    assert facts(job.card())["reason"] == "exit code 3"


def test_a_job_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    backend = backend_in(tmp_path)

    async def story() -> Card:
        await backend.submit(
            prepared(backend, "import time\nprint('up', flush=True)\ntime.sleep(60)", "--grace", "1s").submission
        )
        async for piece in backend.follow("job"):
            if isinstance(piece, bytes) and b"up\n" in piece:
                break
        card = await asyncio.to_thread(Job(backend, "job").card)
        await backend.delete("job")
        return card

    card = asyncio.run(story())
    assert names(card) == [("starting", "over"), ("running", "now"), ("done", "ahead")]
    assert not card.over
