"""A job and the parts of its bundle created at servers that answer 409 for what nobody has made: a quota does."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.backends import creating
from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.spec.job import JobSpec, Submission
from tests.api.servers import api

LARGE = Submission(JobSpec(), "large", "id-1", random.Random(1).randbytes(2_500_000), "0" * 64, cell_digest="")
QUOTA = 'Operation cannot be fulfilled on resourcequotas "team": the object has been modified'


class Cluster:
    """Creates and keeps; its quota is in the way of the first `conflicts` of each kind, or an answer is lost."""

    def __init__(self, conflicts: int = 0, *, kept: bool = False) -> None:
        self.posted = Counter[str]()
        self.made: dict[str, dict[str, object]] = {}
        self.most = 0
        """ConfigMaps under way at one time."""
        self._conflicts = conflicts
        self._kept = kept
        self._under_way = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        kind = request.path.rpartition("/")[2]
        if request.method == "POST":
            return await self._post(kind, await request.json())
        if kind == "apis":
            return web.json_response({"groups": []})
        if "watch" in request.query:
            await asyncio.sleep(3600)
        if kind in ("jobs", "pods"):
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        if kind in self.made:
            return web.json_response(self.made[kind])
        return web.json_response({"kind": "Status", "code": 404}, status=404)

    async def _post(self, kind: str, body: dict[str, object]) -> web.StreamResponse:
        self._under_way += kind == "configmaps"
        self.most = max(self.most, self._under_way)
        await asyncio.sleep(0.02)
        self._under_way -= kind == "configmaps"
        meta = dict(body["metadata"], uid="uid-1")  # type: ignore[call-overload]
        name = str(meta["name"])
        self.posted[kind] += 1
        refused = self.posted[kind] <= self._conflicts
        if not refused or self._kept:
            self.made[name] = {**body, "metadata": meta}
        if refused:
            status = {"kind": "Status", "code": 409, "reason": "Conflict", "message": QUOTA}
            return web.json_response(status, status=409)
        return web.json_response(self.made[name], status=201)


def submitted(cluster: Cluster) -> None:
    async def submit() -> None:
        async with api(cluster.answer) as client:
            backend = KubernetesBackend(client.access)
            try:
                assert await backend.submit(LARGE) == "uid-1"
            finally:
                await backend.close()

    asyncio.run(submit())


def test_the_parts_are_sent_one_after_the_other() -> None:
    """Side by side they would share a slow link, and all be late."""
    cluster = Cluster()
    submitted(cluster)
    assert cluster.posted == {"jobs": 1, "configmaps": 3}
    assert cluster.most == 1


def test_a_conflict_over_a_quota_is_no_sign_that_it_is_there() -> None:
    cluster = Cluster(conflicts=2)
    submitted(cluster)
    assert cluster.posted == {"jobs": 3, "configmaps": 5}
    assert len(cluster.made) == 4


def test_what_is_there_already_is_not_sent_again() -> None:
    cluster = Cluster(conflicts=1, kept=True)
    submitted(cluster)
    assert cluster.posted == {"jobs": 1, "configmaps": 3}


def test_a_conflict_that_stays_is_said_in_the_servers_words() -> None:
    async def create() -> None:
        async with api(Cluster(conflicts=10**6).answer) as client:
            await creating.create_map(client, "team", {"metadata": {"name": "part"}}, patience_s=0.3)

    with pytest.raises(errors.Conflict) as raised:
        asyncio.run(create())
    assert raised.value.said == QUOTA
