"""All jobs of a backend, live, for all who look at them in this process: one watch, open while somebody looks."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from contextlib import aclosing

from kube_magics import errors
from kube_magics.backends.contract import Backend, Outage
from kube_magics.jobs import cards, followed, records
from kube_magics.telemetry.board import LIVE, Board, Delta, doing
from kube_magics.telemetry.card import NOTHING

BATCH_S = 0.25
"""What changes within it is told at once."""
AGAIN_S = 30.0
"""After what ends a watch: rights that were taken, credentials that ran out."""
HEAR_S = 2.0
"""Between two looks at what the jobs that are followed here have said."""
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
            heard = {state.name: follower for state in live if (follower := followed.find(backend, state)) is not None}
            found = {name: doing(cards.followed(backend, follower, NOTHING)) for name, follower in heard.items()}
            if (delta := self.board.hear(found)) is not None:
                self._tell(delta, self.said)
            del backend
            await asyncio.sleep(HEAR_S)

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
