"""GPUs and processes of this machine."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

import psutil

from kube_magics.backends.contract import Gpu, Node
from kube_magics.errors import SubmitError
from kube_magics.runner import nvml

LINUX = sys.platform == "linux"


def visible() -> list[Gpu]:
    """The NVIDIA GPUs of this machine, by NVML; empty where there are none or no driver."""
    with _driver() as driver:
        found = driver.devices() if driver else []
    # One that the driver has lost has no UUID, and nobody can compute on it.
    return [Gpu(d["index"], d["uuid"], d["name"], d["memory_bytes"]) for d in found if d["uuid"]]


def computing() -> dict[str, set[int]]:
    """Ids of the processes on each GPU, by its UUID; 0 is one of whom NVML does not tell."""
    with _driver() as driver:
        return driver.computing() if driver else {}


def busy() -> set[str]:
    """UUIDs of the GPUs on which another process than this one computes."""
    return {uuid for uuid, pids in computing().items() if pids - {os.getpid()}}


@contextlib.contextmanager
def _driver() -> Iterator[nvml.Nvml | None]:
    try:
        driver = nvml.Nvml()
    except (OSError, AttributeError):
        yield None
        return
    try:
        yield driver
    finally:
        driver.close()


def free(count: int, *, cpu_ok: bool, taken: AbstractSet[str]) -> list[str]:
    """UUIDs of `count` GPUs that are not `taken` and on which no other process computes; those first on which this one
    does not either: a notebook that holds the machine's only GPU may start jobs on it.

    Empty when the machine has no GPU and `cpu_ok`. Raises SubmitError.
    """
    if count == 0:
        return []
    found = visible()
    if not found:
        if cpu_ok:
            return []
        raise SubmitError(
            f"The job asks for {count} GPU{'s' if count > 1 else ''}, and no NVIDIA GPU is found on this machine.",
            hint="--gpus 0, or --cpu-ok to run on the CPU here and on GPUs elsewhere",
        )
    processes = computing()
    others = {gpu.uuid: processes.get(gpu.uuid, set()) - {os.getpid()} for gpu in found}
    left = [gpu.uuid for gpu in found if gpu.uuid not in taken and not others[gpu.uuid]]
    if len(left) < count:
        said = [f"GPU {gpu.index}: {_who(others[gpu.uuid])}" for gpu in found if others[gpu.uuid]]
        raise SubmitError(
            f"The job asks for {count} of this machine's {len(found)} GPU{'s' if len(found) > 1 else ''}, and "
            f"{len(left)} {'is' if len(left) == 1 else 'are'} free.",
            said="\n".join(said) or None,
            hint=f"{f'--gpus {len(left)}, or ' if left else ''}wait: %kube jobs shows which jobs run, "
            "nvidia-smi which processes compute",
        )
    return sorted(left, key=processes.__contains__)[:count]


def _who(pids: AbstractSet[int]) -> str:
    """`python3 (process 4242)`."""
    names = []
    for pid in sorted(pids):
        try:
            names.append(f"{psutil.Process(pid).name()} (process {pid})")
        except (psutil.Error, ValueError):
            names.append(f"process {pid}" if pid else "a process of whom NVML does not tell")
    return ", ".join(names)


def node(users: Mapping[str, int], taken: AbstractSet[str]) -> Node:
    """This machine, as a cluster's nodes are seen; what other programs have of its processors nobody has reserved."""
    found, memory = visible(), psutil.virtual_memory()
    return Node(
        name="this machine",
        status="ready",
        gpus=len(found),
        used=len(taken | busy()) if found else 0,
        product=found[0].name if found else None,
        cpus=float(psutil.cpu_count() or 1),
        memory_bytes=memory.total,
        memory_free_bytes=memory.available,
        users=users,
    )


def process_started(pid: int) -> str | None:
    """When the process with this id started, as what tells it from any other that ever has its number; None: there is
    none (or only its corpse).

    On Linux in ticks since the machine's start: seconds since the epoch would change whenever its clock is set.
    """
    try:
        if LINUX:
            return _ticks(pid)
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except (psutil.Error, ValueError, OSError):
        return None


def _ticks(pid: int) -> str | None:
    # The second field is the program's name and may hold anything, but for what stands behind its last parenthesis.
    state, *fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return None if state in "ZX" else f"{boot} {fields[18]}"


def running(argument: str) -> int | None:
    """The process that was started with this argument as its last; not its guard, which was forked from it."""
    every = psutil.process_iter(["cmdline", "create_time"])
    found = [(each.info["create_time"], each.pid) for each in every if (each.info["cmdline"] or [""])[-1] == argument]
    return min(found)[1] if found else None


def kill_tree(pid: int, started: str | None) -> None:
    """KILL to the process that had this id and began then, and to all below it, whatever sessions they are in."""
    if started is None or process_started(pid) != started:
        return  # the number is somebody else's by now
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return
    for each in family:
        with contextlib.suppress(psutil.Error):
            each.kill()


def kill_session(leader: int) -> None:
    """KILL to what is left of the session of a process that is gone."""
    if leader == 0 or process_started(leader) is not None:
        return  # in a container that of all who came from outside; or the number is somebody else's by now
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(each.pid) == leader:
                each.kill()
