"""The manifests that `--dry-run` prints, and what is said of those that cannot run by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.jobs import loop
from kube_magics.jobs.submit import prepare
from kube_magics.spec.job import JobSpec
from kube_magics.spec.parse import checked
from kube_magics.verbs.launch import print_manifests
from tests.api.servers import access
from tests.cells.book import Book


@pytest.mark.parametrize("size_mb", [0, 6])
def test_data_that_nothing_has_uploaded_is_named(
    tmp_path: Path, size_mb: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Needing no cluster: there is none at that address."""
    spec = JobSpec.of(checked({"artifacts": str(tmp_path), "dry_run": True, "image": "team/numpy"}))
    captured = Book(f"import os\ndata = os.urandom({size_mb} * 1_000_000)").capture("print(len(data))")
    backend = KubernetesBackend(access("http://127.0.0.1:9"))
    print_manifests(prepare(spec, backend, captured, stem="cell", notebook=None))
    loop.wait(backend.close())
    printed = capsys.readouterr().out
    remarks = [line for line in printed.splitlines() if line.startswith("# ")]
    assert bool(remarks) == bool(size_mb)
    assert all(f"6.0 MB of captured values at {tmp_path}" in line for line in remarks[:1])
    assert [found["kind"] for found in yaml.safe_load_all(printed)] == ["Job"]
    assert list(tmp_path.iterdir()) == []
