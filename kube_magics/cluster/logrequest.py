"""One request for a container's log, as blocks of whole lines; a dead link is noticed within ten seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack

import aiohttp

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.cluster.position import Position

SILENCE_S = 5.0
"""A missed heartbeat of the runner: a stalled link hangs a client for ever, so ask on a second connection."""
NEWEST_S = 3.0
"""For the answer to that; with the silence before it, a stall is known after eight seconds."""
UNDER_WAY_S = 0.5
ANSWER_S = 30.0
"""For the first byte of a log that is not known to have one: the node sends not even headers before."""
COALESCE_S = 0.01
"""Under a flood every line is an HTTP chunk of its own: letting some gather halves the cost of a line."""
BUSY_BYTES = 1 << 15
PART_BYTES = 16 << 10
"""Longer lines are stored in parts, and `tailLines` counts parts."""


class LogRequest:
    """Asks for one container's log, from wherever its position is."""

    def __init__(
        self, client: Client, path: str, container: str, *, silence_s: float = SILENCE_S, answer_s: float = ANSWER_S
    ) -> None:
        """`container`: its name; "" for a pod's only one."""
        self._client = client
        self._path = path
        self._container = {"container": container} if container else {}
        self._silence_s = silence_s
        self._answer_s = answer_s
        self.silent_s = 0.0
        """How long nothing had come when the link was given up; 0: it broke with a word."""

    async def blocks(self, position: Position, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """Blocks of whole lines as they come, until a clean EOF; then what stands after the last newline, if anything.

        Raises Unreachable when the link is dead or breaks, and what the server answers.
        """
        query = {**self._container, "timestamps": "true", **position.since()}
        if follow:
            query["follow"] = "true"
        self.silent_s = 0.0
        async with AsyncExitStack() as stack:
            content = await self._opened(stack, query, self._patience_s(position))
            tail: list[bytes] = []
            while data := await self._data(content, position, tail, follow=follow):
                cut = data.rfind(b"\n") + 1
                if cut:
                    yield b"".join((*tail, data[:cut]))
                    tail = [data[cut:]] if cut < len(data) else []
                else:
                    tail.append(data)
                if follow and len(data) > BUSY_BYTES:
                    await asyncio.sleep(COALESCE_S)
        if tail:
            yield b"".join(tail)

    def _patience_s(self, position: Position) -> float:
        """For bytes that are there: a node that is cut off from its API server is noticed as a dead link is."""
        return min(self._answer_s, self._silence_s + NEWEST_S) if position.last else self._answer_s

    async def _opened(self, stack: AsyncExitStack, query: Mapping[str, str], patience_s: float) -> aiohttp.StreamReader:
        """The node's first word may take long, so while it does the link itself is asked."""
        # Not the request in a task of its own: what came by the time that this one wakes is lost if a reset came too.
        began = time.monotonic()
        try:
            async with asyncio.timeout(patience_s) as limit:
                guard = asyncio.ensure_future(self._guard(limit))
                try:
                    return await stack.enter_async_context(self._client.stream(self._path, query))
                finally:
                    guard.cancel()
        except TimeoutError:
            raise self._given_up(time.monotonic() - began) from None

    async def _guard(self, limit: asyncio.Timeout) -> None:
        while True:
            await asyncio.sleep(self._silence_s)
            if not await self._client.link.alive():
                limit.reschedule(asyncio.get_running_loop().time())
                return

    async def _data(
        self, content: aiohttp.StreamReader, position: Position, tail: list[bytes], *, follow: bool
    ) -> bytes:
        waited_s = 0.0
        while not (data := await self._within(self._silence_s, content)):
            if data is not None:
                return data
            waited_s += self._silence_s
            if follow:
                dead = await self._stalled(position, b"".join(tail))
            else:
                dead = waited_s >= self._patience_s(position) or not await self._client.link.alive()
            if dead:
                # What is newer may be on its way this moment.
                data = await self._within(min(self._silence_s, UNDER_WAY_S), content)
                if data is None:
                    raise self._given_up(waited_s)
                return data
        return data

    async def _within(self, patience_s: float, content: aiohttp.StreamReader) -> bytes | None:
        """What comes next, b"" at the end; None: nothing did."""
        try:
            async with asyncio.timeout(patience_s):
                return await content.readany()
        except TimeoutError:
            # There is something if it was this process that was away: stopped, or its machine asleep.
            return content.read_nowait(-1) or None

    def _given_up(self, silent_s: float) -> errors.Unreachable:
        self.silent_s = silent_s
        self._client.connections.leave()
        return errors.Unreachable("The log's connection stays silent.")

    async def _stalled(self, position: Position, tail: bytes) -> bool:
        """Silence: does the log hold something newer than what we have? `tail`: read, not yet ended by a newline."""
        query = {**self._container, "timestamps": "true", "tailLines": "1"}
        try:
            asked = self._client.get(self._path, query, accept="*/*")
            newest = await asyncio.wait_for(asked, min(self._silence_s, NEWEST_S))
        except (TimeoutError, errors.ClusterError):
            return True
        text = (newest if isinstance(newest, bytes) else str(newest).encode()).removesuffix(b"\n")
        if text in (position.last, tail):
            return False
        mine = tail or position.last
        return len(mine) < PART_BYTES or not mine.endswith(text.partition(b" ")[2])
