"""One watch for many readers: each is told of its own objects alone, and it is open while somebody reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import web

from kube_magics import errors
from kube_magics.cluster.pieces import Outage
from kube_magics.cluster.shared import SharedWatch
from kube_magics.cluster.watch import Changed, Listed
from tests.api.servers import api

PATH = "/apis/batch/v1/namespaces/team/jobs"


class Server:
    """Lists `a`, `b` and `c`; each watch tells what is put into `events`."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.lists = 0
        self.open = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.lists += 1
            items = [{"metadata": {"name": name, "resourceVersion": "1"}} for name in "abc"]
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        self.open += 1
        try:
            while True:
                await response.write(json.dumps(await self.events.get()).encode() + b"\n")
        finally:
            self.open -= 1

    def tell(self, kind: str, name: str) -> None:
        self.events.put_nowait({"type": kind, "object": {"metadata": {"name": name, "resourceVersion": "2"}}})


def told(found: Listed | Changed | Outage) -> str:
    if isinstance(found, Changed):
        return str(found.object["metadata"]["name"])
    assert isinstance(found, Listed)
    return "".join(each["metadata"]["name"] for each in found.items)


def run(test: Callable[[Server, SharedWatch], Awaitable[None]]) -> None:
    async def serve() -> None:
        server = Server()
        async with api(server.answer) as client, asyncio.timeout(30):
            await test(server, SharedWatch(client, PATH, {}, lambda found: found["metadata"]["name"]))

    asyncio.run(serve())


async def until(so: Callable[[], bool]) -> None:
    while not so():
        await asyncio.sleep(0.01)


def test_each_is_told_of_its_own_and_the_last_one_closes() -> None:
    async def test(server: Server, shared: SharedWatch) -> None:
        async with aclosing(shared.changes("a")) as first, aclosing(shared.changes("b")) as second:
            # Both read before the one list is there.
            assert [told(each) for each in await asyncio.gather(anext(first), anext(second))] == ["a", "b"]
            async with aclosing(shared.changes("later")) as late:
                assert told(await anext(late)) == ""  # nothing of its own is there yet
                waiting = asyncio.ensure_future(anext(late))
                await asyncio.sleep(0)
                for name in ("x", "b", "later", "a"):
                    server.tell("ADDED", name)
                assert [told(each) for each in await asyncio.gather(anext(first), anext(second), waiting)] == [
                    "a",
                    "b",
                    "later",
                ]
            assert (server.lists, server.open) == (1, 1)
        # While the one before is still being closed.
        async with aclosing(shared.changes("c")) as again:
            assert told(await anext(again)) == "c"
        await until(lambda: server.open == 0)
        assert server.lists == 2

    run(test)


def test_a_reader_that_is_cancelled_leaves_the_others_theirs() -> None:
    async def test(server: Server, shared: SharedWatch) -> None:
        async with aclosing(shared.changes("b")) as stays:
            going = asyncio.ensure_future(anext(shared.changes("x")))
            assert told(await anext(stays)) == "b"
            going.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await going
            server.tell("MODIFIED", "b")
            assert told(await anext(stays)) == "b"

    run(test)


def test_what_does_not_pass_is_raised_by_each_reader() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "no"}, status=403)

    async def both() -> list[BaseException | Any]:
        async with api(answer) as client, asyncio.timeout(30):
            shared = SharedWatch(client, PATH, {}, lambda found: found["metadata"]["name"])
            async with aclosing(shared.changes("a")) as first, aclosing(shared.changes("b")) as second:
                return await asyncio.gather(anext(first), anext(second), return_exceptions=True)

    assert [type(each) for each in asyncio.run(both())] == [errors.Forbidden, errors.Forbidden]


def test_who_comes_while_the_cluster_is_away_is_told() -> None:
    async def test(server: Server, shared: SharedWatch) -> None:
        async with aclosing(shared.changes("a")) as first:
            assert told(await anext(first)) == "a"
            shared._tell(Outage(4.0))
            assert await anext(first) == Outage(4.0)
            async with aclosing(shared.changes("later")) as late:
                assert [await anext(late), await anext(late)] == [Listed(()), Outage(4.0)]
                shared._tell(Outage(5.0, over=True))
                assert await anext(late) == Outage(5.0, over=True)
            async with aclosing(shared.changes("last")) as last:
                assert await anext(last) == Listed(())
                server.tell("ADDED", "last")
                assert told(await anext(last)) == "last"

    run(test)
