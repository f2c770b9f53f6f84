"""A real hub of one machine, started and ended as people do it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.hub.visitor import Visitor
from tests.ports import free_port

START = Path(__file__).resolve().parents[2] / "hub-config" / "local" / "start.py"
READY_S = 240.0
ENDING_S = 60.0


@dataclass
class Hub:
    """One that has said where it is; `output` is what it has said so far."""

    process: subprocess.Popen[str]
    state: Path
    output: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.output)

    @property
    def address(self) -> str:
        return self._said(r"The hub runs at (\S+)").replace("localhost", "127.0.0.1")

    @property
    def password(self) -> str:
        """As it was shown, the once."""
        return self._said(r"log in as .*, password (\S+)")

    @property
    def admin_password(self) -> str:
        return self._said(r"administrator: \S+, password (\S+)")

    def visitor(self, name: str) -> Visitor:
        return Visitor(self.address, name)

    @property
    def pid(self) -> int:
        """JupyterHub's own process."""
        return int((self.state / "lock").read_text().split()[1])

    def _said(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        assert found, f"{pattern} is not in:\n{self.text}"
        return found[1]

    def log(self) -> str:
        return (self.state / "hub.log").read_text(encoding="utf-8", errors="replace")[-5000:]

    def everything(self) -> list[psutil.Process]:
        """All of its processes: hub, proxy, culler, servers, kernels."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> int:
        """Ctrl-C; the exit code. All of its processes are gone then, or the test fails with what is left."""
        mine = self.everything()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(ENDING_S)
        left = [(each.pid, each.cmdline()) for each in mine if _runs(each)]
        assert not left, f"left behind: {left}\n{self.log()}"
        return code

    def kill(self) -> None:
        """The worst that can happen to it: it and who started it are gone, without a word to anybody."""
        hub = psutil.Process(self.pid)
        self.process.kill()
        hub.kill()
        self.process.wait()
        psutil.wait_procs([hub], timeout=ENDING_S)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def hub(
    state: Path, *options: str, port: int | None = None, within: Sequence[str] = (), path: str | None = None
) -> Iterator[Hub]:
    """With its folder in `state`; `within`: a command that makes the machine that it is started in; `path`: its PATH."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "JPY_", "JUPYTER"))}
    command = [sys.executable, str(START), "--port", str(port or free_row()), "--state", str(state), *options]
    process = subprocess.Popen(
        [*within, *command],
        env=clean if path is None else {**clean, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started = Hub(process, state)
    reading = threading.Thread(target=_read, args=(started,), daemon=True)
    reading.start()
    try:
        until = time.monotonic() + READY_S
        while "Ctrl-C ends it" not in started.text:
            assert process.poll() is None, f"it ended:\n{started.text}"
            assert time.monotonic() < until, f"it is not ready after {READY_S} s:\n{started.text}"
            time.sleep(0.05)
        yield started
        if process.poll() is None:
            assert started.end() == 0, started.text
    finally:
        if process.poll() is None:  # a test has failed: nothing of it may disturb the next one
            below = started.everything()
            process.kill()
            for each in below:
                if _runs(each):
                    each.kill()
            process.wait()
        reading.join()
        assert process.stdout
        process.stdout.close()


def free_row() -> int:
    """The first of three ports that are free now."""
    import socket

    while True:
        port = free_port()
        try:
            for each in (port + 1, port + 2):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", each))
            return port
        except OSError:
            continue


def _read(started: Hub) -> None:
    assert started.process.stdout
    for line in started.process.stdout:
        started.output.append(line)
