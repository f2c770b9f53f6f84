"""One Kubernetes job, followed: its Job and pods by watches, its log by a stream, merged into one sequence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kube_magics import errors
from kube_magics.backends import happened, podlog
from kube_magics.backends.nodes import every_node
from kube_magics.cluster.client import Client
from kube_magics.cluster.pieces import Attempt, Gap, Outage, Piece
from kube_magics.cluster.shared import SharedWatch
from kube_magics.cluster.watch import Changed, Listed, watch
from kube_magics.telemetry import attempts
from kube_magics.telemetry.causes.scheduling import unplaced
from kube_magics.telemetry.objects import part
from kube_magics.telemetry.snapshot import Snapshot, failed, of_job, own_pods

NO_POD_S = 0.5
"""A Job without a pod after this: its events may say why."""
NO_CONTAINER_S = 1.5
"""A pod that does not run after this: its events may say why. Most run by then, and cost no question."""
NO_LOG = "you may not read logs here (the right `get pods/log`): no output is shown, and no value comes back"
NO_MORE = "you may no longer read logs here (the right `get pods/log`): no more output is shown"
TRIES = 30
"""For the log of an ended container at a node that does not know its pod: ten seconds. One that has just started does
not know any, until it has heard of them."""
QUEUE_BLOCKS = 64
"""Blocks of lines that wait for a slow reader; then the connection itself is slowed."""


class Watches:
    """Of the Jobs and pods that bear one label: those that a kernel has submitted."""

    def __init__(self, client: Client, namespace: str, label: str) -> None:
        query = {"labelSelector": label}
        jobs, pods = f"/apis/batch/v1/namespaces/{namespace}/jobs", f"/api/v1/namespaces/{namespace}/pods"
        self.jobs = SharedWatch(client, jobs, query, lambda job: part(job, "metadata").get("name"))
        self.pods = SharedWatch(client, pods, query, lambda pod: part(pod, "metadata", "labels").get("job-name"))


class Following:
    """Watches and log of one job, from before the job exists. To be used on one event loop."""

    def __init__(
        self, client: Client, namespace: str, name: str, watches: Watches | None = None, *, tries: int = TRIES
    ) -> None:
        """`watches`: those that the job, which does not exist yet, will be seen by; None: it gets its own."""
        self._client = client
        self._namespace = namespace
        self._name = name
        self._watches = watches
        self._tries = tries
        self._job: Mapping[str, Any] | None = None
        self._job_seen = False
        self._job_gone = False
        self._uid = ""
        self._pods: dict[str, Mapping[str, Any]] = {}
        self._pods_seen = False
        """Until then nothing is told: a job that has ended would look like one that never had a pod."""
        self._read: list[str | None] = []
        """Uids of the pods whose logs are, or are being, read."""
        self._last_pod: Mapping[str, Any] | None = None
        """The one that was deleted last, as it was then: a Job that fails for it says only that it failed."""
        self._events: list[Mapping[str, Any]] | None = []
        """None: the user may not read them."""
        self._nodes: Sequence[Mapping[str, Any]] | None = None
        """None: not asked for yet; empty: unknown."""
        self._queue: asyncio.Queue[Snapshot | Piece | BaseException | None] = asyncio.Queue(QUEUE_BLOCKS)
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._reading = False
        """Of the log."""
        self._told = False
        """That the cluster is away."""
        self.snapshot = Snapshot(name, namespace, "pending")

    def start(self) -> None:
        """Open the watches; the job need not exist yet."""
        for work in (
            self._watch_job(),
            self._watch_pods(),
            self._read_logs(),
            self._watch_events(),
        ):
            self._tasks.append(asyncio.ensure_future(self._guarded(work)))

    def stop(self) -> None:
        """Close everything."""
        for task in self._tasks:
            task.cancel()

    async def pieces(self) -> AsyncIterator[Snapshot | Piece]:
        """States and log, until the log is at its end; raises what makes following impossible."""
        while (piece := await self._queue.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            await self._queue.put(error)

    def _changes_of_job(self) -> AsyncGenerator[Listed | Changed | Outage, None]:
        if self._watches is not None:
            return self._watches.jobs.changes(self._name)
        path = f"/apis/batch/v1/namespaces/{self._namespace}/jobs"
        return watch(self._client, path, {"fieldSelector": f"metadata.name={self._name}"})

    def _changes_of_pods(self) -> AsyncGenerator[Listed | Changed | Outage, None]:
        if self._watches is not None:
            return self._watches.pods.changes(self._name)
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        # `job-name` without the prefix is set by every version of Kubernetes.
        return watch(self._client, path, {"labelSelector": f"job-name={self._name}"})

    async def _watch_job(self) -> None:
        async for change in self._changes_of_job():
            if isinstance(change, Outage):
                await self._tell(change)
                continue
            if isinstance(change, Listed):
                self._job = change.items[0] if change.items else None
            else:
                self._job = None if change.type == "DELETED" else change.object
            self._job_gone = self._job is None and self._job_seen
            self._job_seen = self._job_seen or self._job is not None
            await self._refresh()

    async def _tell(self, outage: Outage) -> None:
        """While the log is read, its reader says that nothing comes."""
        if outage.over if self._told else not self._reading:
            self._told = not outage.over
            await self._queue.put(outage)

    async def _watch_pods(self) -> None:
        async for change in self._changes_of_pods():
            if isinstance(change, Outage):
                continue  # the other watch has it too
            await self._ask_nodes(change.items if isinstance(change, Listed) else [change.object])
            if isinstance(change, Listed):
                self._pods = {pod["metadata"]["uid"]: pod for pod in change.items}
                self._pods_seen = True
            elif change.type == "DELETED":
                self._pods.pop(change.object["metadata"]["uid"], None)
                self._last_pod = change.object
            else:
                self._pods[change.object["metadata"]["uid"]] = change.object
            await self._refresh()

    async def _ask_nodes(self, pods: Sequence[Mapping[str, Any]]) -> None:
        """Once, where no node takes a pod: before that is told, so that it is told as a whole."""
        if self._nodes is None and any(map(unplaced, pods)):
            self._nodes = await every_node(self._client)

    async def _watch_events(self) -> None:
        """While nothing runs: of the Job until it has a pod, then of its newest pod."""
        may = True
        while may:
            concerned = self._waiting()
            if concerned is None:
                await self._next_change()
                continue
            await asyncio.sleep(NO_POD_S if concerned[0] == "Job" else NO_CONTAINER_S)
            if concerned == self._waiting():
                may = await self._hear_of(*concerned)

    def _waiting(self) -> tuple[str, str] | None:
        """Kind and uid of what does not go on by itself yet."""
        state = self.snapshot
        if self._job is None or state.started or state.over:
            return None
        if state.pod_uid is not None:
            return "Pod", state.pod_uid
        return None if self._pods else ("Job", self._job["metadata"]["uid"])

    async def _while_waiting(self, kind: str, uid: str) -> None:
        while self._waiting() == (kind, uid):
            await self._next_change()

    async def _hear_of(self, kind: str, uid: str) -> bool:
        """Its events, until it waits no more; whether they may be read."""
        hearing = asyncio.ensure_future(happened.hear(self._client, self._namespace, kind, uid, self._take))
        waiting = asyncio.ensure_future(self._while_waiting(kind, uid))
        try:
            await asyncio.wait({hearing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                return hearing.result()
        finally:
            hearing.cancel()
            waiting.cancel()
        pull = self.snapshot.pull
        if kind == "Pod" and pull is not None and pull.ended_at is None:  # how long the image took, and its size
            with suppress(errors.KubeMagicsError):
                await self._take(await happened.to(self._client, self._namespace, kind, uid))
        return True

    async def _take(self, events: happened.Events | None) -> None:
        self._events = events
        await self._refresh()

    async def _refresh(self) -> None:
        if not self._pods_seen or (self._job is None and not self._job_gone):
            return
        job = None if self._job_gone else self._job
        self._uid = job["metadata"]["uid"] if job else self._uid
        pods = own_pods(self._uid, list(self._pods.values()))
        if not pods and self._last_pod is not None and job is not None and failed(job):
            pods = own_pods(self._uid, [self._last_pod])
        fresh = of_job(job, pods, self._events, nodes=self._nodes or (), name=self._name, namespace=self._namespace)
        if fresh != self.snapshot:
            self.snapshot = fresh
            self._changed.set()
            await self._queue.put(fresh)

    async def _read_logs(self) -> None:
        """Stream the logs of the job's pods, one after the other, until its state is final."""
        while not ((self.snapshot.over or self._given_up()) and self._nothing_to_read() and not self._older()):
            state = next(iter(self._older()), self.snapshot)
            newest = state is self.snapshot
            if newest and (not state.scheduled or self._nothing_to_read() or self._logless(state.pod_uid)):
                await self._next_change()
                continue
            pod = self._pods[state.pod_uid or ""]
            if attempts.most(self._job) > 1:
                await self._queue.put(self._attempt(state))
            elif self._read:
                await self._queue.put(Gap(f"the cluster runs the job once more, as pod {state.pod}", sure=True))
            self._read.append(state.pod_uid)
            await self._read_log(state, pod)
        await self._queue.put(None)

    def _own(self) -> list[Mapping[str, Any]]:
        return attempts.ordered(own_pods(self._uid, list(self._pods.values())))

    def _older(self) -> list[Snapshot]:
        """Attempts before the newest pod that ran, have ended, and have not been read."""
        before = [pod for pod in self._own()[:-1] if pod["metadata"]["uid"] not in self._read]
        states = [of_job(self._job or {}, [pod]) for pod in before] if attempts.in_turn(self._job) else []
        return [state for state in states if state.started and state.terminated]

    def _attempt(self, state: Snapshot) -> Attempt:
        """Which one begins with the log of the pod of `state`, and how the last one that was read has ended."""
        before = self._pods.get(self._read[-1] or "", self._last_pod) if self._read else None
        cause = of_job(self._job or {}, [before]).cause if before is not None else None
        # A pod that is gone may not be counted yet.
        which = max(attempts.number(self._job, self._own(), self._pods[state.pod_uid or ""]), len(self._read) + 1)
        return Attempt(which, max(which, attempts.most(self._job)), cause.sentence if cause else "")

    def _nothing_to_read(self) -> bool:
        """Of the newest pod: it has been read, or there is none any more, or it never ran."""
        state = self.snapshot
        return state.pod_uid not in self._pods or state.pod_uid in self._read or (state.over and not state.started)

    async def _read_log(self, state: Snapshot, pod: Mapping[str, Any]) -> None:
        """From the container's first moment to its end, or to where another pod has taken its place."""
        pauses, vain, uid = podlog.pauses(), 0, state.pod_uid or ""

        async def over() -> bool:
            return self.snapshot.pod_uid != uid or self.snapshot.terminated or self.snapshot.over

        log = podlog.pod_log(self._client, state, pod)
        while uid in self._pods and not self._logless(uid):
            ended = await over()
            self._reading = True
            try:
                async for piece in log.lines(over):
                    await self._queue.put(piece)
                break
            except errors.Forbidden:
                await self._queue.put(Gap(NO_MORE if log.position.last else NO_LOG, sure=True))
                break
            except errors.NotFound:
                # The pod is gone, which the watch knows; or its node has not heard of it yet.
                vain += ended
                if vain > self._tries:
                    await self._queue.put(Gap(podlog.LOST))
                    break
                await self._start_or(next(pauses))
            except errors.Rejected:
                await self._start_or(next(pauses))
            finally:
                self._reading = False

    def _logless(self, uid: str | None) -> bool:
        """There is no log of this pod, and there will be none."""
        state = self.snapshot
        return uid == state.pod_uid and not state.started and (state.over or self._given_up())

    def _given_up(self) -> bool:
        return bool(self.snapshot.cause and self.snapshot.cause.hopeless)

    async def _start_or(self, pause_s: float) -> None:
        """Sleep, but no longer than until the container is said to have started."""
        if self.snapshot.started:
            await asyncio.sleep(pause_s)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                while not self.snapshot.started and not self._logless(self.snapshot.pod_uid):
                    await self._next_change()

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
