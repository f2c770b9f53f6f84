"""A container's log, every line exactly once, through every break of the connection.

Follow; after any break first read without following, which has an end: what `position` cannot decide line by line it
decides on the whole. A clean EOF is not the end: a kubelet restart looks the same. The end is a terminated container
and a last read that reaches our position and adds nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import aiohttp

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.cluster.position import Position, Resume, stamped, unix_time

SILENCE_S = 8.0
"""Two missed heartbeats of the runner: a stalled link hangs a client for ever, so ask on a second connection."""
ANSWER_S = 30.0
"""For the first byte: the node sends not even headers before a log's first line. And between two of a plain read."""
PAUSE_S = 0.1
LONGEST_PAUSE_S = 0.5
"""Between an EOF and the next request: the pod's status says up to two seconds later that the container has ended."""
LONGEST_OUTAGE_PAUSE_S = 3.0
GIVE_UP = 12
"""Vain reads in a row, of the log of a container that has ended, until it counts as gone: about five seconds; four
times as many (two minutes) while the server says that it is at fault itself."""
COALESCE_S = 0.01
"""Under a flood every line is an HTTP chunk of its own: letting some gather halves the cost of a line."""
BUSY_BYTES = 1 << 15
BEHIND_S = 0.4
"""Lag at which the rest is fetched without following: a third of the CPU here, two thirds on node and API server.
Sooner than a second: the lines of the position's own second are fetched once more."""
ROTATION_S = 10.0
"""The kubelet looks this often whether a log has to be rotated."""
PART_BYTES = 16 << 10
"""Longer lines are stored in parts, and `tailLines` counts parts."""


@dataclass(frozen=True)
class Gap:
    """Lines may be missing here; how many, if any, only the runner's own count tells."""

    why: str
    sure: bool = False
    """They are missing: nothing was read at all."""


@dataclass
class _Read:
    """How one connection went."""

    added: bool = False
    confirmed: bool = False
    """Our position was found in the log, or given up with a Gap: what follows it is known to be new."""
    caught_up: bool = False
    tail: bytes = b""
    """What stood after the last newline at a clean EOF."""


class PodLog:
    """One container's log as a stream of whole lines without timestamps, and of gaps."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        pod: str,
        container: str,
        *,
        silence_s: float = SILENCE_S,
        answer_s: float = ANSWER_S,
        pause_s: float = PAUSE_S,
        behind_s: float = BEHIND_S,
    ) -> None:
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        self._container = container
        self._silence_s = silence_s
        self._answer_s = answer_s
        self._pause_s = pause_s
        self._behind_s = behind_s
        self.position = Position()
        self.reconnects = 0
        self._least_lag_s = float("inf")
        self._lag_checked = 0.0
        self._remark = b""
        self._head = b""
        """What stood after the last newline where the log ended, with nothing read since: a rotation cuts the line
        being written in two, and for a moment afterwards the node has no log at all."""

    async def lines(self, over: Callable[[], Awaitable[bool]]) -> AsyncGenerator[bytes | Gap, None]:
        """Follow to the end; `over` says whether the container has terminated (or its pod is gone).

        Yields blocks of whole lines, each ended by a newline (the log's very last line may have had none). Raises
        Forbidden and NotFound, and Rejected while the container has not ended and nothing was read yet.
        """
        misses, vain, tail = 0, 0, b""
        while True:
            ended = await over()
            read, away = _Read(), False
            try:
                async with aclosing(self._once(read, follow=not ended)) as pieces:
                    async for piece in pieces:
                        yield piece
            except errors.Unreachable:
                away = True
            except errors.Rejected as refusal:
                if not ended and not self.position.last:
                    raise
                read.confirmed = False
                away = (refusal.status or 0) >= 500 and misses < GIVE_UP * 4
            misses = 0 if read.added else misses + 1
            if ended and not away:
                if read.confirmed and not read.added and read.tail == tail:
                    for piece in self._last_words(tail):
                        yield piece
                    return
                vain = 0 if read.added or read.tail != tail else vain + 1
                tail = read.tail
                if vain > GIVE_UP:
                    yield Gap("the cluster gives no more of this log")
                    return
            self.reconnects += 1
            if not (read.added and (ended or read.caught_up)):
                await asyncio.sleep(self._pause(misses, away=away))

    async def whole(self) -> AsyncGenerator[bytes | Gap, None]:
        """Everything that the node still has, without following; raises Unreachable after some attempts in vain."""
        misses = 0
        while True:
            read = _Read()
            try:
                async with aclosing(self._stored(read)) as pieces:
                    async for piece in pieces:
                        yield piece
            except errors.Unreachable:
                if misses == 4:
                    raise
            if read.confirmed:
                break
            misses = 0 if read.added else misses + 1
            if misses > 4:
                yield Gap("the log broke off")
                break
            await asyncio.sleep(self._pause(misses, away=True))
        for piece in self._last_words(read.tail):
            yield piece

    def _pause(self, misses: int, *, away: bool) -> float:
        longest = LONGEST_OUTAGE_PAUSE_S if away else LONGEST_PAUSE_S
        return min(self._pause_s * 1.5 ** min(misses, 20), longest)

    async def _once(self, read: _Read, *, follow: bool) -> AsyncGenerator[bytes | Gap, None]:
        """What the log holds beyond our position, then what it gets, until the connection ends."""
        if self.position.last or not follow:
            async with aclosing(self._stored(read)) as pieces:
                async for piece in pieces:
                    yield piece
            if not read.confirmed:
                return
        if follow:
            async with aclosing(self._followed(read)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _stored(self, read: _Read) -> AsyncGenerator[bytes | Gap, None]:
        """From the position to the log's present end, reconciled where the log does not go on where we left it."""
        resume, head = Resume(self.position), self._head
        async with aclosing(self._blocks(read, follow=False)) as blocks:
            async for block in blocks:
                for piece in self._new(resume.feed(block), read):
                    yield piece
        read.confirmed = resume.settled
        if resume.settled:
            return
        text = resume.text()
        fresh, found = self.position.new_in(text)
        if fresh and not found:
            yield Gap("the node had rotated the log")
        for piece in self._new(fresh, read, b"" if found else _begun(head, fresh)):
            yield piece
        read.confirmed = found or bool(fresh)
        if read.confirmed:
            self.position.rebase(text)

    async def _followed(self, read: _Read) -> AsyncGenerator[bytes | Gap, None]:
        resume = Resume(self.position)
        async with aclosing(self._blocks(read, follow=True)) as blocks:
            async for block in blocks:
                new = resume.feed(block)
                if resume.torn:
                    # The stream has no end that would tell what is missing; the next plain read has one.
                    return
                for piece in self._new(new, read):
                    yield piece
                if resume.settled and self._behind():
                    async with aclosing(self._catch_up(read)) as missed:
                        async for piece in missed:
                            yield piece
                    if read.caught_up:
                        return

    async def _catch_up(self, read: _Read) -> AsyncGenerator[bytes | Gap, None]:
        """Everything up to now at less cost, if the log's current file still continues our position.

        Where it does not (rotated meanwhile), nothing is yielded: the open stream still reads the older file.
        """
        resume = Resume(self.position)
        async with aclosing(self._blocks(_Read(), follow=False)) as blocks:
            async for block in blocks:
                new = resume.feed(block)
                if resume.torn:
                    return
                for piece in self._new(new, read):
                    read.caught_up = True
                    yield piece

    async def _blocks(self, read: _Read, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """Whole lines of one request as they come, until EOF; raises Unreachable when the link is dead or breaks."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._answer_s):
                    content = await stack.enter_async_context(
                        self._client.stream(self._path, self._query(follow=follow))
                    )
            except TimeoutError as error:
                raise errors.Unreachable("The log's connection stays silent.") from error
            tail: list[bytes] = []
            while data := await self._data(content, tail, follow=follow):
                cut = data.rfind(b"\n") + 1
                if cut:
                    yield b"".join((*tail, data[:cut]))
                    tail = [data[cut:]] if cut < len(data) else []
                else:
                    tail.append(data)
                if follow and len(data) > BUSY_BYTES:
                    await asyncio.sleep(COALESCE_S)
            read.tail = b"".join(tail)
            if stamped(read.tail):
                self._head = read.tail

    async def _data(self, content: aiohttp.StreamReader, tail: list[bytes], *, follow: bool) -> bytes:
        while True:
            try:
                async with asyncio.timeout(self._silence_s if follow else self._answer_s):
                    return await content.readany()
            except TimeoutError as error:
                if not follow or await self._stalled(b"".join(tail)):
                    raise errors.Unreachable("The log's connection has died.") from error

    async def _stalled(self, tail: bytes) -> bool:
        """Silence: does the log hold something newer than what we have? `tail`: read, not yet ended by a newline."""
        query = {"container": self._container, "timestamps": "true", "tailLines": "1"}
        try:
            newest = await asyncio.wait_for(self._client.get(self._path, query, accept="*/*"), self._silence_s)
        except (TimeoutError, errors.ClusterError):
            return True
        text = (newest if isinstance(newest, bytes) else str(newest).encode()).removesuffix(b"\n")
        if text in (self.position.last, tail):
            return False
        mine = tail or self.position.last
        return len(mine) < PART_BYTES or not mine.endswith(text.partition(b" ")[2])

    def _behind(self) -> bool:
        """Whether the lag has grown since it was least; clocks may differ, so only the growth counts."""
        now = time.time()
        written = unix_time(self.position.last)
        if written is None or now - self._lag_checked < self._behind_s / 2:
            return False
        self._lag_checked = now
        lag_s = now - written
        self._least_lag_s = min(self._least_lag_s, lag_s)
        return lag_s - self._least_lag_s > self._behind_s

    def _query(self, *, follow: bool) -> dict[str, str]:
        query = {"container": self._container, "timestamps": "true", **self.position.since()}
        return {**query, "follow": "true"} if follow else query

    def _new(self, raw: bytes, read: _Read, head: bytes = b"") -> Iterator[bytes | Gap]:
        text = self.position.take(raw) if raw else b""
        if text:
            read.added = True
            self._head = b""
            yield head + text
        for remark in self.position.remarks:
            # "unable to retrieve container logs for …": in the log's place, once however often it is asked.
            if remark != self._remark:
                yield Gap(remark.decode("utf-8", "replace").strip())
            self._remark = remark
        self.position.remarks.clear()

    def _last_words(self, tail: bytes) -> Iterator[bytes | Gap]:
        """The log's last line where it ends without a newline: known to be whole only at the true end."""
        if stamped(tail):
            yield self.position.take(tail + b"\n")
        elif tail:
            yield Gap(tail.decode("utf-8", "replace"))


def _begun(head: bytes, fresh: bytes) -> bytes:
    """What stands before the first of `fresh`'s lines in the file that was rotated away, if `head` ended that file."""
    begun, went_on = unix_time(head), unix_time(fresh)
    if begun is None or went_on is None or not 0 <= went_on - begun < ROTATION_S:
        return b""
    return head.partition(b" ")[2]
