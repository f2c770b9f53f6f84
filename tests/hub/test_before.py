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
from onemachine.options import Options, Refused

from tests.ports import free_port

WAITS = "import sys; sys.stdin.read()"


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """One that waits until it is killed."""
    started = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        assert started.stdin
        started.stdin.close()


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


def test_the_proxy_of_a_dead_hub_is_ended(tmp_path: Path) -> None:
    program = tmp_path / before.NAME
    program.write_text(WAITS)
    with process(sys.executable, str(program), "--port", "1") as proxy:
        (tmp_path / before.PROXY_PID).write_text(str(proxy.pid))
        assert before.end_stale_proxy(tmp_path) == proxy.pid
        assert proxy.poll() is not None
    assert not (tmp_path / before.PROXY_PID).exists()
    assert before.end_stale_proxy(tmp_path) is None


def test_a_stranger_that_has_the_proxys_process_id_by_now_is_left_alone(tmp_path: Path) -> None:
    with process(sys.executable, "-c", WAITS) as stranger:
        (tmp_path / before.PROXY_PID).write_text(str(stranger.pid))
        assert before.end_stale_proxy(tmp_path) is None
        assert stranger.poll() is None
    assert not (tmp_path / before.PROXY_PID).exists()


@pytest.mark.parametrize("text", ["", "x", "-1", "99999999"])
def test_a_file_that_names_no_process_is_removed(tmp_path: Path, text: str) -> None:
    (tmp_path / before.PROXY_PID).write_text(text)
    assert before.end_stale_proxy(tmp_path) is None
    assert not (tmp_path / before.PROXY_PID).exists()


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
