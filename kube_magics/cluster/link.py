"""Whether the API server answers at all: asked for everybody who waits for it, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from kube_magics import errors

ASK_AGAIN_S = 0.1
LONGEST_ASK_AGAIN_S = 0.5
"""A new question on a new connection, beside those that are not answered yet: packets of an older one may come through
only seconds after the link is back, since TCP repeats them ever more seldom."""
PATIENCE_S = 3.0
"""A link on which nothing comes back for so long is away. An overloaded API server needs one second."""


class Link:
    """Of one client."""

    def __init__(self, ask: Callable[[], Awaitable[None]], lost: Callable[[], None]) -> None:
        """`ask` raises Unreachable where no answer comes; `lost` is called once an outage is over: what was open
        through it may be dead without knowing."""
        self._ask = ask
        self._lost = lost
        self._asking: asyncio.Task[bool] | None = None
        self.heard = 0.0
        """When the server last said something, on the monotonic clock."""

    async def back(self) -> bool:
        """Until the server answers anything; whether it had been away."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._answered())
        return await asyncio.shield(self._asking)

    async def alive(self) -> bool:
        """Whether it answers within `PATIENCE_S`; not asked where it said something in the last seconds."""
        if time.monotonic() - self.heard < PATIENCE_S:
            return True
        try:
            return not await asyncio.wait_for(self.back(), PATIENCE_S)
        except TimeoutError:
            return False

    def stop(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    async def _answered(self) -> bool:
        began, pause_s, refused = time.monotonic(), ASK_AGAIN_S, False
        asked: set[asyncio.Task[bool]] = set()
        try:
            while True:
                asked.add(asyncio.ensure_future(self._heard()))
                done, asked = await asyncio.wait(asked, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
                if any(task.result() for task in done):
                    break
                if done:
                    refused = True
                    await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.5, LONGEST_ASK_AGAIN_S)
        finally:
            for task in asked:
                task.cancel()
        away = time.monotonic() - began > PATIENCE_S
        if away:
            self._lost()
        return away or refused

    async def _heard(self) -> bool:
        try:
            await self._ask()
        except errors.Unreachable:
            return False
        except errors.KubeMagicsError:
            # Credentials are not the link's business: who needs them finds out.
            return True
        return True
