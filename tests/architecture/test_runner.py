"""The runner runs in whatever Python the user's image has, and brings nothing along."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGE, files, imported, name

RUNNER = PACKAGE / "runner"
ARTIFACTS = PACKAGE / "artifacts"
# They act when they are imported: boot is the text that `python -c` gets, main becomes the bundle's main.py.
PROGRAMS = ("__init__", "boot", "main")


@pytest.mark.parametrize("path", files(RUNNER), ids=name)
def test_runner_needs_the_standard_library_only(path: Path) -> None:
    known = sys.stdlib_module_names | {"kube_magics_runner"}  # its own name in the bundle
    needed = imported(path, optional=False)
    foreign = [f"line {line}: {module}" for line, module in needed if module not in known]
    assert not foreign


@pytest.mark.parametrize("path", files(ARTIFACTS), ids=name)
def test_the_store_needs_fsspec_only_where_a_url_does(path: Path) -> None:
    known = sys.stdlib_module_names | {"kube_magics_runner"}
    needed = imported(path, optional=False)
    assert {module for _, module in needed} - known <= {"fsspec"}
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    assert not [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "fsspec"]


@pytest.mark.parametrize("path", files(RUNNER), ids=name)
def test_runner_parses_as_python_3_8(path: Path) -> None:
    assert ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8)).body


def test_runner_can_be_imported_under_its_other_name_without_site_packages(tmp_path: Path) -> None:
    shutil.copytree(RUNNER, tmp_path / "kube_magics_runner")
    modules = [f"kube_magics_runner.{path.stem}" for path in files(RUNNER) if path.stem not in PROGRAMS]
    code = (
        f"import importlib, sys; sys.path.insert(0, {str(tmp_path)!r}); [importlib.import_module(m) for m in {modules}]"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_boot_is_under_1100_bytes() -> None:
    # Every container carries it in its command, where people read it with `kubectl describe`.
    assert len((RUNNER / "boot.py").read_bytes()) < 1100


def test_report_stands_alone() -> None:
    # It becomes `kube_magics/__init__.py` in the bundle: a relative import would find nothing there.
    tree = ast.parse((RUNNER / "report.py").read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
