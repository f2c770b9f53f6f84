"""A watch whose version the real server no longer keeps: it lists again and goes on."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.cluster.watch import Changed, Listed, watch
from tests.api.servers import api, load
from tests.cluster import Namespace

pytestmark = pytest.mark.cluster


def test_a_version_that_the_server_no_longer_keeps(namespace: Namespace) -> None:
    path = f"/api/v1/namespaces/{namespace.name}/pods"
    asked: list[str] = []
    refused: list[int | None] = []

    async def see() -> list[Listed | Changed]:
        straight = Client(load(namespace.kubeconfig))

        async def answer(request: web.Request) -> web.StreamResponse:
            """The real server's, but for the first watch's version."""
            query = dict(request.query)
            if "watch" not in query:
                asked.append("list")
                return web.json_response(await straight.get(request.path, query))
            if "watch" not in asked:
                query["resourceVersion"] = "1"
            asked.append("watch")
            response = web.StreamResponse()
            try:
                async with straight.stream(request.path, query) as content:
                    await response.prepare(request)
                    while data := await content.readany():
                        if b'"code":410' in data:
                            refused.append(410)
                        await response.write(data)
            except errors.ClusterError as error:
                refused.append(error.status)
                return web.json_response({"kind": "Status", "code": error.status}, status=error.status or 500)
            return response

        found: list[Listed | Changed] = []
        async with api(answer) as client, asyncio.timeout(60):
            changes = watch(client, path, {})
            async for change in changes:
                found.append(change)
                if len(found) == 2:
                    await changes.aclose()
                    break
        await straight.close()
        return found

    assert asyncio.run(see()) == [Listed(()), Listed(())]
    assert refused == [410]
    assert asked[:3] == ["list", "watch", "list"]
