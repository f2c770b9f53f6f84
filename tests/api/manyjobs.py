"""A real HTTP server that has thousands of Jobs and their pods, as an API server has them, of which some change.

It answers what the dashboard, kubectl and the typed client ask of Jobs and pods: lists whole and in pages, watches from
where they were, which end when they were told to, and the discovery that kubectl begins with. What it was asked and how
much it has sent is counted. Each object has its JSON ready, so that its own speed is in no measurement.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from kube_magics.manifests.job import job
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.spec.parse import parse
from tests.api.servers import kubeconfig

BUNDLE_BYTES = 25_500
"""Of an empty cell; a third more as base64."""
AT = "2026-11-26T10:00:00Z"
BOOKMARK_S = 60.0
KINDS = {"jobs": ("batch/v1", "Job"), "pods": ("v1", "Pod")}
_FEW = 2
"""Objects of each kind in every namespace but `team`."""


def job_of(number: int, *, over: bool, at: str = AT) -> dict[str, Any]:
    """A Job as a cluster has it, that runs or has succeeded."""
    name, chance = _name(number), random.Random(number)
    spec = JobSpec.of(parse(["--gpus", "1"]))
    submission = Submission(spec, name, name, chance.randbytes(BUNDLE_BYTES), "0" * 64, cell_digest="0" * 64)
    found = job(submission, image="python:3.11-slim", boot="boot", fixed_user=True)
    found["metadata"] |= {"uid": f"job-{number}", "creationTimestamp": at, "namespace": "team"}
    conditions = [{"type": "Complete", "status": "True", "lastTransitionTime": at}]
    state = {"succeeded": 1, "conditions": conditions, "completionTime": at} if over else {"active": 1, "ready": 1}
    return {**found, "status": {"startTime": at, **state}}


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    """The pod of a Job."""
    meta, template, at = job["metadata"], job["spec"]["template"], job["status"]["startTime"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
    ran = {"startedAt": at, "finishedAt": at, "exitCode": 0, "reason": "Completed"}
    over = "completionTime" in job["status"]
    state = {"terminated": ran} if over else {"running": {"startedAt": at}}
    main = {"name": "main", "image": "i", "imageID": "i", "ready": not over, "restartCount": 0, "state": state}
    return {
        "metadata": {
            **meta,
            "name": f"{meta['name']}-x7k2p",
            "uid": f"pod-{meta['uid']}",
            "labels": {**template["metadata"]["labels"], "job-name": meta["name"]},
            "ownerReferences": [owner],
        },
        "spec": {**template["spec"], "nodeName": "node-0"},
        "status": {"phase": "Succeeded" if over else "Running", "startTime": at, "containerStatuses": [main]},
    }


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    watch: bool


@dataclass
class _Kind:
    """All objects of one kind, as JSON by their names, and what has become of them, by versions."""

    items: dict[str, bytes] = field(default_factory=dict)
    events: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=1000))


class ManyJobs:
    """`count` Jobs in the namespace `team`, every other one over. Any thread may look; `turn` is the server's own."""

    def __init__(self, count: int) -> None:
        self.asked: list[Asked] = []
        self.sent_bytes = 0
        """Of bodies, as they travel."""
        self.changes = 0
        """Jobs that have begun, ended or been removed."""
        self.rate = 0.0
        """Of them a second."""
        self.port = 0
        self._version = 1
        self._kinds = {kind: _Kind() for kind in KINDS}
        self._pages: dict[str, tuple[int, list[bytes]]] = {}
        self._next = count
        self._running = deque(range(1, count, 2))
        self._ended = deque(range(0, count, 2))
        for number in range(count):
            self._put(number, over=number % 2 == 0)
        for each in self._kinds.values():
            each.events.clear()  # nobody has watched yet
        self._loop = asyncio.new_event_loop()
        self._moved = asyncio.Condition()
        self._thread = threading.Thread(target=self._loop.run_forever, name="manyjobs", daemon=True)

    @property
    def newest(self) -> str:
        """The name of the job that has begun last."""
        return _name(self._next - 1)

    def kubeconfig(self, path: Path) -> Path:
        """Written to `path`."""
        path.write_text(yaml.safe_dump(kubeconfig(f"http://127.0.0.1:{self.port}")), "utf-8")
        return path

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(30)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        self._changing = asyncio.ensure_future(self._change())

    async def _end(self) -> None:
        self._changing.cancel()
        await self._runner.cleanup()

    async def _change(self) -> None:
        """One after the other ends, is removed, and is followed by a new one: as many as before, with ever new names."""
        turns = itertools.cycle((self._ends, self._goes, self._begins))
        due = self._loop.time()
        while True:
            if not self.rate:
                due = self._loop.time()
                await asyncio.sleep(0.05)
                continue
            due += 1 / self.rate
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            next(turns)()
            self.changes += 1
            async with self._moved:
                self._moved.notify_all()

    def _ends(self) -> None:
        number = self._running.popleft()
        self._ended.append(number)
        self._put(number, over=True, kind="MODIFIED")

    def _goes(self) -> None:
        number = self._ended.popleft()
        self._put(number, over=True, kind="DELETED")

    def _begins(self) -> None:
        self._running.append(self._next)
        self._put(self._next, over=False, at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self._next += 1

    def _put(self, number: int, *, over: bool, kind: str = "ADDED", at: str = AT) -> None:
        made = job_of(number, over=over, at=at)
        for name, found in (("pods", pod_of(made)), ("jobs", made)):
            self._version += 1
            api, title = KINDS[name]
            found["metadata"] = {**found["metadata"], "resourceVersion": str(self._version)}
            text = _json({"kind": title, "apiVersion": api, **found})
            own = self._kinds[name]
            own.items.pop(found["metadata"]["name"], None)
            if kind != "DELETED":
                own.items[found["metadata"]["name"]] = text
            own.events.append((self._version, b'{"type":"%s","object":%s}\n' % (kind.encode(), text)))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        place, _, kind = request.path.rpartition("/")
        watched = request.query.get("watch") in ("1", "true")
        self.asked.append(Asked(request.path, watched))
        if kind in KINDS and "/namespaces/" in place:
            if watched:
                return await self._watched(request, kind)
            return self._sent(self._listed(request, kind, few=not place.endswith("/team")))
        found = _DISCOVERY.get(request.path.rstrip("/"))
        missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound"}
        return self._sent(_json(found or missing), status=200 if found else 404)

    def _sent(self, body: bytes, status: int = 200) -> web.Response:
        self.sent_bytes += len(body)
        return web.Response(body=body, status=status, content_type="application/json")

    def _listed(self, request: web.Request, kind: str, *, few: bool) -> bytes:
        """All, or a page of what there was when the first one was asked for."""
        token = request.query.get("continue", "")
        version, left = self._pages.pop(token, (self._version, list(self._kinds[kind].items.values())))
        left = left[:_FEW] if few else left
        limit = int(request.query.get("limit") or 0) or len(left)
        page, left = left[:limit], left[limit:]
        meta: dict[str, Any] = {"resourceVersion": str(version)}
        if left:
            meta |= {"continue": f"{kind}-{version}-{len(left)}", "remainingItemCount": len(left)}
            self._pages[meta["continue"]] = version, left
        api, title = KINDS[kind]
        head = _json({"kind": f"{title}List", "apiVersion": api, "metadata": meta})
        return b'%s,"items":[%s]}' % (head[:-1], b",".join(page))

    async def _watched(self, request: web.Request, kind: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        at, (api, title) = int(request.query["resourceVersion"]), KINDS[kind]
        ends = self._loop.time() + float(request.query.get("timeoutSeconds", "1800"))
        with suppress(ConnectionError):
            while (left_s := ends - self._loop.time()) > 0:
                fresh = [text for version, text in self._kinds[kind].events if version > at]
                at = max(at, self._version)
                if not fresh:
                    fresh = await self._quiet(at, min(BOOKMARK_S, left_s), api, title)
                for text in fresh:
                    self.sent_bytes += len(text)
                    await response.write(text)
        return response

    async def _quiet(self, at: int, within_s: float, api: str, title: str) -> list[bytes]:
        """Until something changes; a bookmark where nothing does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._moved:
                await self._moved.wait_for(lambda: self._version > at)
                return []
        meta = {"resourceVersion": str(self._version)}
        mark = {"kind": title, "apiVersion": api, "metadata": meta}
        return [_json({"type": "BOOKMARK", "object": mark}) + b"\n"]


def _name(number: int) -> str:
    return f"digits-{number:04d}"


def _json(found: Any) -> bytes:
    """As Go writes it."""
    return json.dumps(found, separators=(",", ":")).encode()


def _resources(group_version: str, kind: str) -> dict[str, Any]:
    names = {"name": kind, "singularName": kind[:-1], "namespaced": True, "kind": KINDS[kind][1]}
    found = [{**names, "verbs": ["get", "list", "watch"]}]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": found}


_BATCH = {"groupVersion": "batch/v1", "version": "v1"}
_DISCOVERY: dict[str, dict[str, Any]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [{"name": "batch", "versions": [_BATCH], "preferredVersion": _BATCH}],
    },
    "/api/v1": _resources("v1", "pods"),
    "/apis/batch/v1": _resources("batch/v1", "jobs"),
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
}


@contextmanager
def many_jobs(count: int) -> Iterator[ManyJobs]:
    made = ManyJobs(count)
    made.start()
    try:
        yield made
    finally:
        made.stop()
