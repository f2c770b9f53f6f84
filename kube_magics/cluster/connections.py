"""The connections of one client: a pool that can be left behind without breaking what is under way on it."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp

KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3}
"""Seconds, seconds, times: a watch is silent for minutes, and a router that has forgotten it is noticed in 20 s."""
ELSEWHERE = {"TCP_KEEPIDLE": "TCP_KEEPALIVE"}
"""What macOS calls it, by its documentation and Python's: nobody has seen it there."""
KEPT = 4
"""Connections of each kind that stay open for what comes next; those of more requests at a time end with them. Twenty
jobs that have ended would leave twenty idle ones for minutes."""


@dataclass
class _Pool:
    session: aiohttp.ClientSession
    users: int = 0
    left: bool = False


class Connections:
    """The pool in use, and those that were left and are still needed."""

    def __init__(self, make: Callable[[], aiohttp.ClientSession]) -> None:
        self._make = make
        self._pools: list[_Pool] = []
        """The last one is in use, unless it was left."""
        self._streams: set[aiohttp.ClientResponse] = set()
        self._under_way: Counter[str] = Counter()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """For one request, to its end."""
        if not self._pools or self._pools[-1].left:
            self._pools.append(_Pool(self._make()))
        pool = self._pools[-1]
        pool.users += 1
        try:
            yield pool.session
        finally:
            pool.users -= 1
            await self._tidy()

    @contextmanager
    def one_of(self, kind: str) -> Iterator[dict[str, str]]:
        """The headers of a request, which is one of those of `kind` while this lasts."""
        self._under_way[kind] += 1
        try:
            yield {"Connection": "close"} if self._under_way[kind] > KEPT else {}
        finally:
            self._under_way[kind] -= 1

    async def _tidy(self) -> None:
        # Looked for anew after each: to close one takes a moment, in which others come here too.
        while (pool := next((pool for pool in self._pools if pool.left and not pool.users), None)) is not None:
            self._pools.remove(pool)
            await pool.session.close()

    @asynccontextmanager
    async def streaming(self, response: aiohttp.ClientResponse) -> AsyncIterator[None]:
        """The body of `response` may be silent for long, and may never end."""
        transport = response.connection.transport if response.connection else None
        if transport is not None:
            _keep_alive(transport.get_extra_info("socket"))
        self._streams.add(response)
        try:
            yield
        finally:
            self._streams.discard(response)

    def leave(self) -> None:
        """New requests make new connections: an idle one may be dead, and says so only after minutes."""
        for pool in self._pools:
            pool.left = True

    def lost(self) -> None:
        """Break every open stream: its reader opens it again where it was."""
        self.leave()
        for response in list(self._streams):
            response.close()

    async def close(self) -> None:
        pools, self._pools = self._pools, []
        for pool in pools:
            await pool.session.close()


def _keep_alive(own: socket.socket) -> None:
    own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # aiohttp asks for it on a server's side alone
    for option, value in keepalive(socket).items():
        own.setsockopt(socket.IPPROTO_TCP, option, value)


def keepalive(system: object) -> dict[int, int]:
    """Of the options those that `system`, a module `socket`, has: they are not the same everywhere."""
    names = {name if hasattr(system, name) else ELSEWHERE.get(name, name): value for name, value in KEEPALIVE.items()}
    return {getattr(system, name): value for name, value in names.items() if hasattr(system, name)}
