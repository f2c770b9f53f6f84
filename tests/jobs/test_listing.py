"""The logs of a job of several pods, followed as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import Source, Sources
from kube_magics.jobs import listing
from kube_magics.jobs.screen import Screen
from kube_magics.telemetry.snapshot import RUNNING, Snapshot


class Deleted:
    """A job that is deleted while it is followed; its pods take a moment to end."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.looks = 0

    async def poll(self, name: str) -> Snapshot:
        self.looks += 1
        if self.looks > 2:
            self.gone.set()
            raise errors.NotFound(f"There is no job {name}.")
        return Snapshot(name=name, namespace="here", phase=RUNNING, ours=False)

    async def sources(self, _name: str) -> Sources:
        return Sources((Source("a", "main"), Source("b", "main")), in_turn=False)

    async def read(self, _name: str, _source: Source, *, follow: bool = False) -> AsyncIterator[bytes]:
        assert follow
        yield b"works\n"
        await self.gone.wait()
        await asyncio.sleep(0.2)
        yield b"saved\n"


def test_the_last_words_of_a_job_that_is_deleted_meanwhile() -> None:
    screen = Screen("log", limited=False)

    async def story() -> None:
        backend: Any = Deleted()
        await asyncio.wait_for(listing.follow_all(backend, "job", lambda source: bool(source.pod), screen), 30)

    asyncio.run(story())
    text = "".join(piece[1] for piece in screen.take(last=True) if isinstance(piece, tuple))
    assert sorted(text.splitlines()) == [f"[pod/{pod}/main] {word}" for pod in "ab" for word in ("saved", "works")]
