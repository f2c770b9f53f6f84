"""Objects of any kind, created where the server says that their kind is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.cluster.create import create
from tests.api.servers import api

KINDS = {
    "/api/v1": [
        {"name": "configmaps", "singularName": "configmap", "kind": "ConfigMap", "namespaced": True},
        {"name": "namespaces", "singularName": "", "kind": "Namespace", "namespaced": False},
    ],
    "/apis/batch/v1": [
        {"name": "jobs", "singularName": "job", "kind": "Job", "namespaced": True},
        {"name": "jobs/status", "singularName": "", "kind": "Job", "namespaced": True},
    ],
}


def ask(version: str, kind: str, refused: int = 0, **meta: str) -> tuple[str | errors.ClusterError, list[str]]:
    """What `create` gives, or raises, and the paths that were posted to."""
    posted: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            posted.append(request.path_qs)
            body = await request.json()
            if refused:
                return web.json_response({"message": "the cluster's words"}, status=refused)
            name = body["metadata"].get("name") or body["metadata"]["generateName"] + "x7k2p"
            return web.json_response({**body, "metadata": {"name": name}})
        if request.path in KINDS:
            return web.json_response({"resources": KINDS[request.path]})
        return web.json_response({"message": "the server could not find the requested resource"}, status=404)

    async def run() -> Any:
        async with api(answer) as client:
            body = {"apiVersion": version, "kind": kind, "metadata": meta}
            try:
                return await create(client, "team", body)
            except errors.ClusterError as error:
                return error

    return asyncio.run(run()), posted


@pytest.mark.parametrize(
    ("version", "kind", "meta", "named", "path"),
    [
        ("batch/v1", "Job", {"name": "a"}, "job.batch/a", "/apis/batch/v1/namespaces/team/jobs"),
        ("batch/v1", "Job", {"generateName": "a-"}, "job.batch/a-x7k2p", "/apis/batch/v1/namespaces/team/jobs"),
        ("v1", "ConfigMap", {"name": "a"}, "configmap/a", "/api/v1/namespaces/team/configmaps"),
        ("v1", "ConfigMap", {"name": "a", "namespace": "b"}, "configmap/a", "/api/v1/namespaces/b/configmaps"),
        ("v1", "Namespace", {"name": "a"}, "namespace/a", "/api/v1/namespaces"),
    ],
)
def test_where_an_object_is_created(version: str, kind: str, meta: dict[str, str], named: str, path: str) -> None:
    assert ask(version, kind, **meta) == (named, [f"{path}?fieldValidation=Strict"])


@pytest.mark.parametrize(
    ("version", "kind", "refused", "error", "hint"),
    [
        ("batch/v1", "Jop", 0, errors.NotFound, "kind: Job"),
        ("batch/v9", "Job", 0, errors.NotFound, "apiVersion: batch/v1 for a Job"),
        ("batch/v1", "Job", 409, errors.Conflict, "%kube delete a, or give this one another name"),
        ("v1", "ConfigMap", 409, errors.Conflict, "delete that ConfigMap, or give this one another name"),
        ("v1", "Namespace", 403, errors.Forbidden, "for a Namespace ask your administrator"),
        ("batch/v1", "Job", 403, errors.Forbidden, "hub-config/rbac/user-role.yaml"),
    ],
)
def test_what_is_refused(version: str, kind: str, refused: int, error: type[errors.ClusterError], hint: str) -> None:
    found, posted = ask(version, kind, refused, name="a")
    assert type(found) is error
    assert found.said or not refused
    assert hint in str(found.hint)
    assert len(posted) == bool(refused)
