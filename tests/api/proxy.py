"""A TCP proxy that breaks its connections: after a number of bytes, with or without a word."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """Forwards to one address; each connection lives for a random number of bytes from the server."""

    def __init__(self, host: str, port: int, rng: random.Random, most_bytes: int) -> None:
        self._target = (host, port)
        self._rng = rng
        self._most_bytes = most_bytes
        self._tasks: set[asyncio.Task[None]] = set()
        self.cuts = 0
        self.cutting = True
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        up = asyncio.ensure_future(self._forward(reader, there_writer, None))
        try:
            await self._forward(there_reader, writer, self._rng.randrange(6_000, self._most_bytes))
        except asyncio.CancelledError:
            # The test is over; asyncio would log it as a failure of the server.
            return
        finally:
            up.cancel()
            there_writer.close()
            # As a router that forgets a connection (reset), or as a server that ends it.
            writer.transport.abort() if self._rng.random() < 0.5 else writer.close()
            self._tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, room: int | None) -> None:
        try:
            while data := await reader.read(1 << 16):
                if room is not None and self.cutting and (room := room - len(data)) <= 0:
                    writer.write(data[:room])
                    self.cuts += 1
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def proxy(host: str, port: int, *, seed: int, most_bytes: int) -> AsyncIterator[Proxy]:
    made = Proxy(host, port, random.Random(seed), most_bytes)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.stop()
