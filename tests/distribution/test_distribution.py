"""The wheel is made from the sdist, has all of the package and nothing else, and works where nothing was installed."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from kube_magics.version import VERSION
from tests.architecture.sources import CHECKOUT
from tests.architecture.test_house import setup_cfg

pytestmark = pytest.mark.demo

UV = Path(sys.executable).with_name("uv")
CELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in ("%load_ext kube_magics", "def twice(x):\\n    return 2 * x", "%%kubetrain --returns y\\ny = twice(21)"):
    shell.run_cell(cell, store_history=True).raise_error()
print("cell:", shell.user_ns["y"])
"""
CALL = """
import kube_magics, sys
def twice(x):
    return 2 * x
if __name__ == "__main__":
    print("call:", kube_magics.train(twice, args=(21,)).result())
    print("from:", kube_magics.__file__, file=sys.stderr)
"""


@dataclass(frozen=True)
class Built:
    sdist: Path
    wheel: Path

    def names(self) -> set[str]:
        return set(zipfile.ZipFile(self.wheel).namelist())

    def metadata(self) -> email.message.Message:
        name = next(each for each in self.names() if each.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(zipfile.ZipFile(self.wheel).read(name))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout as git has it or would take it: a build leaves its traces there, and finds none."""
    folder = tmp_path_factory.mktemp("tree")
    listed = ["git", "-C", CHECKOUT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((CHECKOUT / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("out")
    # The wheel comes from the sdist, which so has all that it takes.
    command = [UV, "build", "--quiet", "--build-constraints", CHECKOUT / "constraints.txt", "--out-dir", out, tree]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Built(next(out.glob("*.tar.gz")), next(out.glob("*.whl")))


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(built: Built, tree: Path) -> None:
    package = {path.relative_to(tree).as_posix() for path in (tree / "kube_magics").rglob("*") if path.is_file()}
    assert {"kube_magics/runner/boot.py", "kube_magics/py.typed"} <= package
    found = built.names()
    assert {name for name in found if ".dist-info/" not in name} == package
    with tarfile.open(built.sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert package <= packed
    assert {"LICENSE", "README.md", "setup.cfg", "pyproject.toml"} <= packed


def test_the_metadata_says_what_it_is_what_it_needs_and_its_extras(built: Built) -> None:
    metadata = built.metadata()
    assert (metadata["Name"], metadata["Version"]) == ("kube-magics", VERSION)
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("Apache-2.0", ">=3.11")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().lstrip().startswith("# kube_magics")
    extras = list(setup_cfg()["options.extras_require"])
    assert sorted(metadata.get_all("Provides-Extra")) == sorted(extras)
    stated = (CHECKOUT / "docs" / "tutorial.md").read_text("utf-8")
    assert [extra for extra in extras if f"`{extra}`" not in stated] == []


def test_an_index_would_take_it(built: Built) -> None:
    check = [sys.executable, "-m", "twine", "check", "--strict", built.sdist, built.wheel]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_works_in_an_empty_environment(built: Built, tmp_path: Path) -> None:
    python = tmp_path / "empty" / "bin" / "python"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "PYTHON", "VIRTUAL"))}
    clean |= {"HOME": str(tmp_path), "KUBE_MAGICS_STATE": str(tmp_path / "state")}
    ours = {name: value for name, value in os.environ.items() if name == "HOME"}
    for command in (
        [UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "empty"],
        [UV, "pip", "install", "--quiet", "--python", python, "-c", CHECKOUT / "constraints.txt", built.wheel],
    ):
        done = subprocess.run(command, env=clean | ours, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    for name, source, said in (("cell", CELL, "cell: 42"), ("call", CALL, "call: 42")):
        script = tmp_path / f"{name}.py"
        script.write_text(source)
        done = subprocess.run(
            [python, script],
            cwd=tmp_path,
            env=clean,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said in done.stdout, done.stdout + done.stderr
        assert (name == "cell") or str(tmp_path / "empty") in done.stderr
