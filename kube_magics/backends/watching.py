"""All Jobs of a namespace, live: one watch of Jobs and one of pods, and events only while a Job waits for its pod."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

from kube_magics import errors
from kube_magics.backends import bundles, happened
from kube_magics.cluster.client import Client
from kube_magics.cluster.pieces import Outage
from kube_magics.cluster.watch import Changed, Listed, watch
from kube_magics.spec import names
from kube_magics.telemetry.objects import part, rows, text
from kube_magics.telemetry.snapshot import INCOMPLETE, PENDING, Snapshot, incomplete, of_job

ASK_S, LONGEST_ASK_S = 0.5, 60.0
"""For the events of Jobs without a pod: soon after the first of them came, then ever more rarely."""
REFUSED_S = 60.0
"""Until pods are asked for again that the user may not see."""
SLICE = 50
"""Snapshots that are made at once: thousands take seconds, in which the loop has others to serve."""
LONGEST_VALUE = 1024
"""Characters of an environment value that are kept: a bundle may be one of 64 KiB, of each of thousands of Jobs."""

_News = tuple[str, Listed | Changed | Outage | str | None] | BaseException
_Object = Mapping[str, Any]


class Watching:
    """To be used once, on one event loop."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._news: asyncio.Queue[_News] = asyncio.Queue()
        self._jobs: dict[str, _Object] = {}
        self._pods: dict[str, dict[str, _Object]] = {}
        """By the Job's name and the pod's uid."""
        self._listed: set[str] = set()
        self._told: set[str] = set()
        self._changed: set[str] = set()
        """Names of Jobs."""
        self._blind = False
        """The user may not see pods, and was told so."""
        self._begun = False
        """Something was told, if only that there are no Jobs."""
        self._events: dict[str, list[_Object]] | None = {}
        """By the Job's uid; None: the user may not read them."""
        self._incomplete: set[str] = set()
        """Uids of Jobs."""
        self._waits: set[str] = set()
        """Names of Jobs whose programs have not begun."""
        self._arrived = asyncio.Event()
        """One more of them."""

    async def changes(self) -> AsyncGenerator[Mapping[str, Snapshot | None] | Outage | str, None]:
        """As `Backend.watch`; raises what `watch` raises of Jobs."""
        jobs, pods = (
            f"/apis/batch/v1/namespaces/{self._namespace}/jobs",
            f"/api/v1/namespaces/{self._namespace}/pods",
        )
        work = (self._read("jobs", jobs, {}), self._read_pods(pods), self._ask())
        tasks = [asyncio.ensure_future(self._guarded(each)) for each in work]
        try:
            while True:
                found = [await self._news.get()]
                while not self._news.empty():
                    found.append(self._news.get_nowait())
                for said in self._take(found):
                    yield said
                if self._listed == {"jobs", "pods"} and (self._changed or not self._begun):
                    yield await self._snapshots()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - raised by whoever reads
            self._news.put_nowait(error)

    async def _read(self, kind: str, path: str, params: Mapping[str, str]) -> None:
        quiet = watch(self._client, path, params, ask_s=None, keep=slim, without=bundles.BEFORE)
        async with aclosing(quiet) as found:
            async for change in found:
                self._news.put_nowait((kind, change))

    async def _read_pods(self, path: str) -> None:
        while True:
            try:
                await self._read("pods", path, {"labelSelector": "job-name"})
            except errors.Forbidden as refused:
                self._news.put_nowait(("pods", f"{refused.message} Jobs are shown by what they say of themselves."))
            await asyncio.sleep(REFUSED_S)

    def _take(self, found: Sequence[_News]) -> list[Outage | str]:
        said: list[Outage | str] = []
        for each in found:
            if isinstance(each, BaseException):
                raise each
            kind, change = each
            if isinstance(change, Outage):
                said += [change] if kind == "jobs" else []  # the other watch has it too
            elif isinstance(change, str):
                said.append(change)
                self._replace(kind, ())
                self._blind = True
            elif isinstance(change, Listed):
                said += [""] if kind == "pods" and self._blind else []
                self._blind &= kind != "pods"
                self._replace(kind, change.items)
            elif change is not None:
                self._put(kind, change.object, gone=change.type == "DELETED")
        return said

    def _replace(self, kind: str, items: Sequence[_Object]) -> None:
        self._listed.add(kind)
        kept = self._jobs if kind == "jobs" else self._pods
        self._changed |= kept.keys()
        kept.clear()
        for item in items:
            self._put(kind, item)

    def _put(self, kind: str, item: _Object, *, gone: bool = False) -> None:
        name = text(item, "metadata", "name") if kind == "jobs" else text(item, "metadata", "labels", "job-name")
        self._changed.add(name)
        if kind == "jobs":
            self._jobs.pop(name, None)
            if not gone:
                self._jobs[name] = item
            return
        pods = self._pods.setdefault(name, {})
        pods.pop(_uid(item), None)
        if not gone:
            pods[_uid(item)] = item
        elif not pods:
            del self._pods[name]

    async def _snapshots(self) -> dict[str, Snapshot | None]:
        found: dict[str, Snapshot | None] = {}
        changed, self._changed = self._changed, set()
        for number, name in enumerate(changed, 1):
            if number % SLICE == 0:
                await asyncio.sleep(0)
            job = self._jobs.get(name)
            if job is not None:
                found[name] = self._snapshot(name, job)
            elif name in self._told:
                found[name] = None
            self._note_waiting(name, found.get(name))
        self._told |= found.keys()
        self._told -= {name for name, state in found.items() if state is None}
        self._begun = True
        return found

    def _note_waiting(self, name: str, state: Snapshot | None) -> None:
        if state is None or state.started or state.phase not in (PENDING, INCOMPLETE):
            self._waits.discard(name)
        elif name not in self._waits:
            self._waits.add(name)
            self._arrived.set()

    def _snapshot(self, name: str, job: _Object) -> Snapshot:
        uid = _uid(job)
        said = None if self._events is None else self._events.get(uid, [])
        pods = self._pods.get(name, {}).values()
        state = replace(of_job(job, list(pods), said, namespace=self._namespace), pods=_versions(pods))
        return incomplete(state) if uid in self._incomplete and state.phase == PENDING and not state.started else state

    async def _ask(self) -> None:
        """What stands in neither Job nor pod: why a Job has no pod, and whether its files are there."""
        pause_s = ASK_S
        while True:
            if not self._waits:
                await self._arrived.wait()
            if await self._arrival(pause_s):
                pause_s = ASK_S
                await asyncio.sleep(ASK_S)
            await self._look()
            pause_s = min(pause_s * 2, LONGEST_ASK_S)

    async def _arrival(self, within_s: float) -> bool:
        """Whether one more Job waits."""
        try:
            async with asyncio.timeout(within_s):
                await self._arrived.wait()
        except TimeoutError:
            return False
        self._arrived.clear()
        return True

    async def _look(self) -> None:
        waits = {name: job for name in self._waits if (job := self._jobs.get(name)) is not None}
        with suppress(errors.KubeMagicsError):  # the watches say what is the matter
            if waits.keys() - self._pods.keys():
                found = await happened.to_if_seen(self._client, self._namespace, "Job")
                self._events = None if found is None else _by_object(found)
            for job in waits.values():
                if names.ANNOTATION_BUNDLE not in part(job, "metadata", "annotations"):
                    continue
                missing = await bundles.is_missing(self._client, self._namespace, job)
                (self._incomplete.add if missing else self._incomplete.discard)(_uid(job))
        self._changed |= waits.keys()
        self._news.put_nowait(("asked", None))


def slim(found: _Object) -> dict[str, Any]:
    """The object without what no snapshot needs, and of which thousands are kept."""
    if "template" in part(found, "spec"):
        spec = {
            **found["spec"],
            "template": {**found["spec"]["template"], "spec": _slim_pod(found["spec"]["template"])},
        }
    else:
        spec = _slim_pod(found)
    meta = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    return {**found, "metadata": meta, "spec": spec}


def _slim_pod(found: _Object) -> dict[str, Any]:
    spec = part(found, "spec")
    return {**spec, "containers": [_slim_container(each) for each in rows(spec, "containers")]}


def _slim_container(found: _Object) -> dict[str, Any]:
    short = [each for each in rows(found, "env") if len(text(each, "value")) <= LONGEST_VALUE]
    rest = {key: value for key, value in found.items() if key not in {"env", "command", "args"}}
    return {**rest, "env": short}


def _versions(pods: Iterable[_Object]) -> str:
    found = sorted(f"{_uid(pod)} {text(pod, 'metadata', 'resourceVersion')}" for pod in pods)
    return f"{zlib.crc32(' '.join(found).encode()):08x}" if found else ""


def _by_object(events: Sequence[_Object]) -> dict[str, list[_Object]]:
    found: dict[str, list[_Object]] = {}
    for event in events:
        found.setdefault(text(event, "involvedObject", "uid"), []).append(event)
    return found


def _uid(item: _Object) -> str:
    return text(item, "metadata", "uid")
