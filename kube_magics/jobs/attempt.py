"""One submission while it is made: a whole job in the end, or nothing, as far as that can be known.

Where it cannot, because the cluster took the job and its answer never came, all stays as the job needs it: its record,
and what it reads from the store. The next client that reaches the cluster finds out.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, wait
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.jobs import loop, records
from kube_magics.jobs.interrupt import Interrupts
from kube_magics.jobs.records import Record
from kube_magics.jobs.show import warn
from kube_magics.jobs.store import Store
from kube_magics.spec.job import Parcel, Submission

SAID_AFTER_S = 3.0
UNDO_S = 10.0
"""Of patience with a submit that was interrupted; then it is cancelled, and takes back itself what it has made."""


class Attempt:
    """`make` it; what came in between is given to `failed` or `interrupted`."""

    def __init__(self, backend: Backend, submission: Submission, store: Store | None, record: Record) -> None:
        self._backend = backend
        self._submission = submission
        self._store = store
        self._record = record
        self._tasks: list[asyncio.Task[Any]] = []
        self._asked = False
        """The job may be there from now on, whether anybody hears of it or not."""

    def make(self, parcel: Parcel | None) -> None:
        """Upload what the job reads, and create it; with a word where that takes long."""
        if self._store is not None:
            self._store.send(parcel)
        created: Future[None] = loop.start(self._create())
        wait([created], timeout=SAID_AFTER_S)
        if not created.done():
            name = self._submission.name
            warn([f"the cluster has not taken job {name} yet; it goes on being asked, an interrupt takes it back"])
        try:
            created.result()
        finally:
            warn(self._backend.warnings())

    async def _create(self) -> None:
        self._tasks.extend(filter(None, [asyncio.current_task()]))
        await self._backend.connect()
        self._asked = True
        records.arrived(self._record, await self._backend.submit(self._submission))

    def failed(self, error: BaseException) -> None:
        """`make` has raised `error`; where the job may be there, that says what to do instead of running it again."""
        unknown = self._asked and isinstance(error, errors.Unreachable)
        self._leave(nothing_left=not unknown)
        if unknown and isinstance(error, errors.KubeMagicsError):
            name = self._submission.name
            error.message += f" Whether job {name} was made before that is not known."
            error.hint = self._finding_out()

    def interrupted(self) -> errors.SubmitError:
        """Take back what there is, whatever that takes; what to tell the user."""
        with Interrupts():  # a second one would leave half of it
            # The loop takes its work in order: what was begun before the interrupt, this finds.
            nothing_left = loop.wait(self._undo())
            self._leave(nothing_left=nothing_left)
        what = f"Interrupted while job {self._submission.name} was being submitted"
        if nothing_left:
            return errors.SubmitError(f"{what}: nothing is left of it.", hint="run the cell again")
        unknown = "the cluster does not say whether anything is left of it"
        return errors.SubmitError(f"{what}: {unknown}.", hint=self._finding_out())

    def _finding_out(self) -> str:
        name = self._submission.name
        look = f"%kube jobs, once the cluster answers   (%kube attach {name}, or %kube delete {name}, if it is there)"
        return f"{look}\nor run the cell again then: it takes the job up" if self._record.key else look

    def _leave(self, *, nothing_left: bool) -> None:
        if not nothing_left:
            records.leave(self._record)
            return
        records.drop(self._record)
        if self._store is not None:
            self._store.clear()

    async def _undo(self) -> bool:
        """What is half made cannot be taken back in the middle (a thread, a request under way): first it ends.

        Returns whether nothing is left of it.
        """
        if self._tasks and (await asyncio.wait(self._tasks, timeout=UNDO_S))[1]:
            self._tasks[0].cancel()
            await asyncio.wait(self._tasks)
        if not self._asked:
            return True
        try:
            state = await self._backend.poll(self._submission.name)
            if state.submission_id == self._submission.submission_id:
                await self._backend.delete(self._submission.name)
        except errors.NotFound:
            return True
        except errors.KubeMagicsError:
            return False
        return True
