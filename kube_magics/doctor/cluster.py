"""The cluster, asked: first whether it answers, then everything else at the same time."""

from __future__ import annotations

import asyncio
import os
import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from kube_magics import errors
from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.cluster import auth
from kube_magics.cluster import login as logins
from kube_magics.cluster.auth import Access, Source
from kube_magics.cluster.client import Client
from kube_magics.cluster.exchange import Answer
from kube_magics.cluster.permissions import BEYOND, ROLE, Permission
from kube_magics.cluster.refusals import refusal
from kube_magics.doctor import pull, sample, site
from kube_magics.doctor.bounds import Patience, in_order, in_thread, within
from kube_magics.doctor.judging import admission, devices, extensions, reach, rights, room, versions
from kube_magics.doctor.line import BROKEN, DEGRADED, Line, degraded, of_error
from kube_magics.doctor.surroundings import version_of
from kube_magics.jobs import defaults
from kube_magics.spec.job import JobSpec, image_of
from kube_magics.telemetry.objects import part, rows, text

LOCAL = ("localhost", "127.0.0.1", "::1")
VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
IN_THE_WAY = ("address", "connection", "credentials")
AT_ONCE = 6
"""Reviews of rights: each more would open a connection of its own."""
ASK_FOR = {
    "quota": "ask your administrator for `list resourcequotas`",
    "limits": "ask your administrator for `list limitranges`",
}
NOT_ASKED = "Permissions, quota, GPUs, Pod Security and extensions were not asked for."


async def lines(
    source: Source, spec: JobSpec, patience: Patience, *, pulls: bool, admin: bool = False
) -> AsyncIterator[Line]:
    """Everything about the cluster that `source` names, in a fixed order, as it is found out."""
    found: list[Access] = []
    for line in await patience.lines("kubeconfig", _open(source, spec, found)):
        yield line
    if not found:
        yield _not_asked()
        return
    backend = KubernetesBackend(found[0])
    try:
        reached = await _reach(backend.client, patience)
        for line in reached:
            yield line
        if any(line.state == BROKEN and line.check in IN_THE_WAY for line in reached):
            yield _not_asked()
            return
        async for line in _asked(backend, spec, patience):
            yield line
        if admin:
            for line in await patience.lines("site", site.lines(backend.client), DEGRADED):
                yield line
        if pulls:
            for line in await within(pull.PULL_S + 30, "image", pull.lines(backend, spec)):
                yield line
    finally:
        await backend.close()


def _not_asked() -> Line:
    return degraded("the rest", NOT_ASKED, "%kube doctor   (again, when the above is mended)")


async def _open(source: Source, spec: JobSpec, found: list[Access]) -> Sequence[Line]:
    access = await in_thread(lambda: auth.load(source, spec.context, spec.namespace))
    login = await in_thread(lambda: logins.of(access))
    found.append(access)
    return [
        reach.kubeconfig(source.where, access.context, access.namespace, auth.bare(access.server)),
        reach.credentials(login, time.time()),
        _proxy(access),
    ]


def _proxy(access: Access) -> Line:
    variables = [name for name in VARIABLES if os.environ.get(name)]
    url = access.proxy
    shown = None if url is None else auth.bare(url)
    return reach.proxy(shown, variables, from_kubeconfig=url not in urllib.request.getproxies().values())


async def _reach(client: Client, patience: Patience) -> list[Line]:
    access = client.access
    host = urlsplit(access.proxy or access.server).hostname or ""
    found = await patience.lines("address", _known(host, is_proxy=access.proxy is not None))
    return found or await patience.lines("connection", _answers(client))


async def _known(host: str, *, is_proxy: bool) -> Sequence[Line]:
    try:
        await in_thread(lambda: socket.getaddrinfo(host, None))
    except OSError as error:
        return [reach.unknown_host(host, str(error.strerror or error), is_proxy=is_proxy)]
    return []


async def _answers(client: Client) -> Sequence[Line]:
    """Asked twice: the first answer has paid for the connection and the log-in."""
    access = client.access
    await client.exchange("GET", "/version")
    answer = await client.exchange("GET", "/version")
    if answer.status < 400 and not text(answer.json(), "gitVersion"):
        return [reach.no_api(access.server, answer.text[:200])]
    if answer.status >= 500:
        return [of_error("connection", _refusal(answer))]
    target = urlsplit(access.server)
    lines = [
        reach.connection(
            answer.took_s,
            encrypted=target.scheme == "https",
            checked=bool(access.configuration.verify_ssl),
            local=target.hostname in LOCAL,
        ),
        reach.clock(answer.ahead_s),
    ]
    who = reach.accepted(answer.status, await _user(client) if answer.status != 401 else None)
    lines += [who] if who else []
    if answer.status != 401:
        lines += [versions.server(answer.json()), versions.client(version_of("kubernetes"))]
    return lines


async def _user(client: Client) -> str | None:
    """As the cluster calls them; None: it is older than this question."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await client.exchange("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
    return text(answer.json(), "status", "userInfo", "username") or None


async def _asked(backend: KubernetesBackend, spec: JobSpec, patience: Patience) -> AsyncIterator[Line]:
    """In a fixed order, however long each takes."""
    job = asyncio.ensure_future(_job(backend, spec))
    job.add_done_callback(lambda done: done.cancelled() or done.exception())
    checks = [
        ("permissions", _rights(backend.client, backend.namespace), DEGRADED),
        ("namespace", _admission(backend, spec, job), BROKEN),
        ("quota", _room(backend, job), DEGRADED),
        ("GPUs", _devices(backend.client), DEGRADED),
        ("extensions", _extensions(backend.client, spec), DEGRADED),
        ("defaults", _defaults(backend, spec), BROKEN),
    ]
    try:
        async for line in in_order(patience.lines(name, work, state) for name, work, state in checks):
            yield line
    finally:
        job.cancel()


async def _job(backend: KubernetesBackend, spec: JobSpec) -> dict[str, Any]:
    await backend.connect()
    return backend.manifests(sample.submission(spec))[0]


async def _rights(client: Client, namespace: str) -> list[Line]:
    asked, gate = (*ROLE, *BEYOND), asyncio.Semaphore(AT_ONCE)

    async def may(permission: Permission) -> bool | None:
        async with gate:
            return await _may(client, permission, namespace)

    answers = await asyncio.gather(*map(may, asked))
    return rights.rights(dict(zip(asked, answers, strict=True)), namespace)


async def _may(client: Client, permission: Permission, namespace: str) -> bool | None:
    """None: the cluster does not say."""
    where = {} if permission.everywhere else {"namespace": namespace}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {**permission.attributes, **where}},
    }
    try:
        found = await client.post(REVIEWS, body)
    except errors.ClusterError:
        return None
    return bool(part(found, "status").get("allowed"))


async def _admission(backend: KubernetesBackend, spec: JobSpec, wanted: asyncio.Future[dict[str, Any]]) -> list[Line]:
    """The namespace, and what a job would meet there."""
    client, job = backend.client, await asyncio.shield(wanted)
    path = f"/apis/batch/v1/namespaces/{backend.namespace}/jobs"
    tried, labels = await asyncio.gather(
        client.exchange("POST", path, job, {"dryRun": "All", "fieldValidation": "Strict"}), _labels(backend)
    )
    error = _refusal(tried) if tried.status >= 400 else None
    lines = [admission.job(error, image_of(spec), sample.in_words(job))]
    if error is None:
        lines.append(admission.pod_security(labels, tried.said))
    return lines + reach.warnings(admission.others(tried.said))


def _refusal(answer: Answer) -> errors.ClusterError:
    found = answer.json()
    return refusal(answer.status, text(found, "message") or answer.text[:500], found)


async def _labels(backend: KubernetesBackend) -> Mapping[str, str] | None:
    try:
        found = await backend.client.get(f"/api/v1/namespaces/{backend.namespace}")
    except errors.Forbidden:
        return None
    except errors.NotFound:
        return {}  # the dry run says so
    return part(found, "metadata", "labels")


async def _room(backend: KubernetesBackend, wanted: asyncio.Future[dict[str, Any]]) -> list[Line]:
    job = await asyncio.shield(wanted)
    quotas, limits = await asyncio.gather(_listed(backend, "resourcequotas"), _listed(backend, "limitranges"))
    lines = []
    for name, found in (("quota", quotas), ("limits", limits)):
        if found is None:
            lines.append(degraded(name, "Not known: you may not list them.", ASK_FOR[name]))
    lines += room.quotas(quotas, job, limits or ()) if quotas is not None else []
    return lines + (room.limits(limits, job) if limits is not None else [])


async def _listed(backend: KubernetesBackend, resource: str) -> list[Mapping[str, Any]] | None:
    """None: the user may not."""
    try:
        return rows(await backend.client.get(f"/api/v1/namespaces/{backend.namespace}/{resource}"), "items")
    except errors.Forbidden:
        return None


async def _devices(client: Client) -> list[Line]:
    try:
        found = await client.get("/api/v1/nodes")
    except errors.Forbidden:
        return [devices.hidden()]
    return devices.nodes(rows(found, "items"))


async def _extensions(client: Client, spec: JobSpec) -> list[Line]:
    groups = rows(await client.get("/apis"), "groups")
    named = {text(group, "name"): text(group, "preferredVersion", "version") for group in groups}
    return extensions.found(named, spec.queue)


async def _defaults(backend: KubernetesBackend, spec: JobSpec) -> list[Line]:
    """What a job of the user's defaults needs besides: the site's leave, claims, Secrets."""
    defaults.allow(spec)
    await backend.preflight(spec)
    return []
