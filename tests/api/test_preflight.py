"""What is found out of claims, Secrets and queues before a job is made, and of nodes while it waits; each with no right to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.backends.following import Following
from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.spec.job import JobSpec
from kube_magics.spec.parse import parse
from kube_magics.telemetry.snapshot import Snapshot
from tests.api.servers import api

TEAM = "/api/v1/namespaces/team"
Answers = Mapping[str, Any]
"""Path → object, or the status of a refusal; what is not named is 404."""


def secret(name: str, *keys: str, **more: Any) -> dict[str, Any]:
    """As the server gives its metadata: with the names of its keys, without their content."""
    managed = [{"manager": "kubectl-create", "fieldsV1": {"f:data": {".": {}, **{f"f:{key}": {} for key in keys}}}}]
    return {
        "kind": "PartialObjectMetadata",
        "metadata": {"name": name, "managedFields": managed if keys else [], **more},
    }


def secrets(*names: str) -> dict[str, Any]:
    return {"items": [secret(name) for name in names]}


def preflight(line: str, answers: Answers) -> tuple[errors.KubeMagicsError | None, list[tuple[str, str, str]]]:
    """The error, and the requests: method, path, accepted."""
    asked: list[tuple[str, str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.method, request.path, request.headers.get("Accept", "")))
        found = answers.get(request.path, 404)
        if isinstance(found, int):
            return web.json_response({"message": f"the server said {found}"}, status=found)
        return web.json_response(found)

    async def run() -> errors.KubeMagicsError | None:
        async with api(answer) as client:
            backend = KubernetesBackend(client.access)
            try:
                await backend.preflight(JobSpec.of(parse(line.split())))
            except errors.KubeMagicsError as error:
                return error
            finally:
                await backend.close()
        return None

    return asyncio.run(run()), asked


def claims(*names: str) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": name}} for name in names]}


KUEUE = "/apis/kueue.x-k8s.io"
GROUP = {KUEUE: {"name": "kueue.x-k8s.io", "preferredVersion": {"version": "v1beta2"}}}
QUEUES = f"{KUEUE}/v1beta2/namespaces/team/localqueues"
CLAIMS = f"{TEAM}/persistentvolumeclaims"
STORE = {f"{TEAM}/secrets/store": secret("store", "token", "url")}


@pytest.mark.parametrize(
    ("line", "answers", "told", "typed"),
    [
        ("--secret store", STORE, None, ""),
        ("--secret store:token=TOKEN", STORE, None, ""),
        ("--secret store:tokn=TOKEN", STORE, "the Secret store has no key tokn; it has token, url.", "--secret store:token=TOKEN"),
        ("--secret store:none=X", STORE, "the Secret store has no key none", "--secret store:KEY=X"),
        ("--secret stroe", STORE, "there is no Secret stroe in this namespace.", "kubectl create secret generic stroe"),
        (
            "--secret stroe:token=T",
            {**STORE, f"{TEAM}/secrets": secrets("store", "other")},
            "there is no Secret stroe in this namespace; there are other, store.",
            "--secret store:token=T",
        ),
        ("--secret stroe", {f"{TEAM}/secrets": secrets(*"abcdefgh")}, "there are a, b, c, d, e and 3 more.", "kubectl"),
        # Whoever set its keys is not on record: nothing is known of them.
        ("--secret old:x=X", {f"{TEAM}/secrets/old": secret("old")}, None, ""),
        ("--secret stroe", {f"{TEAM}/secrets/stroe": 403}, None, ""),
        ("--secret stroe:x=X", {f"{TEAM}/secrets/stroe": 406}, None, ""),
        ("--secret store --secret stroe:x=X", STORE, "there is no Secret stroe", "kubectl"),
        ("--volume date:/data", {CLAIMS: {"items": []}}, "there is no claim date", "ask your administrator"),
        ("--volume date:/data", {CLAIMS: claims("models", "data")}, "there are data, models.", "--volume data:/data"),
        ("--volume my-disk:/data", {CLAIMS: claims("models", "data")}, "there are data, models.", "ask your administrator"),
        ("--volume date:/data", {f"{TEAM}/persistentvolumeclaims/date": 403}, None, ""),
        ("--queue gpus", {**GROUP, f"{QUEUES}/gpus": {"metadata": {"name": "gpus"}}}, None, ""),
        ("--queue gpus", {**GROUP, f"{QUEUES}/gpus": 403}, None, ""),
        ("--queue gpu", {**GROUP, QUEUES: claims("cpus", "gpus")}, "no queue gpu in this namespace; there are cpus, gpus.", "--queue gpus"),
        ("--queue night", GROUP, "there is no queue night in this namespace.", "ask your administrator for a LocalQueue"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_named(line: str, answers: Answers, told: str | None, typed: str) -> None:
    error, asked = preflight(line, answers)
    assert {method for method, _, _ in asked} == {"GET"}
    if told is None:
        assert error is None
        return
    assert isinstance(error, errors.NotFound)
    assert told in error.message
    assert str(error.hint).startswith(typed)


def test_the_content_of_a_secret_is_never_asked_for() -> None:
    for line in ("--secret store:tokn=TOKEN", "--secret stroe"):
        _, asked = preflight(line, STORE)
        assert asked
        assert all("as=PartialObjectMetadata" in accept for _, path, accept in asked if "/secrets" in path)


def test_without_such_options_nothing_is_asked() -> None:
    assert preflight("--gpus 2 --memory 1Gi", {}) == (None, [])


def test_a_queue_where_there_is_no_kueue_is_said_once() -> None:
    async def absent(_: web.Request) -> web.Response:
        return web.json_response({"message": "no"}, status=404)

    async def run() -> tuple[list[str], list[str]]:
        async with api(absent) as client:
            backend = KubernetesBackend(client.access)
            try:
                await backend.preflight(JobSpec(queue="gpus"))
                return backend.warnings(), backend.warnings()
            finally:
                await backend.close()

    (said,), again = asyncio.run(run())
    assert said.startswith("--queue gpus does nothing here: there is no Kueue")
    assert not again


WAITING = {
    "metadata": {"name": "big-a", "uid": "pod", "ownerReferences": [{"uid": "job", "controller": True}]},
    "spec": {"containers": [{"name": "main", "resources": {"requests": {"nvidia.com/gpu": "64"}}}]},
    "status": {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
            }
        ],
    },
}
JOB = {"metadata": {"name": "big", "uid": "job", "namespace": "team"}, "spec": {}, "status": {}}
NODE = {"metadata": {"name": "n"}, "status": {"allocatable": {"nvidia.com/gpu": "8"}}}


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ({"items": [NODE]}, "No node here has more than 8 GPUs, and the job asks for 64."),
        (403, "Not enough free GPUs on any node."),
        (500, "Not enough free GPUs on any node."),
        ({"metadata": {"continue": "more"}, "items": [NODE]}, "Not enough free GPUs on any node."),
    ],
)
def test_a_job_that_fits_nowhere_is_told_once(nodes: Any, told: str) -> None:
    """With the largest node where nodes may be listed, and as the scheduler says it where not."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v1/nodes":
            return (
                web.json_response({"message": "no"}, status=nodes)
                if isinstance(nodes, int)
                else web.json_response(nodes)
            )
        items = [JOB] if request.path.endswith("/jobs") else [WAITING] if request.path.endswith("/pods") else []
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(
            json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "2"}}}).encode() + b"\n"
        )
        await asyncio.sleep(3600)
        return response

    async def seen() -> list[str]:
        causes: list[str] = []
        async with api(answer) as client:
            following = Following(client, "team", "big")
            following.start()
            try:
                async for piece in following.pieces():
                    assert isinstance(piece, Snapshot)
                    if piece.cause is not None:
                        causes.append(piece.cause.sentence)
                        assert piece.phase == "pending"
                        break
            finally:
                following.stop()
        return causes

    assert asyncio.run(seen()) == [told]
