"""Who may start a cluster, and what those hear who may not. Without a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import processes, why_not
from .lifecycle import GIVEN

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the first reason is the only one")


def test_without_root_there_is_one_line_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(GIVEN, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert why_not() == "the test cluster needs root"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to get that far")
def test_without_go_and_cache_there_is_one_line_that_says_so(tmp_path: Path) -> None:
    program = "from tests.cluster import why_not; print(why_not())"
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    said = done.stdout.splitlines()
    assert len(said) == 1
    assert "no Go" in said[0] or "needs" in said[0]


def test_a_given_cluster_needs_nothing_but_its_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    monkeypatch.setenv(GIVEN, str(kubeconfig))
    assert why_not() == f"{GIVEN} names no file: {kubeconfig}"
    kubeconfig.touch()
    assert why_not() is None


def test_what_outlives_its_starter_keeps_no_lock_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("LOGS", "PIDS"):
        monkeypatch.setattr(processes, folder, tmp_path)
    with (tmp_path / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        started = processes.start("sleeper", ["/bin/sleep", "60"])
        try:
            held = {os.path.realpath(each) for each in Path(f"/proc/{started.pid}/fd").iterdir()}
        finally:
            processes.stop(started, grace_s=0)
    assert str(tmp_path / "lock") not in held
    assert str(tmp_path / "sleeper.log") in held
