"""What `logs` shows, of jobs that are folders of this machine."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from kube_magics.backends import jobfolder
from kube_magics.jobs.debugging import Debugging
from kube_magics.jobs.logfile import FOLDER
from kube_magics.verbs.call import call
from kube_magics.verbs.door import Door


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_MAGICS_BACKEND", "local")
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def job(name: str, log: str = "", created_at: float | None = None) -> None:
    """One that has ended."""
    home = jobfolder.jobs_folder() / name
    home.mkdir(parents=True)
    facts = {"created_at": created_at or time.time(), "pid": 0, "pid_started": "never"}
    (home / jobfolder.FACTS).write_text(json.dumps(facts))
    (home / jobfolder.LOG).write_text(log)
    (home / jobfolder.END).write_text('{"e": "end", "code": 0}')


def kept(file: str, text: str, at: float) -> None:
    """By a notebook that followed it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / file).write_text(text)
    os.utime(FOLDER / file, (at, at))


def shown(capsys: pytest.CaptureFixture[str], name: str) -> tuple[str, str]:
    call(["logs", name], Door(), Debugging())
    told = capsys.readouterr()
    return told.out, told.err


def test_what_was_kept_here_stands_in_for_a_log_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    job("gone", created_at=1000.0)
    kept("gone.log", "the older one of this name\n", at=900.0)
    kept("gone.2.log", "its own\n", at=1100.0)
    assert shown(capsys, "gone") == (
        "its own\n",
        "[kube_magics: its log is not kept there any more; this is .kube_magics/logs/gone.2.log]\n",
    )


def test_a_silent_job_is_not_given_the_log_of_an_older_one_of_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    kept("same.log", "of the older one\n", at=time.time() - 60)
    job("same")
    assert shown(capsys, "same") == ("", "[kube_magics: there is no output of same, or none is kept any more]\n")


def test_a_page_is_given_the_end_of_a_long_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Jupyter's server drops all of it, else."""
    lines = [f"line {number}" for number in range(200_000)]
    job("long", "".join(f"{line}\n" for line in lines))
    out, err = shown(capsys, "long")
    assert 990_000 < len(out) <= 1_000_000
    left = len(lines) - out.count("\n")
    assert out.splitlines() == lines[left:]
    assert f"[kube_magics: {left:,} lines are not shown here" in err
    job("wide", "x" * 1_500_000 + "\n")
    assert len(shown(capsys, "wide")[0]) == 1_000_000
