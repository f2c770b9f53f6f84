"""What comes back and what does not: each by name, files only where they were asked for, nothing half."""

from __future__ import annotations

import hashlib
import pickle
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from kube_magics import errors
from kube_magics.artifacts.store import at
from kube_magics.backends.local import LocalBackend
from kube_magics.jobs.arrivals import Arrivals
from kube_magics.jobs.follow import Outcome
from kube_magics.jobs.homecoming import Home, lost_line
from kube_magics.jobs.store import Store
from kube_magics.runner.results import UNWRITTEN
from kube_magics.runner.spoiled import MISSING


def arrivals(tmp_path: Path, outcome: Outcome) -> Arrivals:
    return Arrivals(LocalBackend("a test", tmp_path / "jobs"), "job", outcome, None)


def loads(name: str, data: bytes | BinaryIO) -> object:
    assert isinstance(data, bytes)
    return pickle.loads(data)


def test_each_name_by_itself(tmp_path: Path) -> None:
    outcome = Outcome(
        end={
            "too_large": {"big": 5_000_000, "huge": 70_000_000},
            "missing": {"gen": "cannot be pickled: TypeError: cannot pickle 'generator' object", "unset": "never set"},
        },
        results={"fine": pickle.dumps(1)},
        corrupt={"torn": "chunk 2 of 3 is missing"},
    )
    found = arrivals(tmp_path, outcome)
    assert found.values(("fine", "big", "gen", "huge", "unset", "torn"), loads) == {"fine": 1}
    assert [type(problem) for problem in found.problems] == [
        errors.ResultTooLarge,
        errors.ResultMissing,
        errors.ResultTooLarge,
        errors.ResultMissing,
        errors.ResultError,
    ]
    error = found.error()
    assert type(error) is errors.ResultError
    for text in (
        "big is 5.0 MB",
        "huge is 70.0 MB",
        "gen did not come back: cannot be pickled: TypeError",
        "unset did not come back: never set",
        "torn did not arrive whole: chunk 2 of 3 is missing",
        "next: --artifacts URL carries large results",
        "next: set unset in the cell",
    ):
        assert text in str(error)


def test_one_for_which_there_is_no_room_here_keeps_no_other_away(tmp_path: Path) -> None:
    place = tmp_path / "store"
    place.mkdir()
    store = Store.of(str(place), "job", "1-2")
    stored: dict[str, dict[str, Any]] = {}
    store.send(None)
    for number, (name, size) in enumerate((("large", 3_000_000), ("small", 3_000))):
        data = pickle.dumps(b"x" * size)
        at(store.url, store.folder).put(f"out-{number}", [data])
        stored[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "at": f"out-{number}"}
    found = Arrivals(LocalBackend("a test", tmp_path / "jobs"), "job", Outcome(stored=stored), store)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        values = found.values(("large", "small"), lambda _, data: pickle.load(data))  # type: ignore[arg-type]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert values == {"small": b"x" * 3_000}
    assert found.out_of_reach
    (problem,) = found.problems
    assert problem.message.startswith("large came back, and there is no room for it in ")
    assert problem.said == "File too large"
    assert "%kube attach job" in (problem.hint or "")
    found.clear()
    assert len(list(place.rglob("out-*"))) == 2, "what has not arrived is not taken away"


@pytest.mark.parametrize(
    ("why", "fix"),
    [
        ("never set", "set x in the cell"),
        ("cannot be pickled: TypeError", "as plain values"),
        ("cannot be written in the job: No space left on device", "--volume CLAIM:/path"),
        (UNWRITTEN, "--volume CLAIM:/path"),
        (MISSING, "not all of its /tmp"),
    ],
)
def test_what_to_do_about_a_value_that_is_missing(tmp_path: Path, why: str, fix: str) -> None:
    found = arrivals(tmp_path, Outcome(end={"missing": {"x": why}}))
    assert found.values(("x",), loads) == {}
    assert fix in str(found.problems[0].hint)


def test_a_log_that_could_not_be_read(tmp_path: Path) -> None:
    found = arrivals(tmp_path, Outcome())
    assert found.values(("y",), loads) == {}
    error = found.error()
    assert type(error) is errors.ResultMissing
    assert "the job's log, which carries it, has not been read" in error.message
    assert "get pods/log" in (error.hint or "")


def test_problems_of_one_kind_keep_their_class(tmp_path: Path) -> None:
    found = arrivals(tmp_path, Outcome(end={"too_large": {"a": 2_000_000, "b": 3_000_000}}))
    assert found.values(("a", "b"), loads) == {}
    error = found.error()
    assert type(error) is errors.ResultTooLarge
    assert "a is 2.0 MB" in error.message
    assert "b is 3.0 MB" in error.message
    assert str(error).count("--artifacts URL") == 1


def test_files_that_were_not_asked_for_are_not_written(tmp_path: Path) -> None:
    folder = tmp_path / "notebook"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "there.pt").mkdir()
    names = ["ok.pt", "../up.pt", str(tmp_path / "absolute.pt"), "link/x.pt", "there.pt", "a\\b.pt", "book.ipynb"]
    outcome = Outcome(end={}, results={f"@file:{name}": b"content" for name in names})
    found = arrivals(tmp_path, outcome)
    assert found.files(Home(folder, ("**/*.pt", "link"))) == {"ok.pt": 7}
    assert len(found.problems) == len(names) - 1
    assert sorted(path.name for path in folder.iterdir()) == ["link", "ok.pt", "there.pt"]
    assert not list((tmp_path / "outside").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"notebook", "outside"}


def test_a_file_that_does_not_arrive_whole_leaves_the_older_one(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("older")

    def breaks() -> Iterator[bytes]:
        yield b"new"
        raise errors.ResultError("torn")

    with pytest.raises(errors.ResultError, match="torn"):
        Home(tmp_path, ("*.pt",)).bring("model.pt", breaks())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("model.pt", "older")]
    assert Home(tmp_path, ("*.pt",)).bring("model.pt", [b"new"]) == 3
    assert (tmp_path / "model.pt").read_text() == "new"
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "model.pt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_jobs_word_on_its_files(tmp_path: Path) -> None:
    event = {"too_large": {"big.pt": 2_000_000}, "failed": {"x.pt": "no space"}, "unmatched": ["*.h5"]}
    found = arrivals(tmp_path, Outcome(end={}, files=event, corrupt={"@file:y.pt": "chunk 1 is missing"}))
    assert found.files(Home(tmp_path, ("*",))) == {}
    assert [problem.message for problem in found.problems] == [
        "big.pt (2.0 MB) did not come back: files of up to 1.0 MB in all travel through the log.",
        "x.pt did not come back: no space.",
        "--returns-files *.h5: no file of the job's working folder matches.",
        "y.pt did not arrive whole: chunk 1 is missing.",
    ]


def test_what_is_lost() -> None:
    assert lost_line(None) is None
    assert lost_line({"lost": [], "count": 0}) is None
    one = {"lost": [["model.pt", 45_000_000]], "count": 1, "bytes": 45_000_000}
    assert lost_line(one) == "model.pt (45.0 MB) was written and is lost: --returns-files or --volume"
    many = {"lost": [["a", 2000], ["b", 5]], "count": 12, "bytes": 2100}
    assert lost_line(many) == (
        "a (2.0 kB), b (5 B) and 10 more (together 2.1 kB) were written and are lost: --returns-files or --volume"
    )
