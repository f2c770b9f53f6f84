"""One submission while it is made: a whole job in the end, or nothing, as far as that can be known.

Where it cannot, because the cluster took the job and its answer never came, all stays as the job needs it: its record,
and what it reads from the store. The next client that reaches the cluster finds out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.jobs import loop, records
from kube_magics.jobs.interrupt import Interrupts
from kube_magics.jobs.records import Record
from kube_magics.jobs.store import Store

SAID_AFTER_S = 3.0
UNDO_S = 10.0
"""Of patience with a submit that was interrupted; then it is cancelled, and takes back itself what it has made."""


@dataclass
class Attempt:
    """`make` it inside `whole`."""

    backend: Backend
    name: str
    submission_id: str
    store: Store | None
    record: Record | None
    """None: the job will be nobody's here."""
    again: str
    """What to type where nothing is left of it."""
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list, init=False)
    _asked: bool = field(default=False, init=False)
    """The job may be there from now on, whether anybody hears of it or not."""

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Whatever breaks off the inside: nothing is left, or the error says how to find out. An interrupt becomes a
        SubmitError."""
        try:
            yield
        except KeyboardInterrupt:
            raise self._interrupted() from None
        except BaseException as error:
            self._failed(error)
            raise

    def make(
        self,
        send: Callable[[], None],
        create: Callable[[], Coroutine[Any, Any, str | None]],
        late: Callable[[], None] = lambda: None,
    ) -> None:
        """Upload what the job reads, and create it; `late` is called where the cluster lets one wait."""
        with Interrupts() as interrupts, interrupts.breaking():
            send()
            created: Future[None] = loop.start(self._create(create))
            wait([created], timeout=SAID_AFTER_S)
            if not created.done():
                late()
            created.result()

    async def _create(self, create: Callable[[], Coroutine[Any, Any, str | None]]) -> None:
        self._tasks.extend(filter(None, [asyncio.current_task()]))
        await self.backend.connect()
        self._asked = True
        uid = await create()
        if self.record is not None:
            records.arrived(self.record, uid)

    def _failed(self, error: BaseException) -> None:
        """Where the job may be there, `error` says what to do instead of making it again."""
        unknown = self._asked and isinstance(error, errors.Unreachable)
        self._leave(nothing_left=not unknown)
        if unknown and isinstance(error, errors.KubeMagicsError):
            error.message += f" Whether job {self.name} was made before that is not known."
            error.hint = self._finding_out()

    def _interrupted(self) -> errors.SubmitError:
        """Take back what there is, whatever that takes; what to tell the user."""
        with Interrupts():  # a second one would leave half of it
            # The loop takes its work in order: what was begun before the interrupt, this finds.
            nothing_left = loop.wait(self._undo())
            self._leave(nothing_left=nothing_left)
        what = f"Interrupted while job {self.name} was being submitted"
        if nothing_left:
            return errors.SubmitError(f"{what}: nothing is left of it.", hint=self.again)
        unknown = "the cluster does not say whether anything is left of it"
        return errors.SubmitError(f"{what}: {unknown}.", hint=self._finding_out())

    def _finding_out(self) -> str:
        name = self.name
        look = f"%kube jobs, once the cluster answers   (%kube attach {name}, or %kube delete {name}, if it is there)"
        retaken = self.record is not None and self.record.key
        return f"{look}\nor run the cell again then: it takes the job up" if retaken else look

    def _leave(self, *, nothing_left: bool) -> None:
        if self.record is not None:
            (records.drop if nothing_left else records.leave)(self.record)
        if nothing_left and self.store is not None:
            self.store.clear()

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
            state = await self.backend.poll(self.name)
            if state.submission_id == self.submission_id:
                await self.backend.delete(self.name)
        except errors.NotFound:
            return True
        except errors.KubeMagicsError:
            return False
        return True
