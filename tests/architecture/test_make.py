"""What make says on a machine that lacks something."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.sources import CHECKOUT

# Passes the question for the version, and has no ensurepip: as Debian's python3 without python3-venv.
WITHOUT_VENV = '#!/bin/sh\ncase "$2" in *version_info*) exit 0;; esac\nexit 1\n'


def said(folder: Path, python: Path | str) -> str:
    """The error of the set-up with `python` in a checkout that has none yet."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "constraints.txt"):
        shutil.copy(CHECKOUT / name, folder)
    done = subprocess.run(
        ["make", "-C", folder, "demo", f"PYTHON={python}"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert not list(folder.glob(".venv/*"))
    return done.stderr


@pytest.mark.parametrize("python", ["false", "no-such-python"])
def test_an_old_or_missing_python_is_named_with_what_to_do(tmp_path: Path, python: str) -> None:
    error = said(tmp_path, python)
    assert f'needs Python 3.11 or newer, and "{python}" is not' in error
    assert "make PYTHON=python3" in error


def test_a_python_without_venv_is_named_with_the_package_that_brings_it(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(WITHOUT_VENV)
    python.chmod(0o755)
    assert "apt-get install python3-venv" in said(tmp_path, python)
