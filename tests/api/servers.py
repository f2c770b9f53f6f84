"""How the tests reach a server of their own: through a real kubeconfig file."""

from __future__ import annotations

import asyncio
import functools
import json
import secrets
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from kube_magics.cluster import auth
from kube_magics.cluster.client import Client


def kubeconfig(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    """The content of a kubeconfig with one context, `lab`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "there", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "me", "user": user or {}}],
        "contexts": [{"name": "lab", "context": {"cluster": "there", "user": "me", "namespace": "team"}}],
        "current-context": "lab",
    }


def load(path: Path, context: str | None = None, namespace: str | None = None) -> auth.Access:
    return auth.load(auth.Source("kubeconfig", str(path), str(path)), context, namespace)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def access(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> auth.Access:
    """By a kubeconfig that stays: refused credentials are read from it again."""
    path = Path(_folder().name) / secrets.token_hex(4)
    path.write_text(yaml.safe_dump(kubeconfig(server, user, **cluster)))
    return load(path)


@web.middleware
async def _objects(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Each says its kind, as every object of the API does; those of tests need not."""
    response = await handler(request)
    if isinstance(response, web.Response) and response.content_type == "application/json":
        found = json.loads(response.text or "{}")
        if isinstance(found, dict):
            response.text = json.dumps({"kind": "Whatever", **found})
    return response


@asynccontextmanager
async def api(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    user: dict[str, Any] | None = None,
    tls: ssl.SSLContext | None = None,
    **cluster: Any,
) -> AsyncIterator[Client]:
    """A client of a server that answers every request with `answer`."""
    app = web.Application(client_max_size=3 << 20, middlewares=[_objects])
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    scheme = "https" if tls else "http"
    client = Client(access(f"{scheme}://127.0.0.1:{runner.addresses[0][1]}", user, **cluster))
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


@asynccontextmanager
async def raw(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Client]:
    """A client of a server that speaks bytes."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    client = Client(access(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    try:
        yield client
    finally:
        await client.close()
        server.close()
