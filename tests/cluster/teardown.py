"""Taking the cluster down, completely, whoever started it and however that one ended.

What is signalled is found by records and marks that only this cluster's processes carry (``processes``); what is
removed from the machine carries this cluster's names (``machine``). The order matters: the kubelet first, else it
starts pods again; then the pods, which would outlive containerd; then the rest.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

from . import binaries, components, machine, processes
from .packages import search_path
from .paths import CACHE, CONTAINERD_SOCKET, LOGS, RUNC, STATE

# Nothing of what these hold is kept, so they get no time to say goodbye (the API server would take 20 s).
_THROWN_AWAY = (
    "gpu-plugin", "kube-proxy", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd",
)  # fmt: skip


def down() -> None:
    """Harmless when there is nothing."""
    found = processes.recorded()
    _stop(found, "kubelet", grace_s=2)
    if "containerd" in found and processes.is_alive(found["containerd"]):
        _remove_containers()
    for name in _THROWN_AWAY:
        _stop(found, name, grace_s=0)
    # Its root is kept, so it may close its database.
    _stop(found, "containerd", grace_s=5)
    for process in (*processes.marked(), *processes.shims(str(CONTAINERD_SOCKET))):
        processes.stop(process, grace_s=0)
    _remove_orphans()
    machine.restore()
    _keep_logs()
    shutil.rmtree(STATE, ignore_errors=True)


def _stop(found: dict[str, processes.Process], name: str, grace_s: float) -> None:
    if name in found:
        processes.stop(found[name], grace_s)


def _remove_containers() -> None:
    """Kill and remove every task and container: that ends the shims."""
    programs = _programs()
    if programs is None:
        return
    tasks = _ctr(programs, "tasks", "ls", "-q").split()
    for task in tasks:
        _ctr(programs, "tasks", "kill", "--signal", "SIGKILL", "--all", task)
    if tasks:
        _ctr(programs, "tasks", "rm", "--force", *tasks)
    if containers := _ctr(programs, "containers", "ls", "-q").split():
        _ctr(programs, "containers", "rm", *containers)


def _remove_orphans() -> None:
    """Containers that lost their shim: runc's own notes, in our state folder, still know their processes."""
    runc = shutil.which("runc", path=search_path())
    for folder in (RUNC / "k8s.io").glob("*"):
        if runc:
            command = [runc, "--root", str(folder.parent), "delete", "--force", folder.name]
            subprocess.run(command, capture_output=True, check=False)


def _programs() -> dict[str, Path] | None:
    # Without its client (somebody emptied the cache) the marks on shims still find them.
    with contextlib.suppress(RuntimeError):
        return binaries.ensure()
    return None


def _ctr(programs: components.Binaries, *arguments: str) -> str:
    try:
        done = subprocess.run(
            components.ctr(programs, *arguments), capture_output=True, text=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


def _keep_logs() -> None:
    """The last cluster's logs stay in the cache: a failure is often understood only afterwards."""
    if LOGS.exists():
        kept = CACHE / "last-logs"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(LOGS, kept)
