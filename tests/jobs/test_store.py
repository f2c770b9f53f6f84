"""The store behind a URL, on an S3-compatible server: whole or not at all, and cleared without a trace."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from kube_magics import errors
from kube_magics.artifacts import fetch
from kube_magics.artifacts.pieces import Digest, StoreError
from kube_magics.artifacts.store import Remote, at, protocol, requirements
from kube_magics.backends.local import LocalBackend
from kube_magics.cells.capture import capture
from kube_magics.cells.notebook import Notebook
from kube_magics.cells.values.data import Data
from kube_magics.jobs import attach as attaching
from kube_magics.jobs import records
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.origin import Origin
from kube_magics.jobs.store import Store
from kube_magics.manifests.bundle import members
from kube_magics.spec.job import JobSpec
from kube_magics.spec.parse import parse
from tests.acceptance.desk import eventually
from tests.jobs.local import backend_in, prepared
from tests.s3 import BUCKET, Server, server

pytestmark = pytest.mark.jobs

ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def s3() -> Iterator[Server]:
    with server() as found:
        yield found


@pytest.fixture
def store(s3: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    found = Store.of(s3.url, "job", ID)
    yield found
    assert found.clear() is None
    assert kept() == []


def kept() -> list[str]:
    found: list[str] = fsspec.filesystem("s3", use_listings_cache=False).find(BUCKET)
    return found


def test_there_and_back(store: Store) -> None:
    data = Data((b"x" * 1000, b"y" * 20_000_000))
    store.send(data)
    assert kept() == [f"{BUCKET}/jobs/job-{ID}/data.pkl", f"{BUCKET}/jobs/job-{ID}/job"]
    place = at(store.url, store.folder)
    assert b"".join(place.read("data.pkl")) == data.joined()
    place.check()
    place.put("out-0", [b"result"])
    digest = Digest()
    digest.update(b"result")
    entry = {"at": "out-0", "bytes": 6, "sha256": digest.hexdigest()}
    assert b"".join(store.read("model", entry)) == b"result"
    for wrong in ({"sha256": "0" * 64}, {"bytes": 7}, {"at": "out-1"}, {"at": "../../secret"}):
        with pytest.raises(errors.ResultError, match="model could not be fetched"):
            list(store.read("model", {**entry, **wrong}))


@pytest.mark.parametrize("retries", [0, 1])
def test_values_stay_where_another_attempt_will_read_them(tmp_path: Path, retries: int) -> None:
    (tmp_path / "store").mkdir()
    asked = ("--artifacts", str(tmp_path / "store"), "--retries", str(retries))
    bundle = prepared(backend_in(tmp_path), "1", *asked).submission.bundle
    told = json.loads(members(bundle)["spec.json"])["artifacts"]
    store, data = Store(told["url"], told["folder"]), Data((b"values",))
    store.send(data)
    there = tmp_path / "store" / store.folder / "data.pkl"
    for _ in range(1 + retries):
        fetch.fetch({**told, "data": store.fields(data, writes=False)["data"]}, str(tmp_path))
        assert (tmp_path / "data.pkl").read_bytes() == b"values"
    assert there.exists() == bool(retries)


@pytest.mark.parametrize("size", [100, 80_000_000], ids=["in one request", "in parts"])
def test_an_interrupted_upload_leaves_nothing(store: Store, size: int) -> None:
    class Interrupted(Data):
        def chunks(self) -> Iterator[bytes]:
            yield b"x" * size
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.send(Interrupted(()))
    assert kept() == []


def test_what_cannot_be_written_to(s3: Server, store: Store) -> None:
    with pytest.raises(errors.SubmitError, match="cannot be written to from here") as caught:
        Store.of("s3://no-such-bucket/jobs", "job", ID).send(None)
    assert "no-such-bucket" in (caught.value.said or "")


def test_without_the_protocols_package() -> None:
    with pytest.raises(errors.SubmitError) as caught:
        Store.of("gs://bucket/folder", "job", ID).send(None)
    assert caught.value.hint == "%pip install gcsfs"
    with pytest.raises(errors.SubmitError, match="could not be read from gs://bucket/folder/job") as caught:
        Store.of("/nowhere", "job", ID).send_again(Store.of("gs://bucket/folder", "job", ID), {"bytes": 1, "parts": []})
    assert caught.value.hint == "%pip install gcsfs"


def test_a_job_is_believed_only_its_own_folder() -> None:
    mine = Store.of("s3://bucket/jobs", "job", "0123-4567")
    assert Store.parse(str(mine), "job", "0123-4567") == mine
    for text, name, submission in [
        (str(mine), "other", "0123-4567"),
        (str(mine), "job", "0123-4568"),
        (str(mine), "job", None),
        ("/home/user", "job", "0123-4567"),
        ("sftp://elsewhere/job-01234567", "job", "0123-4567"),
        ("", "job", "0123-4567"),
    ]:
        assert Store.parse(text, name, submission) is None


def test_what_a_url_needs() -> None:
    assert [requirements(url) for url in ("/data", "file:///data", "s3://b/x", "https://x/y")] == [
        [],
        [],
        ["fsspec", "s3fs"],
        ["fsspec"],
    ]
    assert protocol("gs://x") == "gs"


def test_other_errors_of_a_protocol_are_told(store: Store) -> None:
    place: Any = at(store.url, store.folder)
    assert isinstance(place, Remote)
    with pytest.raises(StoreError, match=f"{store}/out-9: "):
        list(place.read("out-9"))
    place.clear()


class _Interrupted(Data):
    def chunks(self) -> Iterator[bytes]:
        yield b"x"
        raise KeyboardInterrupt


def test_an_interrupted_submit_takes_back_what_it_has_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").mkdir()
    spec = JobSpec.of(parse(["--artifacts", str(tmp_path / "store"), "--name", "job"]))
    backend = LocalBackend("a test", tmp_path / "jobs")
    captured = capture("%%kubetrain\n1", Notebook({}))
    ready = submitting.prepare(spec, backend, captured, stem="cell", notebook=None)
    origin = Origin({}, captured.definitions(None), ())
    with pytest.raises(errors.SubmitError, match="nothing is left of it"):
        submitting.submit(replace(ready, parcel=_Interrupted(())), origin)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list((tmp_path / "store").iterdir()) == []


def test_what_another_notebook_has_taken_away_is_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two wait for one job: whoever is first has its values, and clears the store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path / "state"))
    place = tmp_path / "store"
    place.mkdir()
    backend = backend_in(tmp_path)
    ready = prepared(backend, "big = b'1' * 2_000_000", "--returns", "big", "--artifacts", str(place))
    origin = Origin({}, capture("%%kubetrain\n1", Notebook({})).definitions(None), ("big",))
    first = submitting.submit(ready, origin)
    second = attaching.attach(backend, "job", {})
    assert first.wait(60) == second.wait(60) == "succeeded"
    assert len(first.values()["big"]) == 2_000_000
    assert records.opened() == []
    eventually(lambda: not list(place.iterdir()), "an empty store")
    with pytest.raises(errors.ResultMissing, match="it is not there any more") as caught:
        second.result()
    assert "another notebook" in (caught.value.hint or "")
    first.delete()


def test_whoever_still_reads_is_not_robbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second has begun when the first has all of it, and clears the store in the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path / "state"))
    place = tmp_path / "store"
    place.mkdir()
    backend = backend_in(tmp_path)
    cell = """
class Slow:
    def __reduce__(self):
        wait = "[open('begun', 'w').close(), *iter(lambda: __import__('os').path.exists('go on'), True)] and 1"
        return eval, (wait,)
slow, big = Slow(), b'1' * 2_000_000
"""
    ready = prepared(backend, cell, "--returns", "slow,big", "--artifacts", str(place))
    origin = Origin({}, capture("%%kubetrain\n1", Notebook({})).definitions(None), ("big",))
    first = submitting.submit(ready, origin)
    second = attaching.attach(backend, "job", {})
    assert first.wait(60) == second.wait(60) == "succeeded"
    with ThreadPoolExecutor() as pool:
        reads = pool.submit(second.values)
        eventually((tmp_path / "begun").exists, "its reading")
        assert len(first.values()["big"]) == 2_000_000
        eventually(
            lambda: not [each for each in threading.enumerate() if each.name == "kube_magics clears"], "no clearing"
        )
        (tmp_path / "go on").touch()
        assert {name: str(value)[:3] for name, value in reads.result(60).items()} == {"slow": "1", "big": "b'1"}
    assert second.failure() is None
    eventually(lambda: not list(place.iterdir()), "an empty store")
    first.delete()


def test_what_could_not_be_brought_counts_as_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the way here is no reason to compute it anew: the same cell takes the job up again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path / "state"))
    place = tmp_path / "volume"
    place.mkdir()
    backend = backend_in(tmp_path)
    ready = prepared(backend, "big = b'1' * 2_000_000", "--returns", "big", "--artifacts", str(place))
    origin = Origin({}, capture("%%kubetrain\n1", Notebook({})).definitions(None), ("big",))
    job = submitting.submit(ready, origin)
    assert job.wait(60) == "succeeded"
    place.rename(tmp_path / "unmounted")
    with pytest.raises(errors.ResultError, match="big could not be fetched") as caught:
        job.result()
    assert "is the volume mounted here" in (caught.value.said or "")
    assert [record.name for record in records.opened()] == ["job"]
    (tmp_path / "unmounted").rename(place)
    again = attaching.attach(backend, "job", {})
    assert len(again.result(60)["big"]) == 2_000_000
    assert records.opened() == []
    eventually(lambda: not list(place.iterdir()), "an empty store")
    again.delete()
