"""Who uses the cluster: joined by many, started by the first, taken down by the last unless it is to be kept."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from . import binaries, node, packages, processes, teardown
from .cluster import Cluster, given, ours
from .paths import CHECKOUT, LOCK, STATE

GIVEN = "KUBE_MAGICS_TEST_KUBECONFIG"
_USERS = STATE / "users"
_KEEP = STATE / "keep"
# Written when all is ready: a state folder without it is what a killed start left.
_CHECKOUT = STATE / "checkout"
_MODULES = ("cryptography", "grpc", "grpc_tools", "uv", "yaml")
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}


def why_not() -> str | None:
    """One line that says why this machine cannot run the cluster; None if it can (or one is given)."""
    if path := os.environ.get(GIVEN):
        return None if Path(path).is_file() else f"{GIVEN} names no file: {path}"
    if sys.platform != "linux":
        return "the test cluster needs Linux"
    if os.geteuid() != 0:
        return "the test cluster needs root"
    if lacking := [name for name, bit in _CAPABILITIES.items() if not _capabilities() >> bit & 1]:
        return f"the test cluster needs {' and '.join(lacking)}, which this container does not have"
    if lacking := [name for name in _MODULES if importlib.util.find_spec(name) is None]:
        return f"the test cluster needs Python's {', '.join(lacking)}: install kube-magics[test]"
    return packages.why_not() or binaries.why_not()


def up(keep: bool) -> Cluster:
    """Start or join; ``keep``: it stays when everybody has left, until ``down``."""
    with _lock():
        if not _can_be_joined():
            _start()
        if keep:
            _KEEP.touch()
        else:
            _USERS.mkdir(exist_ok=True)
            _note().write_text(json.dumps(asdict(processes.this_process("user"))))
    return ours()


def leave() -> None:
    with _lock():
        _note().unlink(missing_ok=True)
        if not _KEEP.exists() and not _users():
            teardown.down()


def down() -> None:
    """Whoever still uses it. Also clears away what a killed start or run has left."""
    with _lock():
        teardown.down()


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """The given cluster, or ours: started if it does not run yet, and taken down by the last to leave."""
    if path := os.environ.get(GIVEN):
        with _guest(Path(path)) as cluster:
            yield cluster
        return
    cluster = up(keep=False)
    try:
        yield cluster
    finally:
        leave()


@contextlib.contextmanager
def _guest(kubeconfig: Path) -> Iterator[Cluster]:
    """On somebody's cluster: what was made there is deleted again."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = given(kubeconfig, Path(folder))
        try:
            yield cluster
        finally:
            for made in Path(folder).glob("*.yaml"):
                cluster.kubectl("delete", "namespace", made.stem, "--wait=false", "--ignore-not-found", check=False)


def is_running() -> bool:
    return _CHECKOUT.exists() and all(processes.is_alive(process) for process in processes.recorded().values())


def is_held_by_others() -> bool:
    return _KEEP.exists() or any(user.pid != os.getpid() for user in _users())


def _can_be_joined() -> bool:
    """A cluster that nobody holds any more is not joined: nobody knows what the run that was killed did to it."""
    if not is_running() or not (_KEEP.exists() or _users()):
        return False
    checkout = _CHECKOUT.read_text()
    if checkout != str(CHECKOUT):
        raise RuntimeError(
            f"there can be one cluster on a machine, and that of {checkout} runs: `make cluster-down` there"
        )
    return True


def _start() -> None:
    teardown.down()
    try:
        node.up()
    except BaseException:
        teardown.down()
        raise
    _CHECKOUT.write_text(str(CHECKOUT))


def _users() -> list[processes.Process]:
    return [
        process for process in map(processes.read, _USERS.glob("*.json")) if process and processes.is_alive(process)
    ]


def _note() -> Path:
    return _USERS / f"{os.getpid()}.json"


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """Whoever comes while another starts it waits and then joins. For the whole machine: so is the cluster."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _capabilities() -> int:
    found = re.search(r"^CapEff:\s+(\w+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1], 16) if found else 0
