"""A gate before the API server: it forwards every request, and holds back those that it is told to, or their answers.

What is in front of it speaks plain HTTP; `kubectl proxy`, behind it, adds the user's credentials and TLS.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from aiohttp import ClientSession, ClientTimeout, web

from tests.cluster import Namespace


class Gate:
    """`hold` a request or its answer by `METHOD PATH`; what is held waits until the gate is closed for good."""

    def __init__(self, behind: str) -> None:
        self._behind = behind
        self._request: re.Pattern[str] | None = None
        self._answer: re.Pattern[str] | None = None
        self.held = threading.Event()
        self.url = ""

    def hold(self, *, request: str | None = None, answer: str | None = None) -> None:
        self._request = re.compile(request) if request else None
        self._answer = re.compile(answer) if answer else None
        self.held.clear()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        what = f"{request.method} {request.path}"
        if self._request is not None and self._request.search(what):
            await self._forever()
        body = await request.read()
        headers = {name: request.headers[name] for name in ("Content-Type", "Accept") if name in request.headers}
        async with (
            ClientSession(timeout=ClientTimeout(total=None)) as session,
            session.request(
                request.method, self._behind + request.path_qs, data=body or None, headers=headers
            ) as answer,
        ):
            if self._answer is not None and self._answer.search(what):
                await answer.read()
                await self._forever()
            response = web.StreamResponse(
                status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]}
            )
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
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
