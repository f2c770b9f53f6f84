"""Jobs on a Kubernetes cluster: plain `batch/v1`, nothing installed there."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kube_magics import errors
from kube_magics.backends import (
    bundles,
    claims,
    creating,
    findings,
    happened,
    logalone,
    objects,
    queues,
    secrets,
    stopping,
)
from kube_magics.backends.contract import (
    Attempt,
    Findings,
    GpuReport,
    NodeReport,
    Objects,
    Outage,
    Piece,
    Source,
    Sources,
)
from kube_magics.backends.following import Following, Watches
from kube_magics.backends.nodes import gpu_report, node_report
from kube_magics.backends.podlog import as_it_is, pod_log
from kube_magics.backends.watching import Watching
from kube_magics.cluster.auth import Access
from kube_magics.cluster.client import METADATA, METADATA_LIST, Client
from kube_magics.cluster.create import create
from kube_magics.cluster.watch import listed
from kube_magics.manifests import bundle as bundle_manifests
from kube_magics.manifests import job as job_manifests
from kube_magics.runner import shipped
from kube_magics.runner.protocol import RESULT_LIMIT_BYTES
from kube_magics.spec import names, volumes
from kube_magics.spec.job import JobSpec, Submission, image_of
from kube_magics.telemetry import attempts
from kube_magics.telemetry.snapshot import PENDING, Snapshot, of_job, own_pods

NOTE_TRIES = 5
"""A Job that has just ended changes a few times in its last seconds."""


class KubernetesBackend:
    """One context and namespace of one cluster."""

    kind = "kubernetes"
    bundle_limit_bytes: int | None = bundle_manifests.TOTAL_LIMIT_BYTES

    def __init__(self, access: Access) -> None:
        self.client = Client(access)
        self.namespace = access.namespace
        self._fixed_user: bool | None = None
        self._said: list[str] = []  # by the last preflight
        self._kernel = uuid.uuid4().hex
        self._watches = Watches(self.client, self.namespace, f"{names.LABEL_KERNEL}={self._kernel}")
        self._following: dict[str, Following] = {}
        self._log_alone: dict[str, Snapshot] = {}
        """Pods of which nothing but the log may be read, by name."""

    @property
    def place(self) -> str | None:
        access = self.client.access
        return None if access.source.kind == "in-cluster" else f"{access.context} at {access.server}"

    @property
    def _jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs"

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    @property
    def address(self) -> str:
        return f"{self.client.access.server} {self.namespace}"

    def where(self) -> str:
        access = self.client.access
        return f"kubernetes (context {access.context}, namespace {self.namespace}; from {access.source.where})"

    def warnings(self) -> list[str]:
        said, self._said = self._said, []
        return [*said, *(f"the cluster warns: {text}" for text in self.client.warnings())]

    def runner_options(self, submission_name: str) -> Mapping[str, Any]:
        return {"result_limit_bytes": RESULT_LIMIT_BYTES}

    async def connect(self) -> None:
        """Opens the connection, and learns once whether the cluster assigns user ids itself (OpenShift)."""
        if self._fixed_user is None:
            groups = await self.client.get("/apis")
            self._fixed_user = all(group["name"] != "security.openshift.io" for group in groups["groups"])

    def manifests(self, submission: Submission) -> list[dict[str, Any]]:
        job = self._job(submission)
        job["metadata"]["namespace"] = self.namespace
        maps = job_manifests.config_maps({"metadata": {"name": submission.name, "uid": ""}}, submission)
        for found in maps:
            # The owner's uid exists only once the Job does: delete these by hand with a job made from --dry-run.
            del found["metadata"]["ownerReferences"]
            found["metadata"]["namespace"] = self.namespace
        return [job, *maps]

    def check(self, spec: JobSpec) -> None:
        # All else that may be wrong with it the cluster knows.
        if spec.log_to:
            volumes.keeps(spec.volume, spec.log_to)

    def remarks(self, spec: JobSpec) -> list[str]:
        return []

    async def preflight(self, spec: JobSpec) -> None:
        *_, said = await asyncio.gather(
            claims.check(self.client, self.namespace, spec),
            secrets.check(self.client, self.namespace, spec.secret),
            queues.check(self.client, self.namespace, spec.queue),
        )
        self._said = [said] if said else []

    async def submit(self, submission: Submission) -> str | None:
        await self.connect()
        following = Following(self.client, self.namespace, submission.name, self._watches)
        self._following[submission.name] = following
        following.start()
        try:
            return await creating.create(
                *(self.client, self.namespace, self._job(submission)),
                maps=lambda made: job_manifests.config_maps(made, submission),
            )
        except BaseException:
            self._following.pop(submission.name).stop()
            raise

    async def resubmit(self, objects: Sequence[Mapping[str, Any]]) -> str | None:
        job, *maps = objects

        def owned(made: Mapping[str, Any]) -> list[dict[str, Any]]:
            owners = bundle_manifests.owners(made)
            return [{**each, "metadata": {**each["metadata"], "ownerReferences": owners}} for each in maps]

        return await creating.create(self.client, self.namespace, job, owned)

    async def create(self, manifest: Mapping[str, Any]) -> str:
        return await create(self.client, self.namespace, manifest)

    def _job(self, submission: Submission) -> dict[str, Any]:
        return job_manifests.job(
            submission,
            image=image_of(submission.spec),
            boot=shipped.boot(),
            fixed_user=self._fixed_user is not False,
            kernel=self._kernel,
        )

    async def poll(self, name: str) -> Snapshot:
        try:
            job, pods = await self._found(name)
        except errors.Forbidden as refused:
            return await self._pod_alone(name, refused)
        self._log_alone.pop(name, None)
        snapshot = of_job(job, pods, namespace=self.namespace)
        if snapshot.phase == PENDING and not snapshot.pod:
            events = await happened.to_if_seen(self.client, self.namespace, "Job", job["metadata"]["uid"])
            snapshot = of_job(job, pods, events, namespace=self.namespace)
        return await bundles.whole(self.client, self.namespace, job, snapshot)

    async def _found(self, name: str) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
        """A Job and its pods, the newest last."""
        job, pods = await asyncio.gather(
            bundles.job_of(self.client, self.namespace, name),
            self._list(self._pods, f"job-name={name}"),
            return_exceptions=True,
        )
        for found in (job, pods):
            if isinstance(found, BaseException):
                raise found
        return job, attempts.ordered(own_pods(job["metadata"]["uid"], pods))

    async def _list(self, path: str, label: str = "") -> Sequence[Mapping[str, Any]]:
        params = {"labelSelector": label} if label else {}
        found, _version = await listed(self.client, path, params, without=bundles.BEFORE)
        return found.items

    async def _pod_alone(self, name: str, refused: errors.Forbidden) -> Snapshot:
        """Of who may read logs and see no job: that of the pod of this name."""
        state = self._log_alone[name] = await logalone.look(self.client, self.namespace, name, refused)
        return state

    async def follow(self, name: str) -> AsyncIterator[Snapshot | Piece]:
        following = self._following.pop(name, None)
        if following is None and name in self._log_alone:
            async for piece in logalone.follow(self.client, self._log_alone[name]):
                yield piece
            return
        if following is None:
            following = Following(self.client, self.namespace, name)
            following.start()
        try:
            async for piece in following.pieces():
                yield piece
        finally:
            following.stop()

    async def stored(self, name: str, result: str) -> Path | None:
        """Nothing outlives a pod but its log."""
        return None

    async def bundled(self, name: str) -> Mapping[str, bytes]:
        return bundle_manifests.members(await bundles.read(self.client, self.namespace, name))

    async def fetched(self, name: str, uid: str | None) -> None:
        with suppress(errors.ClusterError):  # deleted meanwhile, or by a user without the right: it is only a note
            for _ in range(NOTE_TRIES):
                meta = (await self.client.get(f"{self._jobs}/{name}", accept=METADATA))["metadata"]
                if names.ANNOTATION_FETCHED in meta.get("annotations", {}):
                    return
                said = {names.ANNOTATION_FETCHED: datetime.now(UTC).isoformat(timespec="seconds")}
                # The uid makes the server refuse it for another Job of that name, the version where two fetch at once.
                note = {"uid": uid, "resourceVersion": meta["resourceVersion"], "annotations": said}
                with suppress(errors.Conflict):
                    await self.client.patch(f"{self._jobs}/{name}", {"metadata": note})
                    return

    async def log(self, name: str) -> AsyncIterator[Piece]:
        try:
            job, pods = await self._found(name)
        except errors.Forbidden as refused:
            async for piece in logalone.pod_log(self.client, await self._pod_alone(name, refused)).whole():
                yield piece
            return
        for pod in pods if attempts.in_turn(job) else pods[-1:]:
            state = of_job(job, [pod], namespace=self.namespace)
            if not state.started:
                continue
            which = attempts.number(job, pods, pod)
            if which > 1 or len(pods) > 1:
                yield Attempt(which, max(which, attempts.most(job)))
            async for piece in as_it_is(pod_log(self.client, state, pod)):
                yield piece

    async def sources(self, name: str, *, previous: bool = False) -> Sources:
        return objects.sources(await self.objects(name), previous=previous)

    async def read(self, name: str, source: Source, *, follow: bool = False) -> AsyncIterator[Piece]:
        async for piece in objects.read(self.client, self.namespace, source, follow=follow):
            yield piece

    async def objects(self, name: str) -> Objects:
        return await objects.objects(self.client, self.namespace, name)

    async def recipe(self, name: str) -> list[dict[str, Any]]:
        return await objects.recipe(self.client, self.namespace, name)

    async def kept(self, name: str) -> Submission | None:
        """The cluster keeps the Job."""
        return None

    async def events(self, name: str | None) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
        return await objects.events(self.client, self.namespace, name)

    async def findings(self, name: str) -> Findings:
        return await findings.findings(self.client, self.namespace, name)

    async def stop(self, name: str) -> str:
        return await stopping.stop(self.client, self.namespace, name, self.poll)

    async def delete(self, name: str) -> None:
        if (following := self._following.pop(name, None)) is not None:
            # Of a submit that was interrupted: nobody has come to follow it.
            following.stop()
        await self.client.delete(f"{self._jobs}/{name}")

    async def jobs(self, selector: str | None = None) -> list[Snapshot]:
        jobs, pods = await asyncio.gather(self._list(self._jobs, selector or ""), self._list(self._pods, "job-name"))
        by_job: dict[str, list[Any]] = {}
        for pod in pods:
            by_job.setdefault(pod["metadata"]["labels"]["job-name"], []).append(pod)
        events: list[Any] | None = []
        if any(_podless(job) and job["metadata"]["name"] not in by_job for job in jobs):
            # Why a Job has no pod stands in its events alone; asked once for all of them, and only then.
            events = await happened.to_if_seen(self.client, self.namespace, "Job")

        def seen(job: Mapping[str, Any]) -> Snapshot:
            name, uid = job["metadata"]["name"], job["metadata"]["uid"]
            said = events and [event for event in events if event["involvedObject"].get("uid") == uid]
            return of_job(job, by_job.get(name, ()), said, namespace=self.namespace)

        found = await asyncio.gather(*(bundles.whole(self.client, self.namespace, job, seen(job)) for job in jobs))
        return sorted(found, key=lambda s: s.created_at or 0, reverse=True)

    def watch(self) -> AsyncGenerator[Mapping[str, Snapshot | None] | Outage | str, None]:
        return Watching(self.client, self.namespace).changes()

    async def gpus(self) -> GpuReport:
        return await gpu_report(self.client, self.namespace)

    async def nodes(self) -> NodeReport:
        return await node_report(self.client, self.namespace)

    async def names(self, kind: str) -> list[str]:
        claims = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims"
        path = {"jobs": self._jobs, "claims": claims, "namespaces": "/api/v1/namespaces"}[kind]
        try:
            found = await self.client.get(path, accept=METADATA_LIST)
        except errors.Forbidden:
            return [self.namespace] if kind == "namespaces" else []
        return sorted(item["metadata"]["name"] for item in found["items"])

    async def close(self) -> None:
        for following in self._following.values():
            following.stop()
        await self.client.close()


def _podless(job: Mapping[str, Any]) -> bool:
    """It should have a pod, and nothing says yet that it is over."""
    return not job["spec"].get("suspend") and not job.get("status", {}).get("conditions")
