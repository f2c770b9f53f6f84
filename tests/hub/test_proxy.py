"""Which proxy the hub of one machine has."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from onemachine import proxy
from onemachine.options import Refused

PROGRAM = f"node_modules/{proxy.NAME}/bin/{proxy.NAME}"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Where a virtual environment has the proxy in Python."""
    (tmp_path / proxy.NAME).write_text("")
    return tmp_path


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\nexport PATH=/usr/bin:/bin\n{text}\n")
    (folder / name).chmod(0o755)


def test_the_one_for_node_where_it_runs(programs: Path, tmp_path: Path) -> None:
    program(programs, "npm", f'mkdir -p $(dirname {PROGRAM}) && echo "$*" > {PROGRAM}')
    program(programs, "node", "exit 0")
    found = proxy.proxy(tmp_path / "cache")
    assert found.instead is None
    node, script = found.command
    assert node == str(programs / "node")
    assert script.endswith(PROGRAM)
    assert Path(script).read_text().startswith("ci --ignore-scripts ")
    # The second time npm has nothing to do.
    program(programs, "npm", "exit 1")
    assert proxy.proxy(tmp_path / "cache") == found
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize(
    ("node", "npm", "why"),
    [
        (None, None, "node and npm not found"),
        ("exit 0", None, "npm not found"),
        ("exit 0", "echo 'npm ERR! network' >&2; exit 1", "npm ERR! network"),
        (
            "echo 'SyntaxError: Unexpected token' >&2; exit 1",
            f"mkdir -p $(dirname {PROGRAM}) && touch {PROGRAM}",
            "SyntaxError: Unexpected token",
        ),
    ],
)
def test_else_the_one_in_python_with_the_reason(
    programs: Path, tmp_path: Path, node: str | None, npm: str | None, why: str
) -> None:
    for name, text in (("node", node), ("npm", npm)):
        if text:
            program(programs, name, text)
    beside = Path(sys.executable).with_name(proxy.NAME)
    if not beside.exists():
        with pytest.raises(Refused, match=why):
            proxy.proxy(tmp_path / "cache")
        return
    assert proxy.proxy(tmp_path / "cache") == proxy.Proxy((sys.executable, str(beside)), why)


def test_without_either_it_says_what_to_install(python: Path) -> None:
    assert proxy.in_python("why", python).command == (sys.executable, str(python / proxy.NAME))
    with pytest.raises(Refused, match=r"(?s)no proxy: why\.\nInstall Node .* then type make hub again"):
        proxy.in_python("why", python / "empty")


def test_npm_takes_what_the_lock_names_by_its_digest() -> None:
    lock = json.loads((proxy.LOCKED / "package-lock.json").read_text())
    asked = json.loads((proxy.LOCKED / "package.json").read_text())
    assert lock["packages"].pop("")["dependencies"] == asked["dependencies"]
    assert lock["packages"][f"node_modules/{proxy.NAME}"]["version"] == asked["dependencies"][proxy.NAME]
    assert not [name for name, package in lock["packages"].items() if not package["integrity"].startswith("sha512-")]
