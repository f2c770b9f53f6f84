"""The card above a job's output: shown when a cell begins to wait, kept up to date, and left as the job ended.

By the cell's own thread, which reaches its own cell always, and at most four times a second: thousands of quick updates
choke a notebook, and the last one is what gets lost.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Protocol
from weakref import WeakKeyDictionary, WeakMethod

from kube_magics.jobs import here
from kube_magics.telemetry.card import Card

EVERY_S = 0.25


class HasCard(Protocol):
    """A `Job`, which waits for itself."""

    def card(self) -> Card: ...


class Pane:
    """Of one job in one cell; nothing where there is only text."""

    def __init__(self, job: HasCard) -> None:
        self.cell = here.cell()
        self._card = WeakMethod(job.card)
        self._show = here.card_view() if here.shows() and _is_the_cells_own() else None
        self._next = -math.inf

    @property
    def shows(self) -> bool:
        """A card, which has all that is known of why the job waits."""
        return self._show is not None

    def update(self, *, last: bool = False) -> None:
        """Show the job as it is now, unless that was done just before; `last`: in any case."""
        now = time.monotonic()
        card = self._card()
        if self._show is not None and card is not None and (last or now >= self._next):
            self._next = now + EVERY_S
            self._show(card())


_known: WeakKeyDictionary[HasCard, Pane] = WeakKeyDictionary()


def pane_of(job: HasCard) -> Pane:
    """The card of `job` in the running cell: one, however often that waits for it."""
    pane = _known.get(job)
    if pane is None or pane.cell is None or pane.cell != here.cell():
        pane = _known[job] = Pane(job)
    return pane


def _is_the_cells_own() -> bool:
    """What another thread displays goes to whatever cell runs then."""
    return threading.current_thread() is threading.main_thread()
