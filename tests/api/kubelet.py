"""A real HTTP server that serves one container's log by the kubelet's rules, and breaks connections when told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from aiohttp import web

from kube_magics.cluster.client import Client
from tests.api.servers import access

BLOCK_BYTES = 32 << 10


@dataclass(frozen=True)
class Fault:
    """What happens to one connection."""

    kind: str
    """`cut` (no end of the body), `eof` (a clean one), `stall` (alive, silent), `refuse` (by `status`), `mute`."""
    after_bytes: int = 0
    says: bytes = b""
    """Sent just before."""
    then: Callable[[], None] = lambda: None
    """What happens to the log just before."""
    status: int = 500


class Log:
    """What the container has written; times are the test's own."""

    def __init__(self, zone_hours: float = 0) -> None:
        self.zone = UTC if not zone_hours else timezone(timedelta(hours=zone_hours))
        self.lines: list[bytes] = []
        """As they stand in an answer, timestamp and newline included."""
        self.written: list[bytes] = []
        self.seconds: list[int] = []
        self.first = 0
        """The oldest line that the node still has; a follower that has opened the file before reads on."""
        self.terminated = False
        self.faults: deque[Fault] = deque()
        """For the next connections, in order; then none."""
        self.requests: list[dict[str, str]] = []
        self._grown = asyncio.Event()

    def write(self, content: bytes, at_ns: int, *, end: bytes = b"\n") -> None:
        second, fraction = divmod(at_ns, 10**9)
        stamp = datetime.fromtimestamp(second, self.zone).strftime("%Y-%m-%dT%H:%M:%S") + f".{fraction:09d}"
        offset = datetime.fromtimestamp(second, self.zone).strftime("%z")
        zone = "Z" if self.zone is UTC else f"{offset[:3]}:{offset[3:]}"
        self.lines.append(f"{stamp}{zone} ".encode() + content + end)
        self.written.append(content + b"\n")
        self.seconds.append(second)
        self._grown.set()
        self._grown = asyncio.Event()

    def rotate(self) -> None:
        self.first = len(self.lines)

    def terminate(self) -> None:
        self.terminated = True
        self._grown.set()
        self._grown = asyncio.Event()

    async def over(self) -> bool:
        return self.terminated

    @property
    def text(self) -> bytes:
        return b"".join(self.written)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.requests.append(query)
        if "tailLines" in query:
            return web.Response(body=b"".join(self.lines[self.first :][-int(query["tailLines"]) :]))
        fault = self.faults.popleft() if self.faults else Fault("none")
        if fault.kind == "refuse":
            fault.then()
            refusal = {"kind": "Status", "code": fault.status, "message": "no kubelet"}
            return web.json_response(refusal, status=fault.status)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        if fault.kind == "mute":
            await self._hang(request)
        await response.prepare(request)
        await self._serve(request, response, query, fault)
        return response

    async def _serve(
        self, request: web.Request, response: web.StreamResponse, query: dict[str, str], fault: Fault
    ) -> None:
        room = fault.after_bytes if fault.kind != "none" else 1 << 60
        async for block in self._blocks(query):
            part = block[:room]
            room -= len(part)
            await response.write(part)
            if len(part) < len(block) or not room:
                break
        else:
            return
        fault.then()
        if fault.says:
            await response.write(fault.says)
        if fault.kind == "cut":
            assert request.transport is not None
            request.transport.close()
        elif fault.kind == "stall":
            await self._hang(request)

    async def _hang(self, request: web.Request) -> None:
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.01)

    async def _blocks(self, query: dict[str, str]) -> AsyncIterator[bytes]:
        since = query.get("sinceTime")
        least = 0 if since is None else int(datetime.fromisoformat(since).timestamp())
        at = self.first
        while True:
            block = bytearray()
            while at < len(self.lines) and len(block) < BLOCK_BYTES:
                if self.seconds[at] >= least:
                    block += self.lines[at]
                at += 1
            grown = self._grown
            if block:
                yield bytes(block)
            elif at >= len(self.lines):
                if "follow" not in query or self.terminated:
                    return
                await grown.wait()


@asynccontextmanager
async def served(log: Log) -> AsyncIterator[Client]:
    """A client of a server that serves `log` as that of every pod."""
    app = web.Application()
    app.router.add_get("/api/v1/namespaces/{namespace}/pods/{pod}/log", log.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    client = Client(access(f"http://127.0.0.1:{runner.addresses[0][1]}"))
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()
