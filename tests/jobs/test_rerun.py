"""A job submitted once more at a real HTTP server that keeps objects: what is made there, and what is noted here."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import random
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kube_magics import errors
from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.cells.values.data import Data
from kube_magics.jobs import loop, records
from kube_magics.jobs.rerun import rerun
from kube_magics.jobs.store import Store
from kube_magics.manifests import bundle
from kube_magics.manifests.again import bundle_of
from kube_magics.spec.job import JobSpec, Submission
from tests.api.servers import api
from tests.jobs.local import interruptible

FIRST = Submission(
    JobSpec(), "digits", "first-id", random.Random(1).randbytes(1_000_000), "0" * 64, cell_digest="", notebook="a.ipynb"
)


class Kept:
    """A namespace: what is created is kept under its path, with a uid of its own."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.refuses: dict[str, int] = {}
        """HTTP codes for what is created of a kind, by `jobs` or `configmaps`."""
        self.interrupts = False
        """While it makes the next Job; after that nobody may do anything here."""
        self._closed = False
        self._made = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        kind = request.path.rpartition("/")[2]
        if self._closed:
            return web.json_response({"kind": "Status", "code": 403, "message": "no more"}, status=403)
        if request.method == "POST":
            if code := self.refuses.get(kind):
                return web.json_response({"kind": "Status", "code": code, "message": "not here"}, status=code)
            body = await request.json()
            self._made += 1
            meta = {**body["metadata"], "uid": f"u{self._made}"}
            self.objects[f"{request.path}/{meta['name']}"] = {**body, "metadata": meta}
            if self.interrupts:
                self._closed = True
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.1)
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
def state(tmp_path: Path) -> Iterator[None]:
    with interruptible(tmp_path):
        yield


def told(kept: Kept, work: Callable[[KubernetesBackend], Any], first: Submission = FIRST) -> Any:
    """What `work` gives, in this thread, of a cluster that has the job `first`."""
    near = AsyncExitStack()
    backend = KubernetesBackend(loop.wait(near.enter_async_context(api(kept.answer))).access)
    try:
        loop.wait(backend.submit(first))
        return work(backend)
    finally:
        loop.wait(backend.close())
        loop.wait(near.aclose())


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


def bundle_with(store: Store, data: Data | None) -> bytes:
    """As much of one as a cluster sees, large enough for ConfigMaps."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("spec.json", json.dumps({"v": 1, "artifacts": store.fields(data, writes=True)}))
        archive.writestr("program.json", "{}")
        archive.writestr("noise", random.Random(1).randbytes(1_000_000))
    return out.getvalue()


def stored(folder: Path, data: Data | None) -> tuple[Submission, Store]:
    """A job with a place in a store, where it has been sent `data`."""
    folder.mkdir(exist_ok=True)
    store = Store.of(str(folder), "digits", "first-id")
    store.send(data)
    bundle = bundle_with(store, data)
    digest = hashlib.sha256(bundle).hexdigest()
    return replace(FIRST, bundle=bundle, bundle_sha256=digest, artifacts=str(store)), store


def test_a_job_with_a_store_has_a_place_of_its_own_there_with_the_same_values(tmp_path: Path) -> None:
    kept, data = Kept(), Data((b"x" * 1000, b"y" * 20_000_000))
    first, store = stored(tmp_path / "store", data)

    def work(backend: KubernetesBackend) -> tuple[str, str | None]:
        records.arrived(records.begin(first, backend), kept.of("jobs")["digits"]["metadata"]["uid"])
        fresh = rerun(backend, "digits")
        return fresh, records.find(loop.wait(backend.poll(fresh)).submission_id or "").artifacts

    fresh, noted = told(kept, work, first)
    job = kept.of("jobs")[fresh]
    there = Store.parse(noted or "", fresh, job["metadata"]["annotations"]["kube-magics.dev/submission"])
    assert there is not None, "it is this job's own"
    assert job["metadata"]["annotations"]["kube-magics.dev/artifacts"] == noted
    maps = kept.of("configmaps")
    again = bundle_of([job, *(maps[name] for name in bundle.map_names(job))])
    assert json.loads(bundle.members(again)["spec.json"])["artifacts"] == there.fields(data, writes=True)
    for each in (store, there):
        assert (tmp_path / "store" / each.folder / "data.pkl").read_bytes() == data.joined()


@pytest.mark.parametrize("case", ["taken", "spoiled", "cut", "away", "refused", "a stranger's"])
def test_of_a_job_with_a_store_all_is_made_or_nothing(tmp_path: Path, case: str) -> None:
    kept = Kept()
    first, store = stored(tmp_path / "store", Data((b"x" * 10_000_000,)))
    values = tmp_path / "store" / store.folder / "data.pkl"
    unread = errors.SubmitError, f"The values that it would read could not be read from {store}"
    expected = {
        "taken": (errors.NotFound, "The values that it would read are no longer in"),
        **dict.fromkeys(["spoiled", "cut", "away"], unread),
        "refused": (errors.Forbidden, "not here"),
        "a stranger's": (errors.OptionError, "it was not submitted from here"),
    }[case]

    def work(backend: KubernetesBackend) -> None:
        if case != "a stranger's":
            records.arrived(records.begin(first, backend), kept.of("jobs")["digits"]["metadata"]["uid"])
        if case == "taken":
            values.unlink()
        if case == "spoiled":
            values.write_bytes(b"y" + values.read_bytes()[1:])
        if case == "cut":
            values.write_bytes(values.read_bytes()[:-1])
        if case == "away":
            values.rename(tmp_path / "values")
            values.mkdir()
        if case == "refused":
            kept.refuses["jobs"] = 403
        before = set(kept.objects), set((tmp_path / "store").iterdir()), records.files().keys()
        with pytest.raises(expected[0], match=expected[1]):
            rerun(backend, "digits")
        assert before == (set(kept.objects), set((tmp_path / "store").iterdir()), records.files().keys())

    told(kept, work, first)


def test_an_interrupt_leaves_what_it_needs_where_the_cluster_does_not_say(tmp_path: Path) -> None:
    kept = Kept()
    first, _ = stored(tmp_path / "store", Data((b"x",)))

    def work(backend: KubernetesBackend) -> None:
        records.arrived(records.begin(first, backend), kept.of("jobs")["digits"]["metadata"]["uid"])
        kept.interrupts = True
        with pytest.raises(errors.SubmitError, match="does not say whether anything is left of it") as raised:
            rerun(backend, "digits")
        (fresh,) = set(kept.of("jobs")) - {"digits"}
        assert f"%kube delete {fresh}, if it is there" in (raised.value.hint or "")
        record = next(each for each in records.opened("a.ipynb") if each.name == fresh)
        assert not record.arrived
        assert not records.in_work(record)
        assert (Path(record.artifacts or "") / "data.pkl").read_bytes() == b"x"

    told(kept, work, first)


def test_a_site_that_allows_less_by_now_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_MAGICS_MAX_GPUS", "1")
    kept = Kept()

    def work(backend: KubernetesBackend) -> None:
        with pytest.raises(errors.NotAllowed, match="job digits"):
            rerun(backend, "digits")

    told(kept, work, replace(FIRST, spec=JobSpec(gpus=2)))
    assert set(kept.of("jobs")) == {"digits"}
