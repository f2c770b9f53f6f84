"""A container's log, every line exactly once, through every break of the connection.

What the API offers: `timestamps=true` has nanoseconds, but `sinceTime` is cut to whole seconds and filters line by
line in file order. So the position in a log is (the last line's second, how many lines of that second were delivered):
ask again from that second and skip that many, after comparing them with what was delivered. Where they differ (the log
was rotated meanwhile), what the ring of recent lines knows is left out and a `Gap` is declared.
A clean EOF is not the end: a kubelet restart looks the same. The end is a terminated container and a last read that
adds nothing.
"""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp

from kube_magics import errors
from kube_magics.cluster.client import Client

SILENCE_S = 8.0
"""Two missed heartbeats of the runner: a stalled link hangs a client for ever, so ask on a second connection."""
PAUSE_S = 0.1
LONGEST_PAUSE_S = 3.0
RING_BYTES = 1 << 20
COALESCE_S = 0.01
"""Under a flood every line is an HTTP chunk of its own: letting some gather halves the cost of a line."""
BUSY_BYTES = 1 << 15
BEHIND_S = 1.5
"""Lag at which the rest is fetched without following, which costs a tenth of the CPU on every side."""
LAG_CHECK_S = 1.0

_SECOND = 19  # len("2026-11-23T21:00:00")
_STAMP = re.compile(rb"^[^ \n]+ ?", re.MULTILINE)


@dataclass(frozen=True)
class Gap:
    """Lines may be missing here; how many, only the runner's own count tells."""

    why: str


@dataclass
class Position:
    """How much of a log has been delivered."""

    second: bytes = b""
    zone: bytes = b"Z"
    count: int = 0
    """Delivered lines whose timestamp is in `second`."""
    digest: int = 0
    """CRC-32 of these lines, in order, timestamps included."""
    last: bytes = b""
    """The last delivered line, timestamp included."""
    ring: deque[bytes] = field(default_factory=deque)
    """The last delivered lines, as raw blocks of at most RING_BYTES together."""
    _ring_bytes: int = 0

    def take(self, raw: bytes) -> bytes:
        """Account for `raw` (whole lines with timestamps) as delivered; returns it without the timestamps."""
        start = raw.rfind(b"\n", 0, len(raw) - 1) + 1
        self.last = raw[start:-1]
        second = self.last[:_SECOND]
        if second == self.second and raw.startswith(second):
            block = raw
        else:
            self.second, self.count, self.digest = second, 0, 0
            self.zone = _zone(self.last)
            at = 0 if raw.startswith(second) else raw.find(b"\n" + second) + 1
            block = raw[at:] if at else raw
        self.count += block.count(b"\n")
        self.digest = zlib.crc32(block, self.digest)
        self._remember(raw)
        return _STAMP.sub(b"", raw)

    def since(self) -> dict[str, str]:
        """The query that asks for everything from this position's second on."""
        if not self.second:
            return {}
        return {"sinceTime": (self.second + self.zone).decode("ascii", "replace")}

    def _remember(self, raw: bytes) -> None:
        self.ring.append(raw[-RING_BYTES:])
        self._ring_bytes += len(self.ring[-1])
        while self._ring_bytes - len(self.ring[0]) >= RING_BYTES:
            self._ring_bytes -= len(self.ring.popleft())

    def known(self) -> Counter[bytes]:
        """The lines that the ring still holds."""
        return Counter(b"".join(self.ring).split(b"\n"))


def _zone(line: bytes) -> bytes:
    match = re.match(rb"[^ ]{19}(?:\.[0-9]+)?(Z|[+-][0-9:]+) ?", line)
    return match[1] if match else b"Z"


def _unix_seconds(line: bytes) -> float:
    stamp = line[:_SECOND] + _zone(line)
    try:
        return datetime.fromisoformat(stamp.decode("ascii")).timestamp()
    except ValueError:
        return time.time()


class Resume:
    """Skips what was delivered already from the first lines of a reopened log."""

    def __init__(self, position: Position) -> None:
        self._position = position
        self._held = b""
        self._settled = position.count == 0
        self._broken = False

    def settled(self) -> bool:
        """Whether everything delivered before has been passed."""
        return self._settled

    def broken(self) -> bool:
        """Whether the log no longer continues where we left it."""
        return self._broken

    def feed(self, raw: bytes, *, last: bool = False) -> bytes:
        """Add whole raw lines; returns what of them is new, once that is known. `last`: no more will come."""
        self._held += raw
        have = self._held.count(b"\n")
        if have < self._position.count and not last:
            return b""
        self._settled = True
        cut = _after_lines(self._held, min(self._position.count, have))
        old, new = self._held[:cut], self._held[cut:]
        if have >= self._position.count and zlib.crc32(old) == self._position.digest:
            return new
        self._broken = True
        return self._unknown()

    def _unknown(self) -> bytes:
        known = self._position.known()
        fresh = []
        for line in self._held.split(b"\n")[:-1]:
            if known[line] > 0:
                known[line] -= 1
            else:
                fresh.append(line + b"\n")
        return b"".join(fresh)


def _after_lines(data: bytes, count: int) -> int:
    at = 0
    for _ in range(count):
        at = data.index(b"\n", at) + 1
    return at


class PodLog:
    """One container's log as a stream of whole lines without timestamps, and of gaps."""

    def __init__(self, client: Client, namespace: str, pod: str, container: str) -> None:
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        self._container = container
        self.position = Position()
        self.reconnects = 0
        self._least_lag_s = float("inf")
        self._lag_checked = 0.0

    async def lines(self, over: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes | Gap]:
        """Follow to the end; `over` says whether the container has terminated (or its pod is gone).

        Yields blocks of whole lines, each ended by a newline. Raises Forbidden and NotFound, and Rejected while the
        container has not started and nothing was read yet.
        """
        pause_s = PAUSE_S
        while True:
            ended = await over()
            try:
                async for piece in self._read(follow=not ended):
                    pause_s = PAUSE_S
                    yield piece
            except errors.Unreachable:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            except errors.Rejected:
                if not self.position.second:
                    raise
                await asyncio.sleep(pause_s)
            if ended:
                return
            self.reconnects += 1
            if not await over():
                await asyncio.sleep(PAUSE_S)

    async def whole(self) -> AsyncIterator[bytes | Gap]:
        """Everything that the node still has, without following."""
        async for piece in self._read(follow=False):
            yield piece

    async def _read(self, *, follow: bool) -> AsyncIterator[bytes | Gap]:
        """One connection: from the position to EOF, or until it is found dead or far behind."""
        resume = Resume(self.position)
        async with self._client.stream(self._path, self._query(follow=follow)) as content:
            async for block in self._blocks(content, follow=follow):
                for piece in self._new(resume, block):
                    yield piece
                if follow and resume.settled() and self._behind():
                    caught = False
                    async for missed in self._catch_up():
                        caught = True
                        yield missed
                    if caught:
                        return
        for piece in self._new(resume, b"", last=True):
            yield piece

    async def _blocks(self, content: aiohttp.StreamReader, *, follow: bool) -> AsyncIterator[bytes]:
        """Whole lines as they come; ends at EOF, or when the link is found dead. An unterminated tail is dropped."""
        tail: list[bytes] = []
        while True:
            try:
                async with asyncio.timeout(SILENCE_S if follow else None):
                    data = await content.readany()
            except TimeoutError:
                if await self._stalled():
                    return
                continue
            if not data:
                return
            cut = data.rfind(b"\n") + 1
            if cut:
                yield b"".join((*tail, data[:cut]))
                tail = [data[cut:]] if cut < len(data) else []
            else:
                tail.append(data)
            if follow and len(data) > BUSY_BYTES:
                await asyncio.sleep(COALESCE_S)

    def _behind(self) -> bool:
        """Whether the lag has grown since it was least; clocks may differ, so only the growth counts."""
        now = time.time()
        if now - self._lag_checked < LAG_CHECK_S:
            return False
        self._lag_checked = now
        lag_s = now - _unix_seconds(self.position.last)
        self._least_lag_s = min(self._least_lag_s, lag_s)
        return lag_s - self._least_lag_s > BEHIND_S

    async def _catch_up(self) -> AsyncIterator[bytes]:
        """Everything up to now at a tenth of the cost, if the log's current file still continues our position.

        Where it does not (rotated meanwhile), nothing is yielded: the open stream still reads the older file.
        """
        resume = Resume(self.position)
        async with self._client.stream(self._path, self._query(follow=False)) as content:
            async for block in self._blocks(content, follow=False):
                new = block if resume.settled() else resume.feed(block)
                if resume.broken():
                    return
                if new:
                    yield self.position.take(new)

    def _query(self, *, follow: bool) -> dict[str, str]:
        query = {"container": self._container, "timestamps": "true", **self.position.since()}
        return {**query, "follow": "true"} if follow else query

    def _new(self, resume: Resume, block: bytes, *, last: bool = False) -> list[bytes | Gap]:
        if not resume.settled():
            block = resume.feed(block, last=last)
            if resume.broken():
                gap = Gap("the node had rotated the log")
                return [gap, self.position.take(block)] if block else []
        return [self.position.take(block)] if block else []

    async def _stalled(self) -> bool:
        """Silence: does the log hold something newer than what we have?"""
        query = {"container": self._container, "timestamps": "true", "tailLines": "1"}
        try:
            newest = await asyncio.wait_for(self._client.get(self._path, query, accept="*/*"), SILENCE_S)
        except (TimeoutError, errors.ClusterError):
            return True
        text = newest if isinstance(newest, bytes) else str(newest).encode()
        return text.rstrip(b"\n") != self.position.last
