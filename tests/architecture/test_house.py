"""What people type and read: versions, make targets, metadata."""

from __future__ import annotations

import configparser
import functools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.architecture.sources import CHECKOUT

MAKEFILE = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
PAGES = [CHECKOUT / page for page in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    return parser


def requirements() -> list[Requirement]:
    """All that setup.cfg asks for, extras included."""
    config = setup_cfg()
    texts = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@functools.cache
def locked() -> list[Requirement]:
    lines = (CHECKOUT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("wanted", requirements(), ids=str)
def test_exactly_one_locked_version_satisfies_the_metadata(wanted: Requirement, python: str) -> None:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    versions = [
        Version(next(iter(pin.specifier)).version)
        for pin in locked()
        if normal(pin.name) == normal(wanted.name) and (pin.marker is None or pin.marker.evaluate(environment))
    ]
    assert len(versions) == 1
    assert wanted.specifier.contains(versions[0])


def test_every_locked_version_is_exact() -> None:
    assert not [str(pin) for pin in locked() if [item.operator for item in pin.specifier] != ["=="]]


def test_metadata_stands_in_setup_cfg_and_nowhere_else() -> None:
    tools = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(tools) == {"build-system", "tool"}
    assert "setuptools" not in tools["tool"]
    # A section of another name would be a tool's settings.
    assert all(section == "metadata" or section.startswith("options") for section in setup_cfg().sections())
    twice = [
        "setup.py",
        "requirements.txt",
        "MANIFEST.in",
        "tox.ini",
        "pytest.ini",
        "mypy.ini",
        "ruff.toml",
        ".importlinter",
    ]
    assert not [other for other in twice if (CHECKOUT / other).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_make_targets_that_exist(page: Path) -> None:
    named = set(re.findall(r"(?:`|^ *|\$ )make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= TARGETS


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "-C", CHECKOUT], capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make ([a-z-]+) +\S", shown, re.MULTILINE)) == TARGETS


def test_phony_names_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == TARGETS


def test_readme_says_how_to_begin() -> None:
    assert "make demo" in (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_conftest_does_nothing_when_imported() -> None:
    # Else nothing can be collected on a laptop without a cluster, a kubeconfig or a network.
    program = Path(__file__).with_name("import_conftest.py")
    done = subprocess.run([sys.executable, program], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
