"""Who may import what, beyond the layers that import-linter holds."""

from __future__ import annotations

import configparser
import sys

import pytest
from packaging.requirements import Requirement

from tests.architecture.sources import CHECKOUT, files, imported, name

# Package -> the only files that may import it. Folders end in /.
OWNERS = {
    "cloudpickle": ["kube_magics/cells/results.py"],
    "kubernetes": ["kube_magics/cluster/auth.py"],
    "aiohttp": ["kube_magics/cluster/"],
    # In the pod its printer shows a cell's value, where the image has it.
    "IPython": ["kube_magics/magics/", "kube_magics/widgets/", "kube_magics/runner/pretty.py"],
    "ipywidgets": ["kube_magics/widgets/"],
    "anywidget": ["kube_magics/widgets/"],
    "yaml": ["kube_magics/verbs/", "kube_magics/manifests/", "kube_magics/cluster/"],
}
# Where the name to install differs from the name to import.
DISTRIBUTIONS = {"yaml": "PyYAML"}
POSIX_ONLY = {
    "crypt", "curses", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "readline", "resource", "spwd",
    "syslog", "termios", "tty",
}  # fmt: skip
# The notebook may run on Windows or macOS. The runner's own process is in a container; the local backend is beside it.
MAY_BE_POSIX = ["kube_magics/runner/", "kube_magics/backends/local"]
EVERYWHERE = ["kube_magics/runner/protocol.py", "kube_magics/runner/__init__.py", "kube_magics/runner/report.py"]


def within(path: str, places: list[str]) -> bool:
    return path.startswith(tuple(places))


@pytest.mark.parametrize("package", OWNERS)
def test_a_foreign_package_has_one_owner(package: str) -> None:
    strangers = [
        f"{name(path)}:{line}"
        for path in files()
        for line, module in imported(path)
        if module == package and not within(name(path), OWNERS[package])
    ]
    assert not strangers, f"{package} is imported outside {OWNERS[package]}"


def test_posix_stays_in_the_runners_process_and_the_local_backend() -> None:
    misplaced = [
        f"{name(path)}:{line} {module}"
        for path in files()
        for line, module in imported(path)
        if module in POSIX_ONLY and (name(path) in EVERYWHERE or not within(name(path), MAY_BE_POSIX))
    ]
    assert not misplaced


def test_what_is_imported_is_declared() -> None:
    config = configparser.ConfigParser()
    config.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    texts = [config["options"]["install_requires"], config["options.extras_require"]["lab"]]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    declared = {Requirement(line).name.lower() for line in lines if line and not line.startswith("#")}
    ours = {"kube_magics", "kube_magics_runner", *sys.stdlib_module_names}
    undeclared = {
        f"{name(path)}:{line} {module}"
        for path in files()
        for line, module in imported(path)
        if module not in ours and DISTRIBUTIONS.get(module, module).lower() not in declared
    }
    assert not undeclared
