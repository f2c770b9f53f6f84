"""Which backend is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from kube_magics.jobs.choose import backend_for
from kube_magics.spec.job import JobSpec


def test_a_state_folder_that_is_named_later_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what the error for a full disk says to type."""
    local = JobSpec(backend="local")
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path / "full"))
    full = backend_for(local)
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path / "roomy"))
    assert backend_for(local).address == f"local {tmp_path}/roomy/jobs"
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path / "full"))
    assert backend_for(local) is full
