"""A gate before the API server: it forwards every request, and does to some, or to their answers, what it is told to.

What is in front of it speaks plain HTTP; `kubectl proxy`, behind it, adds the user's credentials and TLS.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import yaml
from aiohttp import ClientSession, ClientTimeout, web

from tests.cluster import Namespace

PASSES_BYTES = 1 << 20
"""Of a body that is held."""
LOST = "lost"
"""The server does what it was asked for; its answer never comes, and the connection is gone."""


@dataclass(frozen=True)
class Refusal:
    """What the server answers instead of doing anything."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Gate:
    """`hold` a request, its answer, or most of its answer's body by `METHOD PATH`; what is held waits until the gate is
    closed for good, a body until the next `hold`.

    `once`: the next requests of that kind meet with these, one each.
    """

    def __init__(self, behind: str) -> None:
        self._behind = behind
        self._request: re.Pattern[str] | None = None
        self._answer: re.Pattern[str] | None = None
        self._body: re.Pattern[str] | None = None
        self._fates: list[tuple[re.Pattern[str], str | Refusal]] = []
        self.held = threading.Event()
        self.met: list[str] = []
        """`METHOD PATH` of those whom their fate has met."""
        self.asked: list[str] = []
        """`METHOD PATH?QUERY` of every request."""
        self.url = ""

    def hold(self, *, request: str | None = None, answer: str | None = None, body: str | None = None) -> None:
        self._request = re.compile(request) if request else None
        self._answer = re.compile(answer) if answer else None
        self._body = re.compile(body) if body else None
        self.held.clear()

    def once(self, what: str, *fates: str | Refusal) -> None:
        self._fates += [(re.compile(what), fate) for fate in fates]

    def _fate(self, what: str) -> str | Refusal | None:
        for found in self._fates:
            if found[0].search(what):
                self._fates.remove(found)
                self.met.append(what)
                return found[1]
        return None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        what = f"{request.method} {request.path}"
        self.asked.append(f"{request.method} {request.path_qs}")
        if self._request is not None and self._request.search(what):
            await self._forever()
        body = await request.read()
        fate = self._fate(what)
        if isinstance(fate, Refusal):
            return web.Response(status=fate.status, headers=fate.headers, text="not now")
        headers = {name: request.headers[name] for name in ("Content-Type", "Accept") if name in request.headers}
        async with (
            ClientSession(timeout=ClientTimeout(total=None)) as session,
            session.request(
                request.method, self._behind + request.path_qs, data=BytesIO(body) if body else None, headers=headers
            ) as answer,
        ):
            if self._answer is not None and self._answer.search(what):
                await answer.read()
                await self._forever()
            if fate == LOST:
                await answer.read()
                assert request.transport is not None
                request.transport.abort()
            response = web.StreamResponse(
                status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]}
            )
            await response.prepare(request)
            passed = 0
            async for chunk in answer.content.iter_any():
                passed += len(chunk)
                while passed > PASSES_BYTES and self._body is not None and self._body.search(what):
                    self.held.set()
                    await asyncio.sleep(0.05)
                await response.write(chunk)
            return response

    async def _forever(self) -> None:
        self.held.set()
        await asyncio.Event().wait()


@contextmanager
def gate(space: Namespace, folder: Path) -> Iterator[tuple[Gate, Path]]:
    """The gate, and a kubeconfig that leads through it."""
    proxy = subprocess.Popen(
        [str(space.kubectl.program), f"--kubeconfig={space.kubeconfig}", "proxy", "--port=0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert proxy.stdout is not None
    found = re.search(r"127\.0\.0\.1:\d+", proxy.stdout.readline())
    assert found
    made = Gate(f"http://{found[0]}")
    ready, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_listen(made, ready, over)), daemon=True)
    thread.start()
    assert ready.wait(30)
    content = yaml.safe_load(space.kubeconfig.read_text())
    for each in content["clusters"]:
        each["cluster"] = {"server": made.url}
    for each in content["users"]:
        each["user"] = {}
    path = folder / "through-the-gate.yaml"
    path.write_text(yaml.safe_dump(content))
    try:
        yield made, path
    finally:
        over.set()
        thread.join(30)
        proxy.terminate()
        proxy.wait(30)
        proxy.stdout.close()


async def _listen(made: Gate, ready: threading.Event, over: threading.Event) -> None:
    application = web.Application(client_max_size=8 << 20)
    application.router.add_route("*", "/{path:.*}", made.serve)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    ready.set()
    while not over.is_set():
        await asyncio.sleep(0.05)
    await runner.cleanup()
