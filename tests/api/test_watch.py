"""A watch through every kind of break, from a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.cluster.watch import PAGE, REFUSALS, Changed, Listed, listed, watch
from tests.api.servers import api

PATH = "/apis/batch/v1/namespaces/team/jobs"
Part = bytes | str
"""Bytes to send, or `cut` / `eof` / `hang`."""


def made(name: str, version: int, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, **more}


def event(kind: str, found: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


def error(code: int) -> bytes:
    return event("ERROR", {"kind": "Status", "code": code, "message": "too old"})


def serving(watches: list[list[Part]], asked: list[dict[str, str]]) -> Callable[[web.Request], Awaitable[Any]]:
    """A list of one job, then one script for each watch; the last one hangs."""
    lists = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal lists
        if request.path == "/version":
            return web.json_response({})
        asked.append(dict(request.query))
        if "watch" not in request.query:
            lists += 1
            return web.json_response({"metadata": {"resourceVersion": str(100 * lists)}, "items": [made("a", lists)]})
        response = web.StreamResponse()
        await response.prepare(request)
        for part in watches.pop(0) if watches else ["hang"]:
            if isinstance(part, bytes):
                await response.write(part)
            elif part == "cut":
                assert request.transport is not None
                request.transport.close()
            elif part == "hang":
                while request.transport is not None and not request.transport.is_closing():
                    await asyncio.sleep(0.01)
        return response

    return answer


def seen(watches: list[list[Part]], count: int, **times: float) -> tuple[list[Listed | Changed], list[dict[str, str]]]:
    """The first `count` things that the watch yields, and the queries that it sent."""
    asked: list[dict[str, str]] = []

    async def collect() -> list[Listed | Changed]:
        found: list[Listed | Changed] = []
        async with api(serving(watches, asked)) as client, asyncio.timeout(30):
            changes = watch(client, PATH, {"fieldSelector": "metadata.name=a"}, **{"pause_s": 0.001, **times})
            async for change in changes:
                found.append(change)
                if len(found) == count:
                    await changes.aclose()
                    break
        return found

    return asyncio.run(collect()), asked


def names(found: list[Listed | Changed]) -> list[str]:
    return ["list" if isinstance(c, Listed) else f"{c.type} {c.object['metadata']['name']}" for c in found]


def test_a_list_and_then_changes() -> None:
    found, asked = seen([[event("MODIFIED", made("b", 101)), event("DELETED", made("b", 102)), "hang"]], 3)
    assert found[0] == Listed((made("a", 1),))
    assert names(found) == ["list", "MODIFIED b", "DELETED b"]
    assert asked[0] == {"fieldSelector": "metadata.name=a", "limit": str(PAGE)}
    assert asked[1]["resourceVersion"] == "100"
    assert asked[1]["allowWatchBookmarks"] == "true"


def test_a_long_list_comes_in_pages_of_which_only_what_is_wanted_is_kept() -> None:
    asked: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/version":
            return web.json_response({})
        at = request.query.get("continue")
        asked.append(at)
        more = {None: {"continue": "2/3"}, "2/3": {"continue": "3/3"}, "3/3": {}}[at]
        return web.json_response({"metadata": {"resourceVersion": "7", **more}, "items": [made(f"after {at}", 1)]})

    async def pages() -> tuple[Listed, str]:
        async with api(answer) as client, asyncio.timeout(30):
            return await listed(client, PATH, {}, lambda found: {"name": found["metadata"]["name"]})

    found = [{"name": f"after {at}"} for at in (None, "2/3", "3/3")]
    assert asyncio.run(pages()) == (Listed(tuple(found)), "7")
    assert asked == [None, "2/3", "3/3"]


@pytest.mark.parametrize("end", ["eof", "cut"])
def test_a_break_goes_on_where_it_was(end: str) -> None:
    first: list[Part] = [event("MODIFIED", made("b", 105)), event("MODIFIED", made("c", 107))[:30], end]
    found, asked = seen([first, [event("MODIFIED", made("c", 107)), "hang"]], 3)
    assert names(found) == ["list", "MODIFIED b", "MODIFIED c"]
    assert [query.get("resourceVersion") for query in asked] == [None, "100", "105"]


def test_a_bookmark_moves_the_position_and_is_not_a_change() -> None:
    first: list[Part] = [event("BOOKMARK", made("", 150)), "eof"]
    found, asked = seen([first, [event("ADDED", made("b", 151)), "hang"]], 2)
    assert names(found) == ["list", "ADDED b"]
    assert asked[2]["resourceVersion"] == "150"


def test_gone_lists_again() -> None:
    found, asked = seen([[event("ADDED", made("b", 101)), error(410)], [event("ADDED", made("c", 201)), "hang"]], 4)
    assert names(found) == ["list", "ADDED b", "list", "ADDED c"]
    assert asked[-1]["resourceVersion"] == "200"


@pytest.mark.parametrize("broken", [error(500), error(429), b"{not json}\n", b'{"type": "ADDED"}\n', b"[]\n", b'"x"\n'])
def test_what_passes_is_waited_out(broken: bytes) -> None:
    found, _ = seen([[broken, "hang"], [event("ADDED", made("b", 101)), "hang"]], 2)
    assert names(found) == ["list", "ADDED b"]


def test_credentials_that_are_renewed_meanwhile_are_waited_for() -> None:
    found, _ = seen([[error(401)], [event("ADDED", made("b", 101)), "hang"]], 2)
    assert names(found) == ["list", "ADDED b"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(401, errors.Unauthorized), (403, errors.Forbidden), (404, errors.NotFound), (400, errors.Rejected)],
)
def test_what_does_not_pass_is_raised(code: int, kind: type[errors.ClusterError]) -> None:
    with pytest.raises(kind):
        seen([[error(code)]] * (REFUSALS + 2), 2)


def with_rights(*verbs: str) -> tuple[list[Listed | Changed], list[dict[str, str]]]:
    """What somebody sees who may only `list` or only `watch`, of a job that changes once; and the queries sent."""
    asked: list[dict[str, str]] = []
    end = {"resourceVersion": "150", "annotations": {"k8s.io/initial-events-end": "true"}}

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.query))
        if ("watch" if "watch" in request.query else "list") not in verbs:
            return web.json_response({"message": "no"}, status=403)
        if "watch" not in request.query:
            version = len(asked)
            return web.json_response({"metadata": {"resourceVersion": str(version)}, "items": [made("a", version)]})
        response = web.StreamResponse()
        await response.prepare(request)
        if "sendInitialEvents" in request.query:
            await response.write(event("ADDED", made("a", 101)) + event("BOOKMARK", {"metadata": end}))
        else:
            await response.write(event("MODIFIED", made("a", 151)))
        await asyncio.sleep(20)
        return response

    async def collect() -> list[Listed | Changed]:
        found: list[Listed | Changed] = []
        async with (
            api(answer) as client,
            asyncio.timeout(30),
            aclosing(watch(client, PATH, {}, pause_s=0.001, poll_s=0.01)) as changes,
        ):
            async for change in changes:
                found.append(change)
                if len(found) == 2:
                    break
        return found

    return asyncio.run(collect()), asked


def test_who_may_list_and_not_watch_is_told_by_asking_again() -> None:
    found, asked = with_rights("list")
    assert [each.items[0]["metadata"]["resourceVersion"] for each in found if isinstance(each, Listed)] == ["1", "3"]
    assert ["watch" in query for query in asked] == [False, True, False]


def test_who_may_watch_and_not_list_is_told_by_a_watch_from_the_beginning() -> None:
    found, asked = with_rights("watch")
    assert found == [Listed((made("a", 101),)), Changed("MODIFIED", made("a", 151))]
    assert asked[2]["resourceVersion"] == "150"


def test_who_may_neither_is_refused() -> None:
    with pytest.raises(errors.Forbidden):
        with_rights()


def test_objects_of_many_megabytes() -> None:
    large = made("b", 101, data="x" * (5 << 20))
    found, _ = seen([[event("ADDED", large), event("ADDED", made("c", 102)), "hang"]], 3)
    assert isinstance(found[1], Changed)
    assert found[1].object == large
    assert names(found)[2] == "ADDED c"


def test_a_dead_link_is_left_after_the_servers_own_time_limit() -> None:
    found, asked = seen([["hang"], [event("ADDED", made("b", 101)), "hang"]], 2, server_s=1, grace_s=-0.8)
    assert names(found) == ["list", "ADDED b"]
    assert asked[1]["timeoutSeconds"] == "1"


def asked_of_a_silent_watch(ask_s: float | None, *, enough: int) -> list[str]:
    """The paths of all requests, up to so many, or half a second of silence."""
    paths: list[str] = []
    serve = serving([], [])

    async def answer(request: web.Request) -> Any:
        paths.append(request.path)
        return await serve(request)

    async def run() -> None:
        async with api(answer) as client, aclosing(watch(client, PATH, {}, ask_s=ask_s)) as changes:
            await anext(changes)
            reading = asyncio.ensure_future(anext(changes))
            while len(paths) < 2:
                await asyncio.sleep(0.005)
            client.link.heard = 0.0  # long ago: the link is not asked within seconds of an answer
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5 if ask_s is None else 30):
                    while len(paths) < enough:
                        await asyncio.sleep(0.005)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    asyncio.run(run())
    return paths


def test_of_a_silent_watch_the_link_is_asked_or_nothing_at_all() -> None:
    assert asked_of_a_silent_watch(0.02, enough=3) == [PATH, PATH, "/version"]
    assert asked_of_a_silent_watch(None, enough=3) == [PATH, PATH]


def test_a_server_that_ends_every_watch_at_once_is_not_asked_without_pause() -> None:
    found, asked = seen([["eof"]] * 5 + [[event("ADDED", made("b", 101)), "hang"]], 2, pause_s=0.01)
    assert names(found) == ["list", "ADDED b"]
    assert len(asked) == 7
