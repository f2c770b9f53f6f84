"""All Jobs of a namespace by two watches: what each change makes of them, and what is asked for besides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.backends.contract import Outage
from kube_magics.backends.watching import LONGEST_VALUE, Watching, slim
from kube_magics.cluster.watch import SILENCE_S
from kube_magics.telemetry.snapshot import Snapshot
from tests.api.onejob import COMPLETE, OneJob, a_job, running
from tests.api.servers import api

NAME = "one"
OVER_QUOTA = {
    "metadata": {"name": "one.1"},
    "involvedObject": {"kind": "Job", "name": NAME, "uid": "job-uid"},
    "type": "Warning",
    "reason": "FailedCreate",
    "message": "exceeded quota: gpus",
}


def labelled() -> dict[str, Any]:
    """A pod that runs, as a Job makes it."""
    pod = running()
    return {**pod, "metadata": {**pod["metadata"], "labels": {"job-name": NAME}}}


class Watched:
    """What a reader knows by now."""

    def __init__(self) -> None:
        self.states: dict[str, Snapshot] = {}
        self.told = 0
        self.said: list[str] = []

    async def read(self, watching: Watching) -> None:
        async with aclosing(watching.changes()) as changes:
            async for change in changes:
                assert not isinstance(change, Outage)
                if isinstance(change, str):
                    self.said.append(change)
                    continue
                self.told += 1
                for name, state in change.items():
                    if state is None:
                        del self.states[name]
                    else:
                        self.states[name] = state

    async def sees(self, so: Callable[[dict[str, Snapshot]], object]) -> None:
        while not (self.told and so(self.states)):
            await asyncio.sleep(0.01)


def run(server: OneJob, test: Callable[[Watched], Awaitable[None]]) -> None:
    async def serve() -> None:
        async with api(server.answer) as client, asyncio.timeout(30):
            watched = Watched()
            reading = asyncio.ensure_future(watched.read(Watching(client, "team")))
            work = asyncio.ensure_future(test(watched))
            await asyncio.wait([reading, work], return_when=asyncio.FIRST_COMPLETED)
            for task in (reading, work):
                if task.done():
                    task.result()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            while server.watched:  # all is closed
                await asyncio.sleep(0.01)

    asyncio.run(serve())


def test_changes_of_job_and_pod_are_told_and_nothing_else_is_asked() -> None:
    pod = labelled()
    server = OneJob(pods=pod)
    server.set("jobs", a_job())

    async def test(watched: Watched) -> None:
        await watched.sees(lambda states: states[NAME].phase == "running")
        before = watched.states[NAME]
        server.set("jobs", a_job())
        server.set("pods", pod)
        await watched.sees(lambda states: states[NAME].pods != before.pods)
        assert replace(watched.states[NAME], pods=before.pods) == before, "of the job nothing has changed"
        server.set("jobs", a_job(**COMPLETE))
        await watched.sees(lambda states: states[NAME].phase == "succeeded")
        server.set("jobs", None)
        await watched.sees(lambda states: not states)
        assert server.asked.count("jobs") == server.asked.count("pods") == 1
        assert server.asked.count("watch jobs") == server.asked.count("watch pods") == 1
        assert "events" not in server.asked

    run(server, test)


@pytest.mark.long
def test_while_nothing_changes_not_even_the_link_is_asked() -> None:
    server = OneJob(pods=labelled())
    paths: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        return await server.answer(request)

    async def look() -> None:
        async with api(answer) as client, aclosing(Watching(client, "team").changes()) as changes:
            async with asyncio.timeout(30):
                await anext(changes)
                while server.watched < 2:
                    await asyncio.sleep(0.01)
            reading = asyncio.ensure_future(anext(changes))
            before = len(paths)
            await asyncio.sleep(SILENCE_S + 1)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            assert paths[before:] == []

    asyncio.run(look())


def test_a_place_without_jobs_is_told_as_such() -> None:
    async def test(watched: Watched) -> None:
        await watched.sees(lambda states: not states)

    run(OneJob(jobs={}, pods={}), test)


def test_why_a_job_has_no_pod_is_asked_for_until_it_has_one() -> None:
    server = OneJob(pods={}, events=OVER_QUOTA)

    async def test(watched: Watched) -> None:
        await watched.sees(lambda states: states[NAME].cause and states[NAME].cause.kind == "quota")
        server.set("pods", labelled())
        await watched.sees(lambda states: states[NAME].phase == "running" and states[NAME].cause is None)
        asked = server.asked.count("events")
        await asyncio.sleep(1.2)  # the next one would have come within a second
        assert server.asked.count("events") == asked

    run(server, test)


def test_who_may_not_list_jobs_is_told_so() -> None:
    server = OneJob()
    server.refusals["jobs"].extend([403] * 3)
    server.refusals["watch jobs"].extend([403] * 3)

    async def test(_: Watched) -> None:
        await asyncio.sleep(20)

    with pytest.raises(errors.Forbidden):
        run(server, test)


def test_who_may_not_see_pods_sees_jobs_and_why() -> None:
    server = OneJob(jobs=a_job(active=1))
    server.refusals["pods"].extend([403] * 3)
    server.refusals["watch pods"].extend([403] * 3)

    async def test(watched: Watched) -> None:
        await watched.sees(lambda states: states[NAME].phase == "pending")
        assert len(watched.said) == 1
        assert "what they say of themselves" in watched.said[0]
        server.set("jobs", a_job(active=1, ready=1))
        await watched.sees(lambda states: states[NAME].phase == "running")
        server.set("jobs", a_job(**COMPLETE))
        await watched.sees(lambda states: states[NAME].phase == "succeeded")

    run(server, test)


def test_what_is_kept_of_a_job_is_small() -> None:
    bundle = {"name": "KUBE_MAGICS_BUNDLE", "value": "A" * 65_000}
    pod = {"containers": [{"name": "main", "env": [bundle, {"name": "X", "value": "1"}], "command": ["python"]}]}
    job: dict[str, Any] = a_job()
    job["metadata"]["managedFields"] = [{}]
    job["spec"] = {**job.get("spec", {}), "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}
    kept = slim(job)
    assert len(repr(kept)) < len(repr(job)) - 65_000 + LONGEST_VALUE
    assert kept["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "X", "value": "1"}]
    assert kept["metadata"]["name"] == NAME
    assert "managedFields" not in kept["metadata"]
