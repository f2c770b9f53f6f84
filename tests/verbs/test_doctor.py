"""What the doctor tells to type, where a default is set and where it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kube_magics.jobs import defaults, here
from kube_magics.jobs.debugging import Debugging
from kube_magics.verbs.call import call
from kube_magics.verbs.door import Door

TERMINAL = Door(prog="kube-magics", lasting=False)


def told(capsys: pytest.CaptureFixture[str], door: Door) -> str:
    """The hint about an interpreter that does not start."""
    if door.lasting:
        call(["doctor", "--json"], door, Debugging())
    else:
        with pytest.raises(SystemExit):
            call(["doctor", "--json"], door, Debugging())
    (hint,) = (line["hint"] for line in json.loads(capsys.readouterr().out)["lines"] if line["check"] == "python")
    return str(hint).partition("   ")[0]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_MAGICS_BACKEND", "local")
    monkeypatch.setenv("KUBE_MAGICS_STATE", str(tmp_path))


def test_a_default_is_taken_back_where_it_is_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBE_MAGICS_PYTHON", "/none")
    assert told(capsys, Door()) == "%env KUBE_MAGICS_PYTHON="
    assert told(capsys, TERMINAL) == "unset KUBE_MAGICS_PYTHON"
    monkeypatch.setitem(defaults.configured, "python", "/none")
    assert told(capsys, Door()) == "%kube config python="


def test_of_ipythons_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    here.set_configuration(lambda: {"python": "/none"})
    try:
        assert told(capsys, Door()) == "%config KubeMagics.python = None"
    finally:
        here.set_configuration(dict)
