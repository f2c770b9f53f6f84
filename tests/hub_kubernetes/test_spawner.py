"""What a failed start of a server says, and how a hub waits for an API server: a spawner before one of the test's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.api.servers import kubeconfig
from tests.ports import free_port

kubespawner = pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = pytest.mark.jobs

POD = "jupyter-ada"
FULL = f'pods "{POD}" is forbidden: exceeded quota: kube-magics-user, requested: requests.nvidia.com/gpu=1'
COUNTED = (
    f'pods "{POD}" is forbidden: exceeded quota: priority-server, requested: pods=1, used: pods=1, limited: pods=1'
)


@dataclass
class Cluster:
    """An API server with pods and events, and what it says to a new pod."""

    pods: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    """One after the other, the last for ever."""
    removed: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and "watch" in request.query:
            return await self._watched(request)
        if request.method == "GET":
            items = self.pods if request.path.endswith("pods") else self.events
            return web.json_response({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": items})
        if request.method == "DELETE":
            self.removed.append(request.path.rpartition("/")[2])
            return web.json_response({"kind": "Status"})
        if request.path.endswith("/namespaces"):
            return web.json_response({"kind": "Status", "reason": "AlreadyExists"}, status=409)
        if self.refusals:
            said = self.refusals.pop(0) if len(self.refusals) > 1 else self.refusals[0]
            return web.json_response({"kind": "Status", "message": said}, status=403)
        return web.json_response({"kind": "Pod"})

    async def _watched(self, request: web.Request) -> web.StreamResponse:
        """What was removed is gone; then nothing more happens."""
        response = web.StreamResponse()
        await response.prepare(request)
        while not (self.removed and self.pods) or request.path.endswith("events"):
            await asyncio.sleep(0.01)
        gone = {"type": "DELETED", "object": self.pods[0]}
        await response.write(json.dumps(gone).encode() + b"\n")
        await asyncio.Event().wait()
        return response


@pytest.fixture
def port(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where the API server of this process's spawners is."""
    from kubernetes_asyncio.client import Configuration
    from kubespawner.clients import load_config

    found = free_port()
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(kubeconfig(f"http://127.0.0.1:{found}")))
    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    load_config.cache_clear()
    yield found
    load_config.cache_clear()
    Configuration.set_default(None)


@asynccontextmanager
async def served(cluster: Cluster, port: int) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", cluster.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


def spawner(start_timeout: int = 60) -> Any:
    from traitlets.config import Config
    from userspace.spawner import PatientSpawner

    # Shared by all spawners of a process, and each test has its own API server.
    PatientSpawner.reflectors.clear()
    settings = {"enable_user_namespaces": True, "user_namespace_template": POD, "start_timeout": start_timeout}
    user = SimpleNamespace(name="ada", id=1, url="/user/ada", escaped_name="ada", groups=[])
    return PatientSpawner(config=Config({"KubeSpawner": settings}), user=user, _mock=True)


def told(cluster: Cluster, port: int, start_timeout: int = 60) -> str:
    """What a page would say of a start that fails."""
    from userspace.errors import SpaceError

    async def main() -> str:
        async with served(cluster, port):
            with pytest.raises(SpaceError) as failed:
                await spawner(start_timeout).start()
            return str(failed.value.jupyterhub_message)

    return asyncio.run(main())


def event(message: str, kind: str = "Warning") -> dict[str, Any]:
    meta = {"namespace": POD, "name": message, "uid": message, "resourceVersion": "1"}
    about = {"involvedObject": {"name": POD}, "lastTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": meta, **about, "type": kind, "message": message}


def test_a_quota_that_is_full_is_named_with_what_to_do(port: int) -> None:
    words = told(Cluster(refusals=[FULL]), port)
    assert words.startswith("Your server does not fit into your quota, which your jobs share: choose a smaller server")
    assert words.endswith(f"The cluster says: {FULL}")


def test_any_other_refusal_is_told_in_the_clusters_words(port: int) -> None:
    assert (
        told(Cluster(refusals=["no pods on Fridays"]), port) == "Your server could not be started: no pods on Fridays"
    )


def test_a_pod_that_never_runs_is_told_with_the_reason(port: int) -> None:
    """What follows it says less, and comes last."""
    from userspace.spawner import warned

    why = "Failed to pull image lab:1: not found"
    events = [event("Pulling image lab:1", "Normal"), event(why), event("Error: ErrImagePull")]
    assert warned(events) == f"The cluster says: {why}"
    assert warned(events[:1]) == "The cluster says nothing of it."
    assert warned(events[2:]) == "The cluster says: Error: ErrImagePull"
    words = told(Cluster(), port, start_timeout=6)
    assert words == "Your server could not be started: it did not run after 1 s. The cluster says nothing of it."


def test_a_server_that_the_hub_has_forgotten_makes_room_for_the_new_one(port: int) -> None:
    """Also where the quota counts it for a moment more."""
    stray = {"metadata": {"namespace": POD, "name": POD, "resourceVersion": "1"}, "status": {"phase": "Running"}}
    cluster = Cluster(pods=[stray], refusals=[COUNTED, "that is all"])
    assert told(cluster, port) == "Your server could not be started: that is all"
    assert cluster.removed == [POD]


def test_a_hub_that_starts_without_an_api_server_waits_for_it(port: int) -> None:
    """And calls no server dead meanwhile."""

    async def main() -> tuple[bool, int | None]:
        polled = asyncio.ensure_future(spawner().poll())
        done, _ = await asyncio.wait([polled], timeout=0.5)
        async with served(Cluster(), port):
            return bool(done), await polled

    assert asyncio.run(main()) == (False, 1)
