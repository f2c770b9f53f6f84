"""A real HTTP server that is one namespace with one Job: lists, watches, the pod's log, and refusals when told."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from kube_magics.backends.contract import Piece
from kube_magics.backends.following import Following
from kube_magics.telemetry.snapshot import Snapshot
from tests.api.kubelet import Log
from tests.api.servers import api

NAME, NAMESPACE = "one", "team"


def a_job(**status: Any) -> dict[str, Any]:
    meta = {"name": NAME, "namespace": NAMESPACE, "uid": "job-uid"}
    return {"metadata": meta, "spec": {"template": {}}, "status": status}


def a_pod(**state: Any) -> dict[str, Any]:
    """On its node; `state` of its container, none of them: there is none yet."""
    status = {"containerStatuses": [{"name": "main", "state": state}]} if state else {}
    phase = "Succeeded" if "terminated" in state else "Running" if state else "Pending"
    return {
        "metadata": {"name": "one-abcde", "namespace": NAMESPACE, "uid": "pod-uid"},
        "spec": {"nodeName": "node-0", "containers": [{"name": "main"}]},
        "status": {"phase": phase, **status},
    }


def running() -> dict[str, Any]:
    return a_pod(running={"startedAt": datetime.now(UTC).isoformat()})


COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
FAILED = {"conditions": [{"type": "Failed", "status": "True"}]}


class OneJob:
    """What the cluster knows; change it and whoever watches is told."""

    def __init__(self, **there: dict[str, Any]) -> None:
        """Of nothing else said, a job that runs; `pods={}`: no pod yet."""
        self.log = Log()
        self.later_logs: dict[str, Log] = {}
        """Of pods that come after the first, by name."""
        self.older: list[dict[str, Any]] = []
        """Pods that came before the one of `set`."""
        self.refusals: dict[str, deque[int]] = defaultdict(deque)
        """HTTP codes for the next requests of `jobs`, `pods`, `events`, `watch jobs`, `watch pods`."""
        self.late: dict[str, float] = {}
        """Seconds that the answers to such requests take."""
        self.asked: list[str] = []
        """What was asked for, in these words."""
        self.groups: set[str] = set()
        """Of the API, that are there besides Kubernetes' own."""
        self.patched: dict[str, Any] = {}
        self._there = {kind: found for kind, found in {"jobs": a_job(), "pods": running(), **there}.items() if found}
        self.watched = 0
        """Watches that are open."""
        self._told: list[tuple[str, bytes | None]] = []
        """(of which kind, the line of a watch; None: it is broken)"""
        self._more = asyncio.Event()

    def set(self, kind: str, found: dict[str, Any] | None) -> None:
        """None: deleted."""
        before = self._there.pop(kind, None)
        if found is not None:
            self._there[kind] = found
        change = "DELETED" if found is None else "MODIFIED" if before else "ADDED"
        self._tell(kind, json.dumps({"type": change, "object": self._versioned(found or before or {})}).encode())

    def cut(self, kind: str) -> None:
        """Break the watches of `jobs` or `pods` that are open."""
        self._tell(kind, None)

    async def until_asked(self, what: str, times: int = 1) -> None:
        while self.asked.count(what) < times:
            await asyncio.sleep(0.005)

    def _tell(self, kind: str, line: bytes | None) -> None:
        self._told.append((kind, line))
        self._more.set()
        self._more = asyncio.Event()

    def _versioned(self, found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "metadata": {**found["metadata"], "resourceVersion": str(len(self._told) + 1)}}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        kind = request.path.rpartition("/")[2]
        if kind in ("version", "apis"):
            return web.json_response({"groups": []})
        if request.path == f"/apis/{kind}":
            return web.json_response({"name": kind}, status=200 if kind in self.groups else 404)
        if kind == "log":
            return await self.later_logs.get(request.path.split("/")[-2], self.log).answer(request)
        if request.method == "PATCH":
            self.patched["/".join(request.path.split("/")[-2:])] = await request.json()
            return web.json_response({})
        if request.method == "POST" or kind == NAME:
            return await self._one(request)
        asked = f"watch {kind}" if "watch" in request.query else kind
        self.asked.append(asked)
        if refused := self.refusals[asked]:
            code = refused.popleft()
            return web.json_response({"kind": "Status", "code": code, "message": "not now"}, status=code)
        await asyncio.sleep(self.late.get(asked, 0))
        if "watch" in request.query:
            return await self._watched(request, kind)
        found = [*(self.older if kind == "pods" else ()), *([self._there[kind]] if kind in self._there else ())]
        if kind == "events":
            of = [term.removeprefix("involvedObject.").split("=") for term in request.query["fieldSelector"].split(",")]
            found = [each for each in found if all(each["involvedObject"][field] == value for field, value in of)]
        items = [self._versioned(each) for each in found]
        return web.json_response({"metadata": {"resourceVersion": str(len(self._told))}, "items": items})

    async def _one(self, request: web.Request) -> web.Response:
        """Its Job, made, looked at, deleted."""
        if request.method == "POST":
            sent = await request.json()
            self.set("jobs", {**sent, "metadata": {**sent["metadata"], "namespace": NAMESPACE, "uid": "job-uid"}})
        elif "jobs" not in self._there:
            return web.json_response({"kind": "Status", "code": 404}, status=404)
        found = self._versioned(self._there["jobs"])
        if request.method == "DELETE":
            self.set("jobs", None)
        return web.json_response(found)

    async def _watched(self, request: web.Request, kind: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        self.watched += 1
        try:
            return await self._events(request, response, kind)
        finally:
            self.watched -= 1

    async def _events(self, request: web.Request, response: web.StreamResponse, kind: str) -> web.StreamResponse:
        at = int(request.query["resourceVersion"])
        while True:
            more = self._more
            for of, line in self._told[at:]:
                at += 1
                if of == kind and line is None:
                    if at == len(self._told):  # not for those who come later
                        assert request.transport is not None
                        request.transport.close()
                        return response
                elif of == kind and line is not None:
                    await response.write(line + b"\n")
            await more.wait()


@asynccontextmanager
async def followed(job: OneJob, user: dict[str, Any] | None = None, **patience: int) -> AsyncIterator[Following]:
    async with api(job.answer, user) as client:
        following = Following(client, NAMESPACE, NAME, **patience)
        following.start()
        try:
            yield following
        finally:
            following.stop()


async def collected(following: Following) -> list[Snapshot | Piece]:
    """All of it, up to its end."""
    async with asyncio.timeout(30):
        return [piece async for piece in following.pieces()]
