"""Something slow that many ask for at the same time: done once, for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One at a time. It goes on when those who wait give up: a thread cannot be stopped, and a second beside it would
    be one more that hangs."""

    def __init__(self) -> None:
        self._of: object = None
        self._task: asyncio.Task[T] | None = None

    async def join(self, of: object, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `work` gives, or gave those who asked before; `of`: what it is about, another is not waited for."""
        if self._task is None or self._task.done() or self._of is not of:
            self._of, self._task = of, asyncio.ensure_future(work())
            self._task.add_done_callback(_seen)
        return await asyncio.shield(self._task)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _seen(task: asyncio.Task[Any]) -> None:
    """Its error is no secret, also where nobody waits any longer."""
    if not task.cancelled():
        task.exception()
