"""Jobs of this machine without a kernel: a cell as a submission, and the backend that runs it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kube_magics.backends.local import LocalBackend
from kube_magics.cells.capture import capture
from kube_magics.cells.notebook import Notebook
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.submit import Prepared
from kube_magics.spec.job import JobSpec
from kube_magics.spec.parse import parse

SLEEPS = "import time\nprint('up', flush=True)\ntime.sleep(60)"


@contextmanager
def interruptible(state: Path) -> Iterator[None]:
    """As in a kernel: Ctrl-C interrupts, and `state` is where this user's records are."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBE_MAGICS_STATE", str(state))
        yield
    signal.signal(signal.SIGINT, before)


def prepared(
    backend: LocalBackend, cell: str, *asked: str, name: str = "job", values: dict[str, Any] | None = None
) -> Prepared:
    """`cell` with the options `asked`, of a notebook with these `values`."""
    spec = JobSpec.of(parse(["--name", name, *asked]))
    captured = submitting.with_files(
        spec, capture(f"%%kubetrain\n{cell}", Notebook(values or {}), returns=spec.returns)
    )
    return submitting.prepare(spec, backend, captured, stem="cell", notebook=None)


def backend_in(folder: Path, stop_margin_s: float = 5.0) -> LocalBackend:
    return LocalBackend("a test", folder / "jobs", stop_margin_s)
