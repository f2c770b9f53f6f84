"""What stands in the way of a hub: another one, ports that are taken, what a hub that was killed left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from onemachine.options import VARIABLE, Options, Refused

LOCK = "lock"
PROXY_PID = "proxy.pid"
JUPYTER = Path(__file__).resolve().parents[1] / "jupyter"
ENDING_S = 5.0
LETTING_GO_S = 2.0


def state_folder(options: Options) -> Path:
    """Made, and nobody else's to look into."""
    folder = Path(options.state)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise Refused(f"{folder}: {error.strerror}. Name a folder that is yours: --state FOLDER") from None
    return folder


def lock(state: Path) -> IO[str]:
    """Held as long as the hub or who started it lives: the hub inherits it."""
    file = (state / LOCK).open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        where, _, pid = file.read().strip().partition(" ")
        file.close()
        raise Refused(
            f"The hub of {state} runs already, at {where or 'an address that it has not said yet'}.\n"
            f"To end it: kill {pid or '(its process)'}. For a second one: --port PORT --state FOLDER"
        ) from None
    return file


def tell(lock_file: IO[str], url: str, pid: int) -> None:
    """For whoever finds the lock taken: where the hub is, and which process ends it."""
    lock_file.seek(0)
    lock_file.truncate()
    lock_file.write(f"{url} {pid}\n")
    lock_file.flush()


def end_stale(state: Path) -> list[str]:
    """End what a hub of this folder has left, its proxy and its culler, and say what that was.

    They are known by a variable that the hub gives them: a process id in a file may be somebody else's by now, and
    JupyterHub would end whoever has it. To be called with the lock held, so that no hub lives.
    """
    (state / PROXY_PID).unlink(missing_ok=True)
    left = [each for each in psutil.process_iter() if each.pid != os.getpid() and _is_of(state, each)]
    said = []
    for each in left:
        with suppress(psutil.Error):
            said.append(f"{each.name()} (process {each.pid})")
            each.terminate()
    for each in psutil.wait_procs(left, timeout=ENDING_S)[1]:
        with suppress(psutil.Error):
            each.kill()
    return said


def _is_of(state: Path, process: psutil.Process) -> bool:
    with suppress(psutil.Error, OSError, ValueError, KeyError, TypeError):
        return process.uids().real == os.getuid() and Options.decode(process.environ()[VARIABLE]).state == str(state)
    return False


def free_ports(options: Options, patience_s: float = LETTING_GO_S) -> None:
    """Raises `Refused` with who has a port that the hub needs; what has just ended gets a moment to let go of it."""
    wanted = [(options.host, options.port), ("127.0.0.1", options.hub_port), ("127.0.0.1", options.proxy_port)]
    until = time.monotonic() + patience_s
    for host, port in wanted:
        while (trouble := _trouble(host, port)) is not None:
            if trouble.errno != errno.EADDRINUSE:
                raise Refused(_words(host, port, trouble))
            if time.monotonic() > until:
                other = options.port + (1000 if options.port < 60000 else -1000)
                raise Refused(
                    f"Port {port} is in use{_holder(port)}; the hub needs {options.port} to {options.proxy_port}.\n"
                    f"Take others: make hub HUB='--port {other}'"
                )
            time.sleep(0.1)


def _trouble(host: str, port: int) -> OSError | None:
    """Why nobody could listen there now; None: it is free."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        kind, _, _, _, address = found[0]
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            # As Node and tornado do: else what was closed a minute ago would count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        return error
    return None


def _words(host: str, port: int, trouble: OSError) -> str:
    if isinstance(trouble, PermissionError):
        return f"Port {port}: those below 1024 are root's. Take a higher one: make hub HUB='--port 8443'"
    return f"--host {host}: {trouble.strerror or trouble}. It must be an address of this machine"


def _holder(port: int) -> str:
    """` by node (process 4711)`, where this user may know it."""
    with suppress(psutil.Error):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr[1:] == (port,) and each.pid:
                return f" by {psutil.Process(each.pid).name()} (process {each.pid})"
    return ""


def refuse_private_checkout() -> None:
    """Raises `Refused` where other accounts cannot start this Python, or not read what their servers need.

    Tried as the account that has everyone's rights and no others, not judged by modes: there are more ways to forbid.
    """
    needed = JUPYTER / "kernels" / "python3" / "kernel.json"
    look = f"import jupyterhub, jupyterlab, kube_magics; open({str(needed)!r}).close()"
    nobody = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/", "env": {}}
    said = ""
    try:
        subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True, **nobody)  # type: ignore[call-overload]
        return
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["?"])[-1]
    except OSError as error:
        said = str(error)
    raise Refused(
        f"--system-users: other accounts cannot use this checkout and its Python: {said}\n"
        "Put it where everyone may read it, such as /opt, and set it up with a Python that is everyone's: "
        "make hub PYTHON=/usr/bin/python3 HUB=--system-users"
    )
