"""The objects of one Job: its pods, its events, the logs of their containers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.backends import objects
from kube_magics.backends.contract import Objects, Source
from kube_magics.cluster.client import Client
from kube_magics.cluster.pieces import Gap
from tests.api.servers import api

JOB: dict[str, Any] = {
    "metadata": {"name": "x", "uid": "u"},
    "spec": {"selector": {"matchLabels": {"mine": "yes"}}, "template": {"spec": {"containers": [{"name": "main"}]}}},
}
VERSION = {"resourceVersion": "1"}
PODS = "/api/v1/namespaces/team/pods"


def pod(name: str, at: int, *statuses: dict[str, Any], owner: str = "u") -> dict[str, Any]:
    meta = {"name": name, "uid": f"of-{name}", "creationTimestamp": f"2026-01-01T00:00:{at:02}Z"}
    return {"metadata": {**meta, "ownerReferences": [{"uid": owner}]}, "status": {"containerStatuses": statuses}}


def status(name: str, state: str, *, before: bool = False) -> dict[str, Any]:
    last = {"lastState": {"terminated": {"exitCode": 1}}} if before else {}
    return {"name": name, "state": {state: {"reason": "r"}}, **last}


def asked(answers: Callable[[web.Request], Any], work: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
    async def answer(request: web.Request) -> web.Response:
        found = answers(request)
        return found if isinstance(found, web.Response) else web.json_response(found)

    async def run() -> Any:
        async with api(answer) as client:
            return await work(client)

    return asyncio.run(run())


def test_pods_are_found_by_the_jobs_own_selector() -> None:
    selectors = []

    def answers(request: web.Request) -> Any:
        if request.path == PODS:
            selectors.append(request.query["labelSelector"])
            return {
                "metadata": VERSION,
                "items": [pod("second", 2), pod("first", 1), pod("others", 0, owner="another")],
            }
        return JOB

    found = asked(answers, lambda client: objects.objects(client, "team", "x"))
    assert [each["metadata"]["name"] for each in found.pods] == ["first", "second"]
    assert selectors == ["mine=yes"]


@pytest.mark.parametrize(
    ("spec", "in_turn"),
    [
        ({}, True),
        ({"completions": 1, "parallelism": 1}, True),
        ({"parallelism": 2}, False),
        ({"completions": 3, "parallelism": 1}, False),
        ({"completions": 3, "parallelism": 2}, False),
    ],
)
def test_which_logs_there_are(spec: dict[str, Any], in_turn: bool) -> None:
    pods = (
        pod("first", 1, status("main", "terminated")),
        pod("second", 2, status("main", "running"), status("side", "waiting")),
    )
    job = {**JOB, "spec": {**JOB["spec"], **spec}}
    found = objects.sources(Objects(job, pods), previous=False)
    assert found.every == (Source("first", "main"), Source("second", "main"))
    assert found.in_turn is in_turn
    assert objects.sources(Objects(job, pods), previous=True).every == (Source("first", "main"),)
    again = (*pods, pod("third", 3, status("main", "waiting", before=True)))
    assert objects.sources(Objects(job, again), previous=True).every == (Source("third", "main", previous=True),)
    assert objects.sources(Objects(job, ()), previous=True).every == ()


def test_several_containers_are_several_logs() -> None:
    spec = {"template": {"spec": {"initContainers": [{"name": "before"}], "containers": [{"name": "main"}]}}}
    assert not objects.sources(Objects({"spec": spec}, ()), previous=False).in_turn


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("one\ntwo", [b"one\ntwo\n"]),
        ("", []),
        (
            "unable to retrieve container logs for containerd://1",
            [Gap("unable to retrieve container logs for containerd://1")],
        ),
    ],
)
def test_an_earlier_run(text: str, pieces: list[Any]) -> None:
    seen = []

    def answers(request: web.Request) -> Any:
        seen.append((request.path, dict(request.query)))
        return web.Response(text=text)

    async def read(client: Client) -> list[Any]:
        source = Source("p", "main", previous=True)
        return [piece async for piece in objects.read(client, "team", source, follow=False)]

    assert asked(answers, read) == pieces
    assert seen == [(f"{PODS}/p/log", {"container": "main", "previous": "true"})]


def event(name: str, message: str, at: str) -> dict[str, Any]:
    return {"involvedObject": {"name": name}, "message": message, "lastTimestamp": f"2026-01-01T00:00:{at}Z"}


def test_events_of_pods_that_are_gone_too() -> None:
    by_query = {
        "involvedObject.kind=Job,involvedObject.uid=u": [
            event("x", "Created pod: gone", "01"),
            event("x", "Created pod: first", "05"),
        ],
        "involvedObject.kind=Pod,involvedObject.name=gone": [event("gone", "Killing", "03")],
        "involvedObject.kind=Pod,involvedObject.name=first": [event("first", "Started", "06")],
    }

    def answers(request: web.Request) -> Any:
        if request.path.endswith("/events"):
            return {"items": by_query[request.query["fieldSelector"]]}
        return {"metadata": VERSION, "items": [pod("first", 5)]} if request.path == PODS else JOB

    found, hidden = asked(answers, lambda client: objects.events(client, "team", "x"))
    assert [each["message"] for each in found] == ["Created pod: gone", "Killing", "Created pod: first", "Started"]
    assert hidden == ()


def test_the_events_of_many_pods_are_read_at_once() -> None:
    """A request for each of hundreds would be as many connections, and refused by a busy server."""
    pods = [pod(f"x-{number}", 1) for number in range(200)]
    queries = []

    def answers(request: web.Request) -> Any:
        if not request.path.endswith("/events"):
            return {"metadata": VERSION, "items": pods} if request.path == PODS else JOB
        queries.append(request.query["fieldSelector"])
        return {"items": [event("x-7", "Started", "06"), event("other", "Started", "07")] if len(queries) == 2 else []}

    found, _ = asked(answers, lambda client: objects.events(client, "team", "x"))
    assert [each["involvedObject"]["name"] for each in found] == ["x-7"]
    assert queries == ["involvedObject.kind=Job,involvedObject.uid=u", "involvedObject.kind=Pod"]


def test_events_that_may_not_be_seen() -> None:
    def answers(request: web.Request) -> Any:
        return web.json_response({"message": "no"}, status=403)

    found, hidden = asked(answers, lambda client: objects.events(client, "team", None))
    assert found == []
    assert "You may not list events" in hidden[0]
    with pytest.raises(errors.Forbidden):
        asked(answers, lambda client: objects.events(client, "team", "x"))


def test_the_recipe_has_what_is_still_there() -> None:
    carried = {"name": "bundle", "projected": {"sources": [{"configMap": {"name": n}} for n in ("x-0", "x-1")]}}
    spec = {**JOB["spec"], "template": {"spec": {"containers": [{"name": "main"}], "volumes": [carried]}}}
    ours = {
        "kind": "Job",
        "metadata": {**JOB["metadata"], "annotations": {"kube-magics.dev/bundle": "d"}},
        "spec": spec,
    }

    def answers(request: web.Request) -> Any:
        if request.path.endswith("/x-1"):
            return web.json_response({"message": "gone"}, status=404)
        return {"kind": "ConfigMap", "metadata": {"name": "x-0"}} if "/configmaps/" in request.path else ours

    found = asked(answers, lambda client: objects.recipe(client, "team", "x"))
    assert [(each["kind"], each["metadata"]["name"]) for each in found] == [("Job", "x"), ("ConfigMap", "x-0")]
