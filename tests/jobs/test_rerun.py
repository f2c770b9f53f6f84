"""A job submitted once more at a real HTTP server that keeps objects: what is made there, and what is noted here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.jobs import loop, records
from kube_magics.jobs.rerun import rerun
from kube_magics.manifests import bundle
from kube_magics.spec.job import JobSpec, Submission
from tests.api.servers import api
from tests.browser.jobsof import ended
from tests.jobs.local import backend_in

FIRST = Submission(
    JobSpec(), "digits", "first-id", random.Random(1).randbytes(1_000_000), "0" * 64, cell_digest="", notebook="a.ipynb"
)


class Kept:
    """A namespace: what is created is kept under its path, with a uid of its own."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.refuses: dict[str, int] = {}
        """HTTP codes for what is created of a kind, by `jobs` or `configmaps`."""
        self._made = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        kind = request.path.rpartition("/")[2]
        if request.method == "POST":
            if code := self.refuses.get(kind):
                return web.json_response({"kind": "Status", "code": code, "message": "not here"}, status=code)
            body = await request.json()
            self._made += 1
            meta = {**body["metadata"], "uid": f"u{self._made}"}
            self.objects[f"{request.path}/{meta['name']}"] = {**body, "metadata": meta}
            return web.json_response(self.objects[f"{request.path}/{meta['name']}"], status=201)
        if request.method == "DELETE":
            del self.objects[request.path]
            return web.json_response({})
        if "watch" in request.query:
            await asyncio.sleep(3600)
        if kind == "apis":
            return web.json_response({"groups": []})
        if kind in ("jobs", "pods", "events"):
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        found = self.objects.get(request.path)
        return web.json_response(found or {"kind": "Status", "code": 404}, status=200 if found else 404)

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """By name."""
        return {path.rpartition("/")[2]: each for path, each in self.objects.items() if f"/{kind}/" in path}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path))


def told(kept: Kept, work: Callable[[KubernetesBackend], Any], first: Submission = FIRST) -> Any:
    """What `work` gives of a cluster that has the job `first`."""

    async def run() -> Any:
        async with api(kept.answer) as client:
            backend = KubernetesBackend(client.access)
            try:
                await asyncio.to_thread(loop.wait, backend.submit(first))
                return await asyncio.to_thread(work, backend)
            finally:
                await asyncio.to_thread(loop.wait, backend.close())

    return asyncio.run(run())


def test_all_of_it_is_made_under_a_fresh_name() -> None:
    kept = Kept()
    fresh = told(kept, lambda backend: rerun(backend, "digits"))
    assert fresh.startswith("digits-")
    job, first = kept.of("jobs")[fresh], kept.of("jobs")["digits"]
    assert job["metadata"]["labels"]["kube-magics.dev/job"] == fresh
    assert "kube-magics.dev/kernel" not in job["metadata"]["labels"]
    assert job["metadata"]["annotations"]["kube-magics.dev/submission"] != "first-id"
    maps = kept.of("configmaps")
    carriers = [maps[name] for name in bundle.map_names(job)]
    assert b"".join(map(bundle.part, carriers)) == FIRST.bundle
    assert {each["metadata"]["ownerReferences"][0]["uid"] for each in carriers} == {job["metadata"]["uid"]}
    assert not set(bundle.map_names(job)) & set(bundle.map_names(first))
    assert len(maps) == 2 * len(carriers) == 4
    assert records.opened() == [], "the first is nobody's here: what this one sends back is not loaded unasked"


def test_of_an_own_job_it_is_ones_own() -> None:
    kept = Kept()

    def work(backend: KubernetesBackend) -> tuple[str, bool]:
        records.arrived(records.begin(FIRST, backend), kept.of("jobs")["digits"]["metadata"]["uid"])
        fresh = rerun(backend, "digits")
        return fresh, records.is_own(loop.wait(backend.poll(fresh)))

    fresh, own = told(kept, work)
    assert own
    record = next(each for each in records.opened("a.ipynb") if each.name == fresh)
    assert (record.key, record.arrived) == ("", True), "no run of its cell takes it up"


@pytest.mark.parametrize("kind", ["jobs", "configmaps"])
def test_what_is_refused_leaves_nothing(kind: str) -> None:
    kept = Kept()

    def work(backend: KubernetesBackend) -> None:
        records.arrived(records.begin(FIRST, backend), kept.of("jobs")["digits"]["metadata"]["uid"])
        before = set(kept.objects)
        kept.refuses[kind] = 403
        with pytest.raises(errors.Forbidden) as raised:
            rerun(backend, "digits")
        assert raised.value.said == "not here"
        assert set(kept.objects) == before
        assert [each.name for each in records.opened()] == ["digits"]

    told(kept, work)


def test_what_has_a_place_in_a_store_is_not_mixed_with_another_jobs() -> None:
    stored = replace(FIRST, artifacts="s3://bucket/digits-firstid")

    def work(backend: KubernetesBackend) -> None:
        with pytest.raises(errors.OptionError, match="its values have their place in a store"):
            rerun(backend, "digits")

    told(Kept(), work, stored)


def test_a_site_that_allows_less_by_now_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_MAGICS_MAX_GPUS", "1")
    kept = Kept()

    def work(backend: KubernetesBackend) -> None:
        with pytest.raises(errors.NotAllowed, match="job digits"):
            rerun(backend, "digits")

    told(kept, work, replace(FIRST, spec=JobSpec(gpus=2)))
    assert set(kept.of("jobs")) == {"digits"}


def test_a_process_of_this_machine_is_not_begun_anew(tmp_path: Path) -> None:
    ended(tmp_path, "job")
    with pytest.raises(errors.OptionError, match="it is a process of this machine"):
        rerun(backend_in(tmp_path), "job")
