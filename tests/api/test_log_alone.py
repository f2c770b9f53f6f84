"""What a user who may read logs and nothing else is told of a pod."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.backends.kubernetes import KubernetesBackend
from tests.api.servers import api

STAMP = "2026-11-26T03:00:00.000000000Z"


def refusal(status: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": status, "message": message}, status=status)


class Pod:
    """Of one container or several, as the API server shows their logs."""

    def __init__(self, *containers: str, waits: int = 0) -> None:
        """`waits`: how often it is asked before its container has started."""
        self._containers = containers
        self._waits = waits

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/log"):
            return refusal(403, 'pods is forbidden: User "colleague" cannot list resource "pods"')
        named = request.query.get("container")
        if named is None and len(self._containers) > 1:
            return refusal(400, f"a container name must be specified for pod p, choose one of: {self._containers}")
        if named is not None and named not in self._containers:
            return refusal(400, f"container {named} is not valid for pod p")
        self._waits -= 1
        if self._waits >= 0:
            return refusal(400, 'container "pi" in pod "p" is waiting to start: ContainerCreating')
        return web.Response(text=f"{STAMP} 3.14\n")


def followed(pod: Pod) -> bytes:
    async def follow() -> bytes:
        async with api(pod.answer) as client:
            backend = KubernetesBackend(client.access)
            try:
                await backend.poll("p")
                async for piece in backend.follow("p"):
                    if isinstance(piece, bytes):
                        return piece
            finally:
                await backend.close()
        return b""

    return asyncio.run(asyncio.wait_for(follow(), 20))


@pytest.mark.parametrize("waits", [0, 2])
def test_a_pod_of_somebody_elses_is_followed_whatever_its_container_is_called(waits: int) -> None:
    assert followed(Pod("pi", waits=waits)) == b"3.14\n"


def test_a_pod_of_several_containers_is_an_error_and_not_waited_for() -> None:
    with pytest.raises(errors.NotFound, match="several containers") as caught:
        followed(Pod("pi", "helper"))
    assert "kubectl logs -f p -c CONTAINER" in str(caught.value.hint)
