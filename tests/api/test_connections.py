"""How many connections stay open when what went over them is over."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from kube_magics.cluster.client import Client
from kube_magics.cluster.connections import KEPT, Connections, keepalive
from tests.api.servers import api

AT_ONCE = 20


async def read(client: Client) -> None:
    async with client.stream("/log", {}) as content:
        assert await content.read() == b"ok"


async def ask(client: Client) -> None:
    assert await client.get("/") == "ok"


@pytest.mark.parametrize("request_", [read, ask])
def test_few_connections_are_kept_of_many_requests_at_once(request_: Callable[[Client], Awaitable[None]]) -> None:
    together = asyncio.Barrier(AT_ONCE)
    seen: set[asyncio.Transport] = set()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        seen.add(request.transport)
        await together.wait()
        return web.Response(text="ok") if request.path == "/log" else web.json_response("ok")

    def left() -> int:
        return sum(not transport.is_closing() for transport in seen)

    async def run() -> None:
        async with api(answer) as client, asyncio.timeout(30):
            for _ in range(2):
                await asyncio.gather(*(request_(client) for _ in range(AT_ONCE)))
                while left() > KEPT:
                    await asyncio.sleep(0.01)
                assert left() == KEPT
        assert len(seen) == 2 * AT_ONCE - KEPT

    asyncio.run(run())


class Slow:
    """A session that takes a moment to close."""

    async def close(self) -> None:
        await asyncio.sleep(0.01)


def test_pools_that_were_left_are_closed_once_however_many_requests_end_meanwhile() -> None:
    """Each that ends looks for pools that nobody needs any more, while another one still closes them."""

    async def run() -> None:
        pools = Connections(lambda: cast("aiohttp.ClientSession", Slow()))
        async with pools.session():
            pass
        pools.leave()
        async with AsyncExitStack() as one, AsyncExitStack() as other:
            await one.enter_async_context(pools.session())
            pools.leave()
            await other.enter_async_context(pools.session())
            await asyncio.gather(one.aclose(), other.aclose())
        await pools.close()

    asyncio.run(run())


def test_a_stream_asks_by_itself_whether_its_connection_has_died() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.sleep(3600)
        return response

    async def run() -> None:
        async with api(answer) as client, client.stream("/watch", {}):
            (response,) = client.connections._streams
            assert response.connection is not None
            assert response.connection.transport is not None
            own = response.connection.transport.get_extra_info("socket")
            assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert [own.getsockopt(socket.IPPROTO_TCP, option) for option in keepalive(socket)] == [10, 3, 3]

    asyncio.run(run())


def test_the_first_question_has_another_name_on_macos_and_what_is_not_there_is_left_out() -> None:
    macos = SimpleNamespace(TCP_KEEPALIVE=0x10, TCP_KEEPINTVL=0x101, TCP_KEEPCNT=0x102)
    assert keepalive(macos) == {0x10: 10, 0x101: 3, 0x102: 3}
    assert keepalive(SimpleNamespace()) == {}
