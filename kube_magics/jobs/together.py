"""Several jobs at a time: submitted one after the other, followed all at once, waited for together."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from kube_magics.errors import OptionError
from kube_magics.jobs.interrupt import Waiting, unloaded
from kube_magics.jobs.job import Job
from kube_magics.jobs.pane import Pane, pane_of
from kube_magics.jobs.show import last_line

LOOK_S = 0.1
MOST_CARDS = 4
"""Of so many jobs a notebook shows the cards: more would hide what is below them."""


def wait_all(jobs: Iterable[Job], timeout: float | None = None) -> list[Any]:
    """Block until all jobs are over, a line for each as it ends; returns what `result()` of each gives, in their order.
    A notebook shows the cards of up to four.

    Raises the first failed job's exception, once all are over, with a note that names the others; TimeoutError after
    `timeout` seconds; Detached where an interrupt ends the waiting, as in a cell. What it has not returned then counts
    as not fetched.
    """
    every = _checked(jobs)
    _wait(every, timeout)
    failed = [(job, error) for job in every if (error := job.failure()) is not None]
    if not failed:
        return [job.result() for job in every]
    for job, _ in failed:
        job.values()  # what became of them has been told: nobody need fetch it
    first = failed[0][1]
    if len(failed) > 1:
        named = ", ".join(f"{job.name} ({type(error).__name__})" for job, error in failed)
        first.add_note(f"[kube_magics: {len(failed)} of {len(every)} jobs failed: {named}]")
    raise first


def _checked(jobs: Iterable[Job]) -> list[Job]:
    """`wait_all(job)` is what one types first."""
    if isinstance(jobs, Job):
        raise OptionError("wait_all() takes several jobs, in a list.", hint="wait_all([job]), or job.result()")
    every = list(jobs)
    for each in every:
        if not callable(getattr(each, "done", None)):
            raise OptionError(f"wait_all() takes jobs, and {each!r} is none.", hint="wait_all([train(…), train(…)])")
    return every


def _wait(every: list[Job], timeout: float | None) -> None:
    shown = [job for job in every if isinstance(job, Job) and not job.done(0)]
    panes = [pane_of(job) for job in shown] if len(every) <= MOST_CARDS else []
    try:
        _wait_below(panes, every, timeout)
    finally:
        for pane in panes:
            pane.update(last=True)


def _wait_below(panes: Sequence[Pane], every: list[Job], timeout: float | None) -> None:
    left = list(every)
    until = None if timeout is None else time.monotonic() + timeout
    with Waiting(left) as waiting:
        while left:
            for pane in panes:
                pane.update()
            broken_off = not (waiting.asked or _loaded(left, waiting))
            if not left:
                return
            if broken_off and all(job.done(0) for job in left):
                raise unloaded(left)
            waiting.look()
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"still running after {timeout} s: {', '.join(job.name for job in left)}")
            lasting = [job for job in left if not job.done(0)]
            lasting[0].done(LOOK_S) if lasting else time.sleep(LOOK_S)


def _loaded(left: list[Job], waiting: Waiting) -> bool:
    """The line of each that is over, for which its values are loaded; False: an interrupt has broken that off."""
    for job in [each for each in left if each.done(0)]:
        line = waiting.unless_interrupted(partial(last_line, job))
        if line is None:
            return False
        left.remove(job)
        sys.stdout.write(f"{line}\n")
    return True
