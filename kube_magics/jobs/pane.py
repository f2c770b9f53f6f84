"""The card above a job's output: shown when a cell begins to wait, kept up to date, and left as the job ended.

By the cell's own thread, which reaches its own cell always, and at most four times a second: thousands of quick updates
choke a notebook, and the last one is what gets lost.
"""

from __future__ import annotations

import math
import time

from kube_magics.jobs import here
from kube_magics.jobs.job import Job

EVERY_S = 0.25


class Pane:
    """Of one job in one cell; nothing where there is only text."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._show = here.card_view() if here.shows() else None
        self._next = -math.inf

    @property
    def shows(self) -> bool:
        """A card, which has all that is known of why the job waits."""
        return self._show is not None

    def update(self, *, last: bool = False) -> None:
        """Show the job as it is now, unless that was done just before; `last`: in any case."""
        now = time.monotonic()
        if self._show is not None and (last or now >= self._next):
            self._next = now + EVERY_S
            self._show(self._job.card())
