"""A container's log, every line exactly once, through every break of the connection.

Follow; after any break first read without following, which has an end: what `position` cannot decide line by line it
decides on the whole. A clean EOF is not the end: a kubelet restart looks the same. The end is a terminated container
and a last read that reaches our position and adds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from kube_magics import errors
from kube_magics.cluster.absence import Absence
from kube_magics.cluster.client import Client
from kube_magics.cluster.lag import BEHIND_S, Lag
from kube_magics.cluster.logrequest import ANSWER_S, SILENCE_S, LogRequest
from kube_magics.cluster.pieces import Gap, Piece
from kube_magics.cluster.position import Position, Resume, stamped, unix_time
from kube_magics.cluster.rotated import Rotated, begun

PAUSE_S = 0.1
LONGEST_PAUSE_S = 0.5
"""Between an EOF and the next request: the pod's status says up to two seconds later that the container has ended."""
LONGEST_OUTAGE_PAUSE_S = 1.0
QUICK_TRIES = 8
GIVE_UP = 12
"""Vain reads in a row, of the log of a container that has ended, until it counts as gone: about five seconds; four
times as many (two minutes) while the server says that it is at fault itself, or has too much to do."""


@dataclass
class _Read:
    """How one connection went."""

    added: bool = False
    confirmed: bool = False
    """Our position was found in the log, or given up with a Gap: what follows it is known to be new."""
    caught_up: bool = False
    away: bool = False
    """It broke: the link, or a server that cannot answer now."""
    waited: bool = False
    """The server had been away, and is back this moment."""
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
        rotated: Rotated | None = None,
        late: bool = False,
        silence_s: float = SILENCE_S,
        answer_s: float = ANSWER_S,
        pause_s: float = PAUSE_S,
        behind_s: float = BEHIND_S,
    ) -> None:
        """`rotated`: where a gap may be filled from; `late`: the log's beginning may have been rotated away."""
        self._client = client
        self._rotated = rotated
        self._late = late
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        self._request = LogRequest(client, path, container, silence_s=silence_s, answer_s=answer_s)
        self._pause_s = pause_s
        self._lag = Lag(behind_s)
        self.position = Position()
        self.reconnects = 0
        self._absence = Absence(client.link)
        self._remark = b""
        self._head = b""
        """What stood after the last newline where the log ended, with nothing read since: a rotation cuts the line
        being written in two, and for a moment afterwards the node has no log at all."""

    async def lines(self, over: Callable[[], Awaitable[bool]]) -> AsyncGenerator[Piece, None]:
        """Follow to the end; `over` says whether the container has terminated (or its pod is gone).

        Yields blocks of whole lines, each ended by a newline (the log's very last line may have had none). Raises
        NotFound, after which it may be called again and goes on where it was; Rejected while the container has not
        ended and nothing was read yet; Forbidden at once then, else after a minute.
        """
        misses, vain, tail = 0, 0, b""
        while True:
            ended = await over()
            read = _Read()
            async with aclosing(self._connection(read, ended=ended, misses=misses)) as pieces:
                async for piece in pieces:
                    yield piece
            misses = 0 if read.added else misses + 1
            if ended and not read.away:
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
            # At once after a break: while nobody follows, a rotation takes what was not read yet.
            if not (read.waited or (read.added and (ended or read.caught_up or read.away))):
                await asyncio.sleep(self._pause(misses, away=read.away))

    async def _connection(self, read: _Read, *, ended: bool, misses: int) -> AsyncGenerator[Piece, None]:
        """One connection; where it broke, until the server answers again."""
        try:
            async with aclosing(self._once(read, follow=not ended)) as pieces:
                async for piece in pieces:
                    yield piece
        except errors.Unreachable:
            read.away = True
        except (errors.Unauthorized, errors.Forbidden, errors.ConfigError):
            # A token that is renewed just now; an API server that has not read the rights yet, since it has just
            # started; a log-in program that needs the network which is away.
            if not self.position.last or misses > GIVE_UP * 4:
                raise
            read.away = True
        except errors.Rejected as refusal:
            if not ended and not self.position.last:
                raise
            read.confirmed = False
            read.away = refusal.passes and misses < GIVE_UP * 4
        if read.away:
            async with aclosing(self._absence.lasts(self._request.silent_s)) as outage:
                async for said in outage:
                    yield said
            read.waited = self._absence.waited

    async def whole(self) -> AsyncGenerator[Piece, None]:
        """Everything that the node still has, without following; raises Unreachable after some attempts in vain."""
        misses = 0
        while True:
            read = _Read()
            try:
                async with aclosing(self._once(read, follow=False)) as pieces:
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
        # Where the server answers, the next break is as likely a new one: only many in a row speak for a longer pause.
        longest, grown = (LONGEST_OUTAGE_PAUSE_S, max(0, misses - QUICK_TRIES)) if away else (LONGEST_PAUSE_S, misses)
        return min(self._pause_s * 1.5 ** min(grown, 20), longest)

    async def _once(self, read: _Read, *, follow: bool) -> AsyncGenerator[Piece, None]:
        """What the log holds beyond our position, then what it gets, until the connection ends."""
        async with aclosing(self._beginning(read)) as pieces:
            async for piece in pieces:
                yield piece
        if self.position.last or not follow:
            async with aclosing(self._stored(read)) as pieces:
                async for piece in pieces:
                    yield piece
            if not read.confirmed:
                return
            for piece in self._absence.over():
                yield piece
        if follow:
            async with aclosing(self._followed(read)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _stored(self, read: _Read) -> AsyncGenerator[Piece, None]:
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
            async with aclosing(self._put_aside(read, fresh)) as pieces:
                async for piece in pieces:
                    yield piece
            head = (self._rotated.tail if self._rotated else b"") or head
        for piece in self._new(fresh, read, b"" if found else begun(head, fresh)):
            yield piece
        read.confirmed = found or bool(fresh)
        if read.confirmed:
            self.position.rebase(text)

    async def _beginning(self, read: _Read) -> AsyncGenerator[Piece, None]:
        """What the current file does not have any more of a log that is read for the first time."""
        if self._late and self._rotated is not None:
            async with aclosing(self._rotated.since(b"", b"")) as blocks:
                async for block in blocks:
                    for piece in self._new(block, read):
                        yield piece
            self._head = self._rotated.tail
        self._late = False

    async def _put_aside(self, read: _Read, fresh: bytes) -> AsyncGenerator[Piece, None]:
        """What was rotated away between our position and `fresh`; a gap where that is not to be had."""
        blocks: list[bytes] = []
        if self._rotated is not None:
            before = fresh.partition(b"\n")[0]
            blocks = [block async for block in self._rotated.since(self.position.last, before)]
        if self._rotated is None or not self._rotated.reached:
            yield Gap("the node had rotated the log")
            newest = unix_time(self.position.last) or 0.0
            blocks = [block for block in blocks if (unix_time(block) or 0.0) > newest]
        for block in blocks:
            for piece in self._new(block, read):
                yield piece

    async def _followed(self, read: _Read) -> AsyncGenerator[Piece, None]:
        resume = Resume(self.position)
        async with aclosing(self._blocks(read, follow=True)) as blocks:
            async for block in blocks:
                new = resume.feed(block)
                if resume.torn:
                    # The stream has no end that would tell what is missing; the next plain read has one.
                    return
                for piece in self._new(new, read):
                    yield piece
                if resume.settled and self._lag.has_grown(self.position.last):
                    async with aclosing(self._catch_up(read)) as missed:
                        async for piece in missed:
                            yield piece
                    if read.caught_up:
                        return

    async def _catch_up(self, read: _Read) -> AsyncGenerator[Piece, None]:
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
        async with aclosing(self._request.blocks(self.position, follow=follow)) as blocks:
            async for block in blocks:
                if block.endswith(b"\n"):
                    yield block
                else:
                    read.tail = block
                    if stamped(block):
                        self._head = block

    def _new(self, raw: bytes, read: _Read, head: bytes = b"") -> Iterator[Piece]:
        yield from self._absence.over()
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

    def _last_words(self, tail: bytes) -> Iterator[Piece]:
        """The log's last line where it ends without a newline: known to be whole only at the true end."""
        if stamped(tail):
            yield self.position.take(tail + b"\n")
        elif tail:
            yield Gap(tail.decode("utf-8", "replace"))
