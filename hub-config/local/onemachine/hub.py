"""The hub's process: started, waited for, told to end, and nothing of it left."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from onemachine import before
from onemachine.options import VARIABLE, Options, Refused

CONFIG = Path(__file__).resolve().parents[1] / "jupyterhub_config.py"
PROXY_VARIABLE = "KUBE_MAGICS_HUB_PROXY"
LOG = "hub.log"
READY_S = 180.0
STOPPING_S = 40.0
"""JupyterHub gives each server 20 s, in three steps."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(options: Options, proxy: Sequence[str], lock: IO[str], ready: Callable[[], None]) -> None:
    """The hub from its start to its end; calls `ready` when it answers. Raises `Refused` where it ends by itself."""
    told, again = threading.Event(), threading.Event()

    def hear(*_: object) -> None:
        (again if told.is_set() else told).set()

    for each in SIGNALS:
        signal.signal(each, hear)
    hub = start(options, proxy, lock.fileno())
    before.tell(lock, options.url, hub.pid)
    try:
        if wait_until_ready(hub, options, told):
            ready()
            while hub.poll() is None and not told.wait(0.2):
                pass
        if hub.poll() is None:
            print("\nEnding the servers; Ctrl-C once more does not wait for them.", flush=True)
        elif hub.returncode:
            raise Refused(f"JupyterHub has ended ({hub.returncode}). {_last_words(options)}")
    finally:
        stop(hub, again)
        # One that ends by itself, or cannot begin, leaves its proxy.
        before.end_stale(Path(options.state))


def start(options: Options, proxy: Sequence[str], lock: int) -> subprocess.Popen[bytes]:
    """JupyterHub in a session of its own, so that Ctrl-C reaches us alone; the lock stays open in it."""
    state = Path(options.state)
    log = state / LOG
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    # The terminals of users find kube-magics and jupyter.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    own = {VARIABLE: options.encode(), PROXY_VARIABLE: "\n".join(proxy), "PATH": path}
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)],
            cwd=state,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            pass_fds=[lock],
        )
    finally:
        os.close(descriptor)


def wait_until_ready(hub: subprocess.Popen[bytes], options: Options, told: threading.Event) -> bool:
    """True: it answers through its proxy. False: we were told to end it meanwhile. Raises `Refused`: it does not."""
    until = time.monotonic() + READY_S
    while not answers(options):
        if told.is_set():
            return False
        if hub.poll() is not None or time.monotonic() > until:
            what = "does not answer" if hub.poll() is None else "ended before it answered"
            raise Refused(f"JupyterHub {what}. {_last_words(options)}")
        time.sleep(0.1)
    return True


def answers(options: Options) -> bool:
    """Whether the hub says through its proxy that it is well."""
    here = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    host = here.get(options.host, options.host)
    if options.tls_cert:
        # Only whether somebody is there: whose certificate it is, is the browser's to judge.
        anyone = ssl.create_default_context()
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        link: http.client.HTTPConnection = http.client.HTTPSConnection(host, options.port, timeout=5, context=anyone)
    else:
        link = http.client.HTTPConnection(host, options.port, timeout=5)
    try:
        link.request("GET", "/hub/health")
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def _last_words(options: Options, lines: int = 12) -> str:
    log = Path(options.state) / LOG
    with suppress(OSError):
        said = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        return f"{log} ends with:\n{said}"
    return f"See {log}"


def stop(hub: subprocess.Popen[bytes], again: threading.Event) -> None:
    """End it, its proxy, its services, the servers and their kernels; jobs go on.

    `again`: at once, then, without waiting for what people have open.
    """
    below = descendants(hub.pid)
    with suppress(ProcessLookupError):
        hub.terminate()
    until = time.monotonic() + STOPPING_S
    while hub.poll() is None and time.monotonic() < until and not again.is_set():
        time.sleep(0.05)
    if hub.poll() is None:
        below += [each for each in descendants(hub.pid) if each not in below]
        hub.kill()
        hub.wait()
    for each in below:
        with suppress(psutil.Error):
            each.terminate()
    for each in psutil.wait_procs(below, timeout=5)[1]:
        with suppress(psutil.Error):
            each.kill()


def descendants(pid: int) -> list[psutil.Process]:
    """The hub's children (proxy, services, servers) and theirs (kernels, terminals).

    No further down: what a kernel begins are jobs, which outlive it.
    """
    found: list[psutil.Process] = []
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children():
            found.append(child)
            with suppress(psutil.Error):
                found += child.children()
    return found
