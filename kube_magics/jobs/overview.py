"""All jobs of a backend, live, for all who look at them in this process: one watch, open while somebody looks."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from kube_magics import errors
from kube_magics.backends.contract import Backend, Outage
from kube_magics.jobs import cards, followed, records
from kube_magics.jobs.listening import Listener
from kube_magics.telemetry.board import LIVE, Board, Delta, doing, identity
from kube_magics.telemetry.card import NOTHING, Card
from kube_magics.telemetry.snapshot import Snapshot

BATCH_S = 0.25
"""What changes within it is told at once."""
AGAIN_S = 30.0
"""After what ends a watch: rights that were taken, credentials that ran out."""
HEAR_S = 2.0
"""Between two looks at what the jobs have said that are followed, or looked into, here."""
LIST_S = 2.0
"""Between two listings of what this user has submitted."""
Tell = Callable[[Delta | None, str], None]
"""Is given what is new, if anything, and what there is to say of the watch, if anything; on the loop."""

_overviews: weakref.WeakKeyDictionary[Backend, Overview] = weakref.WeakKeyDictionary()


def overview(backend: Backend) -> Overview:
    """The one of this backend. On the loop."""
    return _overviews.setdefault(backend, Overview(backend))


class Overview:
    """All jobs of one backend. To be used on the loop."""

    def __init__(self, backend: Backend, *, again_s: float = AGAIN_S) -> None:
        self._again_s = again_s
        self._backend = weakref.ref(backend)
        self._tells: list[Tell] = []
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._ready = asyncio.Event()
        self._failure: errors.KubeMagicsError | None = None
        self._changed = asyncio.Event()
        self._near: list[Listener] = []
        self.board = Board()
        self.said = ""
        """Of the watch, as that the cluster cannot be reached; empty: all is well."""

    @property
    def open(self) -> bool:
        """Whether there is a watch."""
        return bool(self._tasks)

    async def look(self, tell: Tell) -> None:
        """Begin to tell; returns once all jobs are known, or raises what keeps them from being known."""
        self._tells.append(tell)
        if not self._tasks:
            self._ready, self._failure = asyncio.Event(), None
            self.board, self.said = Board(mine=_Mine()), ""
            self._tasks = (asyncio.ensure_future(self._watch()), asyncio.ensure_future(self._hear()))
        try:
            await self._ready.wait()
        except asyncio.CancelledError:  # an interrupt
            self.leave(tell)
            raise
        if self._failure is not None:
            self.leave(tell)
            raise self._failure

    def leave(self, tell: Tell) -> None:
        """Tell no more; the last one to leave closes the watch."""
        if tell in self._tells:
            self._tells.remove(tell)
        if not self._tells:
            for task in self._tasks:
                task.cancel()
            self._tasks = ()

    @asynccontextmanager
    async def near(self, backend: Backend, name: str) -> AsyncIterator[Listener]:
        """Hear what a job says while somebody looks into it; its row has that too. Of the others none is asked."""
        listener = Listener(backend, self.board.snapshots[name])
        self._near.append(listener)
        hearing = asyncio.ensure_future(listener.follow())
        try:
            yield listener
        finally:
            self._near.remove(listener)
            hearing.cancel()
            with suppress(asyncio.CancelledError):
                await hearing

    async def _watch(self) -> None:
        while (backend := self._backend()) is not None:
            try:
                await self._read(backend)
            except errors.KubeMagicsError as error:
                if not self._ready.is_set():
                    self._failure = error
                    self._ready.set()
                    return
                self._say(error.said or error.message)
            del backend
            await asyncio.sleep(self._again_s)

    async def _read(self, backend: Backend) -> None:
        await backend.connect()
        first, known, unseen = True, set(self.board.rows), ""
        async with aclosing(backend.watch()) as changes:
            async for change in changes:
                if isinstance(change, str):
                    unseen = change
                    self._say(unseen)
                    continue
                if isinstance(change, Outage):
                    said = unseen if change.over else f"no word from the cluster for {change.lasted_s:.0f} s"
                    if not change.over and not self._ready.is_set():
                        raise errors.Unreachable(f"There is {said}.", hint="%kube doctor")
                    self._say(said)
                    continue
                # Of a watch that was begun again: what is not there now is gone.
                delta = self.board.take({**dict.fromkeys(known), **change} if first else change)
                if first:
                    first = False
                    self._say(unseen)
                self._ready.set()
                if delta is not None:
                    self._tell(delta, self.said)
                    await asyncio.sleep(BATCH_S)

    async def _hear(self) -> None:
        while (backend := self._backend()) is not None:
            live = [state for state in self.board.snapshots.values() if state.phase in LIVE]
            found = {state.name: doing(card) for state in live if (card := self._heard(backend, state)) is not None}
            if (delta := self.board.hear(found)) is not None:
                self._tell(delta, self.said)
            del backend
            await asyncio.sleep(HEAR_S)

    def _heard(self, backend: Backend, state: Snapshot) -> Card | None:
        """What a job has said to whoever follows it here, or looks into it; None: nobody does."""
        if (follower := followed.find(backend, state)) is not None:
            return cards.followed(backend, follower, NOTHING)
        near = (each for each in self._near if identity(each.state) == identity(state))
        listener = next((each for each in near if each.state.name == state.name), None)
        return cards.listened(backend, listener) if listener is not None else None

    def _say(self, text: str) -> None:
        if text != self.said:
            self.said = text
            self._tell(None, text)

    def _tell(self, delta: Delta | None, said: str) -> None:
        for tell in tuple(self._tells):
            tell(delta, said)


class _Mine:
    """Whether this user has submitted it from here: from one listing of all records, not a search for each job."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._strange: set[str] = set()
        self._listed_at = -LIST_S

    def __call__(self, submission_id: str | None) -> bool:
        if not submission_id or submission_id in self._strange:
            return False
        if submission_id in self._known:
            return True
        if time.monotonic() - self._listed_at < LIST_S:
            return False  # for now: its record may be younger than the list
        self._known, self._listed_at = frozenset(records.files()), time.monotonic()
        if submission_id not in self._known:
            self._strange.add(submission_id)
        return submission_id in self._known
