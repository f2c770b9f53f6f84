"""What `jobs` gives, of jobs that are folders of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kube_magics.backends.local import LocalBackend
from kube_magics.jobs import records
from kube_magics.jobs.choose import backend_for
from kube_magics.jobs.debugging import Debugging
from kube_magics.spec.job import JobSpec
from kube_magics.verbs.call import call
from kube_magics.verbs.door import Door
from tests.jobs.local import prepared


def test_json_is_json_also_where_a_job_is_deleted_that_never_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBE_MAGICS_BACKEND", "local")
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    backend = backend_for(JobSpec(backend="local"))
    assert isinstance(backend, LocalBackend)
    submission = prepared(backend, "1", name="cut-off").submission
    records.leave(records.begin(submission, backend))
    home = tmp_path / "jobs" / "cut-off"
    home.mkdir(parents=True)
    (home / "job.json").write_text(json.dumps({"submission_id": submission.submission_id}))
    call(["jobs", "--json"], Door(), Debugging())
    told = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in told["rows"]] == ["incomplete"]
    assert told["notes"] == ["cut-off is deleted: its submit was cut off, its files never arrived, and it never ran."]
    assert not home.exists()
