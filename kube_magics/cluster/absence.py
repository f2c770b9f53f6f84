"""A reader of the cluster that has lost it: said once when that lasts, and once when it is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator

from kube_magics.cluster.link import Link
from kube_magics.cluster.pieces import Outage

SAID_AFTER_S = 3.0
"""A break is worth a word when it lasts so long: most are mended before anybody could read it."""


class Absence:
    """Of one reader; it may be over and begin again."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._since: float | None = None
        self._said = False
        self.waited = False
        """The server had been away, and is back this moment."""

    async def lasts(self, silent_s: float) -> AsyncGenerator[Outage, None]:
        """Until the server answers anything; with a word before, where nothing could be read for more than a moment.

        `silent_s`: how long nothing had come when the connection was given up; 0: it broke.
        """
        now = time.monotonic()
        if self._since is None:
            self._since = now - silent_s
        back = asyncio.ensure_future(self._link.back())
        try:
            patience_s = max(0.0, self._since + SAID_AFTER_S - now)
            if not self._said and (silent_s > 0 or not (await asyncio.wait({back}, timeout=patience_s))[0]):
                self._said = True
                yield Outage(time.monotonic() - self._since)
            self.waited = await back
        finally:
            back.cancel()

    def over(self) -> Iterator[Outage]:
        """Something was read again."""
        if self._said and self._since is not None:
            yield Outage(time.monotonic() - self._since, over=True)
        self._since, self._said = None, False
