"""What stages took is kept for later jobs, by image and by cluster, and never more than is of use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kube_magics.jobs import earlier
from kube_magics.telemetry.card import Card, card
from kube_magics.telemetry.earlier import NOTHING, Earlier
from tests.telemetry.test_card import BEGAN, END, PULLED, PULLING, RUNNING, on_cluster, stage, told

HERE, THERE = "https://one team", "https://other team"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path))


def ended(name: str, image: str | None = "team/torch:1") -> Card:
    shown = card(on_cluster(RUNNING, PULLING, PULLED), told(stage("running", 82), END), BEGAN + 999, phase="succeeded")
    return replace(shown, name=name, made=replace(shown.made, image=image))


def test_it_is_known_by_image_and_cluster() -> None:
    earlier.note(HERE, ended("one"))
    assert earlier.known(HERE, "team/torch:1") == Earlier(
        {"scheduled": [1.0], "pulling image": [72.3], "starting": [5.0]}
    )
    assert earlier.known(HERE, "team/torch:2") == earlier.known(THERE, "team/torch:1") == Earlier({})
    assert earlier.known(HERE, None) == NOTHING


def test_a_job_counts_once_and_the_newest_are_kept() -> None:
    for number in (*range(30), 29):
        earlier.note(HERE, ended(f"job-{number}"))
    assert len(earlier.known(HERE, "team/torch:1").took_s["starting"]) == earlier.MOST_JOBS


def test_what_is_not_over_or_has_no_image_is_not_kept(tmp_path: Path) -> None:
    earlier.note(HERE, ended("none", image=None))
    earlier.note(HERE, replace(ended("going on"), phase="running"))
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("text", ["", "[]", '{"jobs": 3}', '{"jobs": {"a": 3, "b": {"starting": "x", "odd": 1}}}'])
def test_a_file_that_somebody_spoiled_tells_nothing(tmp_path: Path, text: str) -> None:
    earlier.note(HERE, ended("one"))
    (path,) = (tmp_path / "stages").iterdir()
    path.write_text(text, "utf-8")
    assert earlier.known(HERE, "team/torch:1") == Earlier({})
    earlier.note(HERE, ended("two"))
    assert len(earlier.known(HERE, "team/torch:1").took_s["starting"]) == 1
