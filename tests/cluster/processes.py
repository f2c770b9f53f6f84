"""Ordinary processes that outlive their starter: started in a session of their own, recorded, found again, ended.

A pid alone is no identity: it may have been given to somebody else since. Recorded with it are the boot and the moment
of the process's start; and each process carries a marker in its environment, which its children inherit. Only what
matches is ever signalled.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .paths import LOGS, PIDS, STATE

_MARKER = "KUBE_MAGICS_TEST_CLUSTER"
_POLL_S = 0.02


@dataclass(frozen=True)
class Process:
    name: str
    """Its component, for example ``kubelet``."""
    pid: int
    started: int
    """Clock ticks after boot, from ``/proc/PID/stat``."""
    boot: str
    """The kernel's boot id."""


def start(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Process:
    """Start ``command`` in its own session, its output in ``logs/NAME.log``. ``stop`` undoes it."""
    LOGS.mkdir(parents=True, exist_ok=True)
    PIDS.mkdir(parents=True, exist_ok=True)
    # posix_spawn, not Popen: nothing here waits for the child, and a Popen that is dropped warns.
    pid = os.posix_spawn(
        command[0],
        list(command),
        {**os.environ, **(environment or {}), _MARKER: str(STATE)},
        setsid=True,
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT],
        setsigmask=[],
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log_path(name)), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            # Of whoever started us, too: a lock that this process holds on to would be held for its whole life.
            *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in _inherited()),
        ],
    )
    process = Process(name, pid, _started(pid) or 0, _boot())
    (PIDS / f"{name}.json").write_text(json.dumps(asdict(process)))
    return process


def _inherited() -> list[int]:
    """Descriptors that a child would get, beyond the first three."""
    found = []
    for descriptor in sorted(int(each.name) for each in Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):  # the listing's own
            if descriptor > 2 and os.get_inheritable(descriptor):
                found.append(descriptor)
    return found


def log_path(name: str) -> Path:
    return LOGS / f"{name}.log"


def recorded() -> dict[str, Process]:
    """What the state folder says was started, by name, alive or not."""
    return {process.name: process for process in map(read, sorted(PIDS.glob("*.json"))) if process}


def read(record: Path) -> Process | None:
    """A process as it was written down; None if the writer was killed meanwhile."""
    with contextlib.suppress(ValueError, TypeError, FileNotFoundError):
        return Process(**json.loads(record.read_text()))
    return None


def this_process(name: str) -> Process:
    return Process(name, os.getpid(), _started(os.getpid()) or 0, _boot())


def is_alive(process: Process) -> bool:
    """Whether this very process still runs. A zombie does not."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return process.boot == _boot() and _started(process.pid) == process.started


def stop(process: Process, grace_s: float) -> None:
    """SIGTERM, SIGKILL after ``grace_s`` seconds (at once if that is 0), and wait until it is gone."""
    if grace_s:
        _signal(process, signal.SIGTERM)
        _wait(process, grace_s)
    _signal(process, signal.SIGKILL)
    if not _wait(process, 10):
        raise TimeoutError(f"{process.name} (pid {process.pid}) survives SIGKILL")


@contextlib.contextmanager
def hung(process: Process) -> Iterator[None]:
    """Stopped with SIGSTOP: its connections stay, and it says nothing. It goes on even if this process is killed."""
    guard = ["sh", "-c", f"read _; kill -CONT {process.pid}"]
    # Its input ends with us, however we end.
    with subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True):
        _signal(process, signal.SIGSTOP)
        yield


def marked() -> Iterator[Process]:
    """Every living process that descends from ours, recorded or not (pods do not: they get another environment)."""
    wanted = f"{_MARKER}={STATE}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError):
            if pid != os.getpid() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                name = (folder / "comm").read_text().strip()
                yield Process(name, pid, _started(pid) or 0, _boot())


def shims(containerd_socket: str) -> Iterator[Process]:
    """containerd's shims by the socket they report to: they may outlive it, and hold the pods' processes."""
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError):
            arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "-address" in arguments and containerd_socket in arguments:
                yield Process("shim", pid, _started(pid) or 0, _boot())


def _signal(process: Process, number: int) -> None:
    if is_alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _wait(process: Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _started(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # After the name: state is field 0, starttime field 19 (proc(5) counts them from 3 and calls it 22).
    return None if fields[0] in "ZX" else int(fields[19])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
