"""What stands in the way of a hub, and what a dead one left: with real processes, locks and ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from onemachine import before
from onemachine.options import VARIABLE, Options, Refused

from tests.ports import free_port

WAITS = "import sys; sys.stdin.read()"


@contextmanager
def process(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """One that waits until it is killed, and is there: its variables can be read."""
    program = f"print('there', flush=True); {WAITS}"
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        assert started.stdout
        assert started.stdout.readline()
        yield started
    finally:
        started.kill()
        started.wait()
        assert started.stdin
        started.stdin.close()
        started.stdout.close()


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir(mode=0o755)
    assert before.state_folder(Options(state=str(tmp_path / "hub"))).stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="--state FOLDER"):
        before.state_folder(Options(state=str(tmp_path / "file" / "hub")))


def test_a_second_hub_of_the_same_folder_is_refused_with_where_the_first_is(tmp_path: Path) -> None:
    with before.lock(tmp_path) as held:
        with pytest.raises(Refused, match="not said yet"):
            before.lock(tmp_path)
        before.tell(held, "http://localhost:8000", 4711)
        with pytest.raises(Refused, match=r"(?s)runs already, at http://localhost:8000\.\nTo end it: kill 4711\."):
            before.lock(tmp_path)
    before.lock(tmp_path).close()


def test_the_lock_is_the_hubs_too(tmp_path: Path) -> None:
    with before.lock(tmp_path) as held:
        child = subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE, pass_fds=[held.fileno()])
    with child:
        with pytest.raises(Refused, match="runs already"):
            before.lock(tmp_path)
        child.communicate()
    before.lock(tmp_path).close()


def test_what_a_dead_hub_left_is_ended(tmp_path: Path) -> None:
    (tmp_path / before.PROXY_PID).write_text(str(os.getpid()))
    of_this = {VARIABLE: Options(state=str(tmp_path)).encode()}
    with process(of_this) as proxy, process(of_this) as culler:
        said = before.end_stale(tmp_path)
        assert proxy.poll() is not None
        assert culler.poll() is not None
    assert len(said) == 2
    assert f"(process {culler.pid})" in " ".join(said)
    # JupyterHub would end whoever has that process id.
    assert not (tmp_path / before.PROXY_PID).exists()
    assert before.end_stale(tmp_path) == []


@pytest.mark.parametrize("value", [None, "", "{}", '"x"', Options(state="/elsewhere").encode()])
def test_nobody_else_is(tmp_path: Path, value: str | None) -> None:
    with process({VARIABLE: value} if value is not None else {}) as stranger:
        assert before.end_stale(tmp_path) == []
        assert stranger.poll() is None


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_a_port_in_use_is_said_with_who_has_it_and_what_to_type(offset: int) -> None:
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(Refused) as refused:
            before.free_ports(Options(port=port - offset), patience_s=0)
    assert f"Port {port} is in use by " in str(refused.value)
    assert f"(process {os.getpid()})" in str(refused.value)
    assert "make hub HUB='--port " in str(refused.value)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Refused, match=r"--host 192\.0\.2\.1: .*an address of this machine"):
        before.free_ports(Options(host="192.0.2.1", port=free_port()))
