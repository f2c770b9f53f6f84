"""What becomes of a POST of ours whose answer is lost or a refusal, at a server of our own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.backends.creating import create_job, create_map
from kube_magics.spec import names
from tests.api.servers import api

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def job(submission_id: str) -> dict[str, Any]:
    return {"metadata": {"name": "digits", "uid": "u", "annotations": {names.ANNOTATION_SUBMISSION: submission_id}}}


def refused(status: int, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="not now", headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


async def lost(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def made(_: web.Request) -> web.Response:
    return web.json_response(job("s1"), status=201)


def created(*posts: Answer, there: str = "s1") -> tuple[str, list[str]]:
    """What `create_job` gives (the uid), when its POSTs meet with these, and a Job of submission `there` exists."""
    left, asked = list(posts), list[str]()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.method)
        return web.json_response(job(there)) if request.method == "GET" else await left.pop(0)(request)

    async def create() -> str:
        async with api(answer) as client:
            found = await create_job(client, "team", job("s1"))
            return str(found["metadata"]["uid"])

    return asyncio.run(create()), asked


def test_a_lost_answer_is_asked_for_again_and_found() -> None:
    assert created(lost, refused(409)) == ("u", ["POST", "POST", "GET"])


@pytest.mark.parametrize("passing", [refused(500), refused(503), refused(429), refused(429, Retry_After="0.1")])
def test_what_passes_is_waited_out(passing: Answer) -> None:
    assert created(passing, passing, made) == ("u", ["POST"] * 3)


def test_the_server_says_how_long() -> None:
    began = time.monotonic()
    created(refused(429, Retry_After="1"), made)
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(("status", "error"), [(422, errors.Rejected), (403, errors.Forbidden)])
def test_what_does_not_pass_is_raised_at_once(status: int, error: type[errors.ClusterError]) -> None:
    with pytest.raises(error, match="not now"):
        created(refused(status))


def test_a_name_that_is_another_jobs_is_a_conflict() -> None:
    with pytest.raises(errors.Conflict, match="There is a job digits already"):
        created(refused(409), there="s2")


def test_a_config_map_that_is_there_already_is_the_lost_answers() -> None:
    left = [lost, refused(409)]

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({}) if request.method == "GET" else await left.pop(0)(request)

    async def create() -> None:
        async with api(answer) as client:
            await create_map(client, "team", {"metadata": {"name": "digits-s1-0"}})

    asyncio.run(create())
    assert not left


def test_a_server_that_has_just_started_knows_nobody() -> None:
    """Its refusals are believed once it has been there for a while, and at once where they are no matter of rights."""
    rights, quota = ('jobs is forbidden: User "me" cannot list resource', "exceeded quota: gpus")
    said = [rights]

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/breaks":
            return await lost(request)
        return web.json_response({"message": said[0]}, status=403)

    async def ask() -> list[type[BaseException]]:
        found: list[type[BaseException]] = []
        async with api(answer) as client:
            for path, text in (("/jobs", rights), ("/breaks", rights), ("/jobs", rights), ("/jobs", quota)):
                said[0] = text
                with pytest.raises(errors.ClusterError) as caught:
                    await client.get(path)
                found.append(caught.type)
        return found

    assert asyncio.run(ask()) == [errors.Forbidden, errors.Unreachable, errors.Unreachable, errors.Forbidden]
