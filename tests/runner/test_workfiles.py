"""The working folder at the end: files that come back, files that are lost, and the store that carries what is large."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from kube_magics.artifacts.pieces import PIECE_BYTES, Damaged, Digest, StoreError, checked
from kube_magics.artifacts.store import Folder, at
from kube_magics.runner.protocol import RESULT_LIMIT_BYTES
from kube_magics.runner.workfiles import matches
from tests.runner import bundles
from tests.runner.bundles import Log, run

FETCH = {"module": "kube_magics_artifacts.fetch", "stage": "fetching", "reason": "fetch"}
COLLECT = {"module": "kube_magics_artifacts.collect", "stage": "collecting", "reason": "collect", "always": True}
WRITES = (
    "import os\nos.makedirs('checkpoints/deep', exist_ok=True)\nos.makedirs('__pycache__')\n"
    "for path, size in {'checkpoints/a.pt': 10, 'checkpoints/deep/b.pt': 20, 'model.pt': 30, '__pycache__/x': 1}.items():\n"
    "    open(path, 'wb').write(b'x' * size)\n"
)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.pt", "model.pt", True),
        ("*.pt", "sub/model.pt", False),
        ("**/*.pt", "sub/deep/model.pt", True),
        ("**/*.pt", "model.pt", True),
        ("sub", "sub/deep/model.pt", True),
        ("sub/", "sub/a", True),
        ("sub", "submarine", False),
        ("sub/*", "sub/deep/model.pt", True),
        ("*", ".hidden", False),
        (".hid*", ".hidden", True),
        ("./a?.txt", "a1.txt", True),
        ("**", "a/b", True),
        ("a/**/z", "a/z", True),
        ("A.txt", "a.txt", False),
    ],
)
def test_globs(pattern: str, path: str, expected: bool) -> None:
    assert matches(path, pattern) is expected


def the_files(log: Log) -> dict[str, Any]:
    (event,) = log.all("files")
    return event


def test_what_was_written_and_stays_behind_is_told(tmp_path: Path) -> None:
    event = the_files(run(tmp_path, WRITES, replaced={"work/given.csv": b"1"}))
    assert event["lost"] == [["model.pt", 30], ["checkpoints/deep/b.pt", 20], ["checkpoints/a.pt", 10]]
    assert (event["count"], event["bytes"]) == (3, 60)


def test_a_given_file_that_was_changed_is_told_too(tmp_path: Path) -> None:
    event = the_files(run(tmp_path, "open('given.csv', 'a').write('2')", replaced={"work/given.csv": b"1"}))
    assert event["lost"] == [["given.csv", 2]]


def test_given_files_stand_in_the_folder_of_the_users_choice(tmp_path: Path) -> None:
    there = tmp_path / "volume" / "run"
    (there / "deep").mkdir(parents=True)
    (there / "deep" / "old.txt").write_text("last week's")
    (there / "kept.txt").write_text("kept")
    given = {"work/deep/old.txt": b"new", "work/run.sh": b"echo"}
    source = "import os\nprint(os.getcwd(), open('deep/old.txt').read(), open('kept.txt').read())"
    log = run(tmp_path, source, workdir=str(there), placed=True, replaced=given)
    assert log.out.decode().split() == [str(there), "new", "kept"]
    assert sorted(path.name for path in there.rglob("*")) == ["deep", "kept.txt", "old.txt", "run.sh"]
    assert not log.all("files"), "what has travelled is not lost"


def test_given_files_that_cannot_stand_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "run" / "a.txt").mkdir(parents=True)
    log = run(tmp_path, "print(1)", workdir=str(tmp_path / "run"), placed=True, replaced={"work/a.txt": b"1"})
    assert (log.end["reason"], log.code, log.out) == ("start", 70, b"")
    assert f"cannot write {tmp_path}/run/a.txt, of --files: Is a directory" in log.error["message"]


def test_nothing_is_told_of_a_folder_that_is_not_the_jobs_own(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    log = run(tmp_path, WRITES, cwd=str(tmp_path / "mine"), returns_files=["*.pt"])
    assert not log.all("files")
    assert not log.all("result")


def test_small_files_come_back_through_the_log(tmp_path: Path) -> None:
    log = run(tmp_path, WRITES, returns_files=["checkpoints", "*.json"], replaced={"work/conf.json": b"{}"})
    assembled = [bundles.protocol.Assembler().add(event) for event in log.all("result")]
    assert dict(filter(None, assembled)) == {
        "@file:conf.json": b"{}",
        "@file:checkpoints/a.pt": b"x" * 10,
        "@file:checkpoints/deep/b.pt": b"x" * 20,
    }
    assert the_files(log)["lost"] == [["model.pt", 30]]


def test_what_the_log_does_not_carry_is_named(tmp_path: Path) -> None:
    body = f"open('big', 'wb').truncate({RESULT_LIMIT_BYTES + 1})\nopen('small', 'w').write('s')"
    log = run(tmp_path, body, returns_files=["*", "*.pt"])
    assert [event["name"] for event in log.all("result")] == ["@file:small"]
    event = the_files(log)
    assert event["too_large"] == {"big": RESULT_LIMIT_BYTES + 1}
    assert event["unmatched"] == ["*.pt"]
    assert event["lost"] == []
    assert log.end["reason"] == "completed"


def test_without_a_limit_files_stay_where_they_are(tmp_path: Path) -> None:
    log = run(tmp_path, WRITES, returns_files=["*.pt"], result_limit_bytes=None)
    (stored,) = log.all("stored")
    assert stored == {"e": "stored", "name": "@file:model.pt", "bytes": 30, "sha256": None, "at": None}


def store(tmp_path: Path, **more: Any) -> tuple[Folder, dict[str, Any]]:
    """A store that the notebook has begun, and what spec.json says of it."""
    (tmp_path / "store").mkdir()
    place = at(str(tmp_path / "store"), "job-1")
    place.begin()
    assert isinstance(place, Folder)
    told = {"url": str(tmp_path / "store"), "folder": "job-1", "data": None, "writes": True, **more}
    return place, {"artifacts": told, "before": [FETCH], "after": [COLLECT]}


def content(place: Folder, stored: dict[str, Any]) -> bytes:
    parts = [[0, stored["bytes"], stored["sha256"]]]
    return b"".join(checked(place.read(stored["at"]), parts))


def test_large_results_and_files_go_into_the_store(tmp_path: Path) -> None:
    place, spec = store(tmp_path)
    body = WRITES + "small = 1\nlarge = b'0' * 5_000_000"
    log = run(tmp_path, body, returns=["small", "large"], returns_files=["*.pt"], **spec)
    assert log.results() == {"small": 1}
    stored = {event["name"]: event for event in log.all("stored")}
    assert set(stored) == {"large", "@file:model.pt"}
    assert pickle.loads(content(place, stored["large"])) == b"0" * 5_000_000
    assert content(place, stored["@file:model.pt"]) == b"x" * 30
    assert (log.end["results"], log.end["missing"], log.end["too_large"]) == (["small", "large"], {}, {})
    assert [event["name"] for event in log.all("stage")] == ["fetching", "running", "collecting", "collecting"]
    place.clear()
    assert not (tmp_path / "store" / "job-1").exists()


def test_files_come_back_from_a_program_that_failed(tmp_path: Path) -> None:
    _, spec = store(tmp_path)
    log = run(tmp_path, WRITES + "1 / 0", returns_files=["*.pt"], **spec)
    assert [event["name"] for event in log.all("stored")] == ["@file:model.pt"]
    assert log.end["reason"] == "failed"


def data_of(source: bytes) -> dict[str, Any]:
    digest = Digest()
    digest.update(source)
    return {"bytes": len(source), "parts": [[0, len(source), digest.hexdigest()]]}


def test_captured_values_come_from_the_store(tmp_path: Path) -> None:
    source = pickle.dumps(b"1" * 6_000_000, 5)
    place, spec = store(tmp_path, data=data_of(source))
    place.put("data.pkl", [source])
    program = {"definitions": [{"do": "load", "name": "big"}]}
    log = run(tmp_path, "print(len(big))", of_program=program, replaced={"data.pkl": b""}, **spec)
    assert log.out == b"6000000\n"


@pytest.mark.parametrize("change", ["shorter", "other", "gone", "no folder"])
def test_a_store_that_fails_ends_the_job_before_its_program(tmp_path: Path, change: str) -> None:
    source = b"1" * 5_000_000
    place, spec = store(tmp_path, data=data_of(source))
    place.put("data.pkl", [source[:-1] if change == "shorter" else source[:-1] + b"2"])
    if change == "gone":
        place.remove("data.pkl")
    if change == "no folder":
        place.clear()
    log = run(tmp_path, "print('ran')", **spec)
    assert log.out == b""
    assert log.end["reason"] == "fetch"
    said = {"shorter": "ends too early", "other": "do not have the digest"}.get(change, "No such file")
    assert said in log.error["message"]
    assert str(place) in log.error["message"]


def test_a_store_that_cannot_be_written_to_is_found_out_at_once(tmp_path: Path) -> None:
    place, spec = store(tmp_path)
    place.clear()
    log = run(tmp_path, "print('ran')", **spec)
    assert (log.out, log.end["reason"]) == (b"", "fetch")
    assert "is the volume mounted here, at the same path?" in log.error["message"]


def test_a_store_that_fails_at_the_end_does_not_take_the_rest_with_it(tmp_path: Path) -> None:
    place, spec = store(tmp_path)
    body = (
        f"import shutil\nshutil.rmtree({str(place)!r})\nsmall, large = 1, b'0' * 2_000_000\nopen('f', 'w').write('x')"
    )
    log = run(tmp_path, body, returns=["small", "large"], returns_files=["f"], **spec)
    assert log.results() == {"small": 1}
    assert "No such file" in log.end["missing"]["large"]
    assert "No such file" in the_files(log)["failed"]["f"]
    assert log.end["reason"] == "completed"


def test_only_what_is_ours_is_cleared(tmp_path: Path) -> None:
    place, _ = store(tmp_path)
    place.put("out-3", [b"x"])
    (tmp_path / "store" / "job-1" / "mine.txt").write_text("precious")
    place.clear()
    assert [path.name for path in (tmp_path / "store" / "job-1").iterdir()] == ["mine.txt"]
    (tmp_path / "store" / "job-1" / "mine.txt").unlink()
    place.clear()
    place.clear()
    assert list((tmp_path / "store").iterdir()) == []


def test_a_file_arrives_whole_or_not_at_all(tmp_path: Path) -> None:
    place, _ = store(tmp_path)

    def breaks() -> Any:
        yield b"x"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.put("out-1", breaks())
    assert not list(Path(str(place)).iterdir())
    with pytest.raises(StoreError, match="No such file"):
        list(place.read("out-1"))
    with pytest.raises(StoreError, match="there is no folder"):
        at(str(tmp_path / "no" / "where"), "job").begin()


def test_what_is_between_parts_is_not_checked() -> None:
    one, two = b"a" * (PIECE_BYTES + 3), b"b" * 10
    whole = one + b"\0" * 7 + two
    parts = [data_of(one)["parts"][0], [len(one) + 7, 10, data_of(two)["parts"][0][2]]]
    for size in (1_000_000, 3, len(whole)):
        chunks = [whole[start : start + size] for start in range(0, len(whole), max(size, len(whole) // 50))]
        if size >= len(whole) // 50:
            assert b"".join(checked(chunks, parts)) == whole
    with pytest.raises(Damaged, match="too early"):
        list(checked([whole[:-1]], parts))
    assert json.loads(json.dumps(parts)) == parts
