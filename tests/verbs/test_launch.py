"""An interrupt between two steps of a cell's beginning: no job is there that nobody has heard of."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kube_magics import errors
from kube_magics.cells.capture import capture
from kube_magics.cells.notebook import Notebook, Sent
from kube_magics.jobs import defaults, here, records
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.job import Job
from kube_magics.jobs.origin import Origin
from kube_magics.spec.parse import parse
from kube_magics.verbs.door import Door
from kube_magics.verbs.launch import launch
from tests.jobs.local import SLEEPS

pytestmark = pytest.mark.jobs


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path / "state"))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    # Nobody answers the question whether it shall be stopped: it goes on.
    here.set_presence(lambda: False, lambda: False, lambda: True)
    yield
    here.set_card_views(lambda: None)
    here.set_presence(lambda: True, lambda: False, lambda: True)
    signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Struck(Door):
    """Interrupted when it says what `at` matches."""

    at: str = ""

    def note(self, text: str) -> None:
        if re.match(self.at, text):
            strike()


def strike() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def run(door: Door, *asked: str) -> Job | None:
    spec = defaults.spec(parse(["--name", "struck", "--backend", "local", *asked]))
    captured = capture(f"%%kubetrain\n{SLEEPS}", Notebook({}))
    origin = Origin({}, captured.definitions(None), ())
    return launch(door, spec, captured, origin, stem="cell", cell=Sent(SLEEPS), notebook="a.ipynb")


@pytest.mark.parametrize("at", ["job struck on", "travels"])
def test_before_it_is_submitted(at: str) -> None:
    """Its record has been begun."""
    with pytest.raises(errors.SubmitError, match="nothing is left of it"):
        run(Struck(at=at))
    assert records.opened() == []


@pytest.mark.parametrize("lasting", [True, False], ids=["notebook", "terminal"])
def test_before_anybody_waits_for_it(lasting: bool) -> None:
    def views() -> None:
        strike()  # comes when the job is there, and its output is not yet waited for

    here.set_card_views(views)
    with pytest.raises(errors.Detached, match="job struck; the job goes on") as caught:
        run(Door(lasting=lasting))
    assert "%kube stop struck" in (caught.value.hint or "")
    job = Job(submitting.place(defaults.spec(parse(["--backend", "local"]))), "struck")
    assert not job.snapshot().over
    job.stop()
    job.delete()
