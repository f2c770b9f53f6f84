"""A proxy before a real API server that breaks what goes through it, when told or by a seeded plan.

Plain TCP: TLS and credentials stay the client's and the server's own. It runs in a thread, so that a test can break
the link of a notebook's kernel while it waits for that kernel.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml

T = TypeVar("T")

KINDS = ("reset", "close")
"""As a router that forgets a connection, and as a server that ends it; both in the middle of a body."""


class Proxy:
    """Forwards to one address. Every method may be called from any thread."""

    def __init__(self, host: str, port: int, *, seed: int = 0, most_bytes: int | None = None) -> None:
        """`most_bytes`: each connection ends by itself after a random number of bytes from the server, up to this."""
        self._target = (host, port)
        self._rng = random.Random(seed)
        self._most_bytes = most_bytes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._clear = asyncio.Event()
        self._clear.set()
        self._links: set[asyncio.Task[None]] = set()
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._held: tuple[bytes, threading.Event, asyncio.Event] | None = None
        self.port = 0
        self.cuts = 0
        """Connections broken so far."""
        self.connections = 0
        """Accepted so far."""
        self.delay_s = 0.0
        """Of everything that the server says."""
        self.upload_room: int | None = None
        """After so many more bytes to the server the connection that brings the next ones breaks, in their middle."""

    def start(self) -> None:
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, kind: str | None = None) -> int:
        """Break every open connection, by `kind` or by chance; how many there were."""
        return self._run(self._cut(kind))

    @contextmanager
    def silent(self, *, forget: bool = False) -> Iterator[None]:
        """Every connection stays, and new ones are accepted by the kernel; nothing is forwarded in either direction.

        `forget`: what was open at its end stays silent for ever, as behind a router that has lost its table.
        """
        self._loop.call_soon_threadsafe(self._clear.clear)
        try:
            yield
        finally:
            self._run(self._speak(forget=forget))

    async def _speak(self, *, forget: bool) -> None:
        if forget:
            self._clear = asyncio.Event()
        self._clear.set()

    @contextmanager
    def holding(self, what: bytes) -> Iterator[threading.Event]:
        """What is sent to the server stops where a piece contains `what`, which the event tells, until the end of this."""
        met, over = threading.Event(), asyncio.Event()
        self._held = what, met, over
        try:
            yield met
        finally:
            self._held = None
            self._loop.call_soon_threadsafe(over.set)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """All connections break and no new one is accepted, as while an API server starts again."""
        self._run(self._deafen())
        self.cut("close")
        try:
            yield
        finally:
            self._run(self._listen())

    def kubeconfig(self, original: Path, path: Path, *, host: str = "127.0.0.1") -> Path:
        """`original` with this proxy in the place of the server, written to `path`."""
        content = yaml.safe_load(original.read_text("utf-8"))
        entry = content["clusters"][0]["cluster"]
        entry["tls-server-name"] = urlsplit(entry["server"]).hostname
        entry["server"] = f"https://{host}:{self.port}"
        path.write_text(yaml.safe_dump(content), "utf-8")
        return path

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(90)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _deafen(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _end(self) -> None:
        await self._deafen()
        self._clear.set()
        for task in list(self._links):
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _cut(self, kind: str | None) -> int:
        found = list(self._open.items())
        for writer, task in found:
            self._break(writer, kind or self._rng.choice(KINDS))
            task.cancel()
        return len(found)

    def _break(self, writer: asyncio.StreamWriter, kind: str) -> None:
        self.cuts += 1
        self._open.pop(writer, None)
        writer.transport.abort() if kind == "reset" else writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not this task itself: asyncio would log its cancellation as a failure of the server.
        task = asyncio.ensure_future(self._link(reader, writer))
        self._links.add(task)
        task.add_done_callback(self._links.discard)
        self._open[writer] = task
        self.connections += 1

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        ways: list[asyncio.Task[bool]] = []
        clear = self._clear
        try:
            await clear.wait()
            there_reader, there = await asyncio.open_connection(*self._target)
            room = self._rng.randrange(6_000, self._most_bytes) if self._most_bytes else None
            up = self._forward(reader, there, clear, None, upload=True)
            down = self._forward(there_reader, writer, clear, room, lambda: self.delay_s)
            ways = [asyncio.ensure_future(up), asyncio.ensure_future(down)]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if any(way.done() and way.result() for way in ways):
                self._break(writer, self._rng.choice(KINDS))
        except OSError:
            self._break(writer, "reset")
        finally:
            for way in ways:
                way.cancel()
            if there is not None:
                there.transport.abort()
            self._open.pop(writer, None)
            writer.close()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        clear: asyncio.Event,
        room: int | None,
        delay_s: Callable[[], float] = lambda: 0.0,
        *,
        upload: bool = False,
    ) -> bool:
        """Until the end of the one or the other; True: `room` bytes have passed, or `upload_room`."""
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                await clear.wait()
                if upload and self._held is not None and self._held[0] in data:
                    self._held[1].set()
                    await self._held[2].wait()
                if delay_s():
                    await asyncio.sleep(delay_s())
                if room is not None and (room := room - len(data)) <= 0:
                    writer.write(data[:room])
                    return True
                if upload and self._is_full(len(data)):
                    writer.write(data[: len(data) // 2])
                    return True
                writer.write(data)
                await writer.drain()
        return False

    def _is_full(self, more: int) -> bool:
        if self.upload_room is None:
            return False
        self.upload_room -= more
        if self.upload_room > 0:
            return False
        self.upload_room = None
        return True


@contextmanager
def proxy(kubeconfig: Path, *, seed: int = 0, most_bytes: int | None = None) -> Iterator[Proxy]:
    """A proxy before the server that `kubeconfig` names."""
    server = urlsplit(yaml.safe_load(kubeconfig.read_text("utf-8"))["clusters"][0]["cluster"]["server"])
    made = Proxy(server.hostname or "", server.port or 443, seed=seed, most_bytes=most_bytes)
    made.start()
    try:
        yield made
    finally:
        made.stop()
