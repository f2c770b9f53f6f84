"""What the doctor finds on this machine: folders, front ends, limits of a server, a store."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from kube_magics.doctor import bounds, store, surroundings
from kube_magics.doctor.judging.notebook import Limits
from kube_magics.doctor.line import BROKEN, DEGRADED, OK, Line, ok
from kube_magics.spec.job import JobSpec


def test_a_folder_is_tried_and_nothing_is_left(tmp_path: Path) -> None:
    found = surroundings.folder(tmp_path / "not" / "there")
    assert found.said is None
    assert found.free_bytes
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_nobody_may_write_to() -> None:
    assert surroundings.folder(Path("/proc/kube_magics")).said


@pytest.mark.parametrize(
    ("environment", "namespace", "in_kernel", "name"),
    [
        ({}, {}, False, "a terminal"),
        ({}, {}, True, ""),
        ({"JPY_SESSION_NAME": "/a.ipynb"}, {}, True, "a Jupyter server"),
        ({"JPY_SESSION_NAME": "/a.ipynb", "JUPYTERHUB_USER": "ada"}, {}, True, "a Jupyter server, JupyterHub's of ada"),
        ({}, {"__vsc_ipynb_file__": "/a.ipynb"}, True, "VS Code"),
        ({"COLAB_RELEASE_TAG": "1"}, {}, True, "Colab"),
    ],
)
def test_front_ends(environment: dict[str, str], namespace: dict[str, object], in_kernel: bool, name: str) -> None:
    assert surroundings.front_end(environment, namespace, in_kernel=in_kernel) == name


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("jupyter_server_config.py", "c.ZMQChannelsWebsocketConnection.iopub_data_rate_limit = 2e6\n", (2e6, 1000)),
        ("jupyter_server_config.py", "# c.ServerApp.iopub_msg_rate_limit = 5\n", (1e6, 1000)),
        ("jupyter_notebook_config.py", "c.NotebookApp.iopub_msg_rate_limit=1_500\n", (1e6, 1500)),
        ("jupyter_server_config.json", '{"ServerApp": {"iopub_data_rate_limit": 3000000}}', (3e6, 1000)),
    ],
)
def test_limits_of_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, expected: tuple[float, float]
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    (tmp_path / file).write_text(text)
    found = surroundings.limits()
    assert (found.bytes_s, found.messages_s) == expected
    assert (found == Limits()) is (expected == (1e6, 1000))


def test_interpreters() -> None:
    here = surroundings.machine(JobSpec())
    assert here.version == f"Python {sys.version.split()[0]}"
    assert here.cores >= 1
    assert surroundings.machine(JobSpec(python="/no/such/python")).version is None


def test_a_store_is_written_read_and_left_clean(tmp_path: Path) -> None:
    (line,) = store.lines(str(tmp_path / "store"))
    assert line.state == OK, line
    assert not list((tmp_path / "store").iterdir())
    (line,) = store.lines("memory://bucket/folder")
    assert line.state == OK, line


@pytest.mark.parametrize("url", ["/no/such/folder", "nonsense://bucket"])
def test_a_store_that_is_not_there(url: str) -> None:
    (line,) = store.lines(url)
    assert line.state == BROKEN
    assert line.said
    assert line.hint


def test_what_blocks_for_ever_is_left_alone() -> None:
    never = threading.Event()

    async def run() -> list[Line]:
        async def work() -> list[Line]:
            await bounds.in_thread(never.wait)
            return []

        return await bounds.within(0.05, "store", work(), DEGRADED)

    (line,) = asyncio.run(run())
    never.set()
    assert (line.state, line.check) == (DEGRADED, "store")


def test_a_check_that_fails_is_a_line() -> None:
    async def wrong() -> list[Line]:
        raise ZeroDivisionError("by zero")

    async def right() -> list[Line]:
        return [ok("clock", "right")]

    async def run() -> list[list[Line]]:
        patience = bounds.Patience()
        return [await patience.lines("a", wrong()), await patience.lines("b", right())]

    (line,), others = asyncio.run(run())
    assert line.state == BROKEN
    assert "ZeroDivisionError: by zero" in line.text
    assert others == [ok("clock", "right")]
