"""The install step: real installers in real processes, from an index of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.packages.index import CONTENT, Distribution, Index, serving
from tests.runner.bundles import Log, run

pytestmark = pytest.mark.jobs

STEP = {"stage": "installing", "reason": "install", "module": "kube_magics_runner.install", "args": ["asked"]}
HAS = (
    Distribution("km-plain", "1.0"),
    Distribution("numpy", "1.26.4+image", modules={"numpy/__init__.py": "__version__ = '1.26.4+image'\n"}),
)
"""What the interpreter of the tests has already, as an image would."""
BOTH = pytest.mark.parametrize("tool", ["uv", "pip"])
UV_FIRST = pytest.mark.parametrize("tool", ["uv", pytest.param("pip", marks=pytest.mark.long)])
"""pip takes seconds for each; what it says is also in test_refusals.py."""


@dataclass(frozen=True)
class Image:
    """Interpreters as images have them, and an index."""

    index: Index
    folder: Path

    def run(
        self, folder: Path, tool: str, source: str, *asked: str, env: dict[str, str] | None = None, **spec: Any
    ) -> Log:
        """A job that asks for `asked` (or, with none, has imports that may be lacking) in the image with `tool`."""
        python = self.folder / ("with-pip" if tool == "pip" else "bare") / "bin" / "python"
        programs = f"{self.folder / 'tools'}:/usr/bin:/bin" if tool == "uv" else "/usr/bin:/bin"
        plan = {
            "requirements": list(asked),
            "constraints": [],
            "more": [],
            "auto": not asked,
            "cache": None,
            **spec.pop("install", {}),
        }
        environment = {
            "PATH": programs,
            "HOME": str(self.folder / "home"),
            "PIP_INDEX_URL": self.index.url(),
            "PIP_CONFIG_FILE": os.devnull,
            "XDG_CONFIG_HOME": os.devnull,
            "PIP_RETRIES": "1",
            "UV_HTTP_RETRIES": "0",
            **(env or {}),
        }
        before = {"before": [STEP]} if asked or plan["constraints"] else {}
        return run(folder, source, python=str(python), install=plan, env=environment, **before, **spec)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    (folder / "home").mkdir()
    (folder / "tools").mkdir()
    uv = Path(sys.executable).with_name("uv")
    (folder / "tools" / "uv").symlink_to(uv)
    with serving() as index:
        for name in ("bare", "with-pip"):
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / name], check=True)
            site = next((folder / name).glob("lib/python*/site-packages"))
            for found in HAS:
                wheel = folder / found.filename
                wheel.write_bytes(found.data())
                shutil.unpack_archive(wheel, site, "zip")
            if name == "with-pip":
                for path in Path(sysconfig.get_path("purelib")).glob("pip*"):
                    (site / path.name).symlink_to(path)
        yield Image(index, folder)


def ended(log: Log) -> tuple[str, str]:
    assert log.events[-1]["e"] == "end", log.raw
    return log.events[-1]["reason"], log.err.decode()


@BOTH
def test_what_the_program_lacks_is_installed_at_the_notebooks_version(tmp_path: Path, image: Image, tool: str) -> None:
    imports = {"km_says": "km-says==1.0", "km_plain": "km-plain==2.0", "km_imported": "km-import-name==1.0"}
    source = "import km_imported, km_plain\nimport subprocess\nprint(km_plain.version, km_imported.version)\nprint(subprocess.check_output('km-say', text=True))"
    log = image.run(tmp_path, tool, source, imports=imports)
    assert ended(log) == ("completed", f"installing km-says 1.0, km-import-name 1.0 ({tool})\n")
    assert log.out == b"1.0 1.0\nsaid\n\n", "the image's km-plain stays, whatever the notebook has"
    assert [event["name"] for event in log.all("stage")] == ["installing", "running"]
    assert log.all("start")[-1]["versions"] == {"km_says": "1.0", "km_plain": "1.0", "km_imported": "1.0"}


def test_nothing_missing_starts_no_other_process(tmp_path: Path, image: Image) -> None:
    asked = len(image.index.asked)
    log = image.run(tmp_path, "uv", "import km_plain", imports={"km_plain": "km-plain==2.0", "json": None})
    assert ended(log) == ("completed", "")
    assert [event["name"] for event in log.all("stage")] == ["running"]
    assert len(log.all("start")) == 1
    assert len(image.index.asked) == asked


def test_what_not_even_the_notebook_has_is_never_guessed(tmp_path: Path, image: Image) -> None:
    asked = len(image.index.asked)
    log = image.run(tmp_path, "uv", "print('ran')", imports={"km_says": None, "km_needs": "km-needs==1.0"})
    assert (log.events[-1]["reason"], log.out) == ("import", b"")
    assert "this image lacks km_says, km-needs (1.0 in the notebook)" in log.error["message"]
    assert len(image.index.asked) == asked


@UV_FIRST
def test_what_is_asked_for_stands_before_the_images_own(tmp_path: Path, image: Image, tool: str) -> None:
    source = "import km_plain, km_needs, os, sys\nprint(km_plain.version, sys.prefix == os.path.dirname(os.path.dirname(sys.executable)))"
    log = image.run(tmp_path, tool, source, "km-plain==2.0", "km-needs")
    assert ended(log) == ("completed", f"installing km-plain 2.0, km-needs ({tool})\n")
    assert log.out == b"2.0 True\n"


@BOTH
def test_what_comes_along_never_replaces_what_the_image_has(tmp_path: Path, image: Image, tool: str) -> None:
    asked = len(image.index.asked)
    log = image.run(tmp_path, tool, "import numpy, km_on_numpy\nprint(numpy.__version__)", "km-on-numpy")
    assert ended(log)[0] == "completed"
    assert log.out == b"1.26.4+image\n"
    assert not [path for path in image.index.asked[asked:] if "numpy-99" in path]
    packages = tmp_path / "packages"
    assert not list(packages.rglob("numpy*")), "nor is it put beside it"


def test_what_is_there_already_needs_no_installer(tmp_path: Path, image: Image) -> None:
    log = image.run(tmp_path, "none", "import km_plain\nprint(km_plain.version)", "km-plain", "numpy==1.26.4")
    assert (ended(log), log.out) == (("completed", ""), b"1.0\n")


@UV_FIRST
@pytest.mark.parametrize(
    ("asked", "sentence", "fix"),
    [
        (["km-no-such"], "the package index has no km-no-such", "correct its name"),
        (["km-plain==7"], "the package index has no km-plain==7", "--pip km-plain"),
        (["km-later"], "does not support the image's Python", "--image with the Python"),
        (["km-on-new-numpy"], "does not go with the image's numpy", "--pip with numpy too"),
        (["km-plain==2.0", "km-old-only"], "does not go together", "looser versions"),
        (["km-built"], "building it failed", "--image with a compiler"),
        (["km-says==1.0 --hash=sha256:" + "0" * 64], "whose hash", "correct the requirements file"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_installed_is_explained(
    tmp_path: Path, image: Image, tool: str, asked: list[str], sentence: str, fix: str
) -> None:
    log = image.run(tmp_path, tool, "print('ran')", *asked)
    assert (log.events[-1]["reason"], log.out) == ("install", b""), log.err.decode()
    assert sentence in log.error["message"], log.error
    assert fix in log.error["fix"]
    assert log.error["text"].strip()


@UV_FIRST
def test_an_index_that_is_not_there(tmp_path: Path, image: Image, tool: str) -> None:
    env = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    log = image.run(tmp_path, tool, "print('ran')", imports={"km_says": "km-says==1.0"}, env=env)
    assert log.error["message"].startswith("the image lacks km-says 1.0, and no package index could be reached")
    assert "--env PIP_INDEX_URL=" in log.error["fix"]


def test_a_password_in_the_url_of_an_index_is_not_told(tmp_path: Path, image: Image) -> None:
    talkative = tmp_path / "bin" / "uv"
    talkative.parent.mkdir()
    talkative.write_text("#!/bin/sh\necho error: Failed to fetch: \\`${UV_DEFAULT_INDEX}x/\\`\nexit 2\n")
    talkative.chmod(0o755)
    env = {
        "PATH": f"{talkative.parent}:/usr/bin:/bin",
        "PIP_INDEX_URL": "https://reader:hunter@2@index.example/simple/",
    }
    log = image.run(tmp_path / "job", "uv", "print('ran')", "km-says", env=env)
    assert log.error["text"] == "error: Failed to fetch: `https://***@index.example/simple/x/`"
    assert b"hunter" not in log.raw


def test_an_image_with_no_installer_lacks_what_it_lacks(tmp_path: Path, image: Image) -> None:
    if bundled():
        pytest.skip("this interpreter brings a pip of its own")
    log = image.run(tmp_path, "none", "print('ran')", imports={"km_says": "km-says==1.0"})
    assert (log.error["type"], log.events[-1]["reason"]) == ("ModuleNotFoundError", "import")
    assert "this image lacks km-says (1.0 in the notebook), and has neither pip nor uv" in log.error["message"]


def bundled() -> bool:
    from kube_magics.runner.installers import NoInstaller, _wheels

    assert NoInstaller
    return any(list(Path(folder).glob("pip-*.whl")) for folder in _wheels())


@pytest.mark.long
def test_the_pip_that_ensurepip_carries(tmp_path: Path, image: Image) -> None:
    if not bundled():
        pytest.skip("this interpreter brings no pip")
    log = image.run(tmp_path, "none", "import km_says", imports={"km_says": "km-says==1.0"})
    assert ended(log) == ("completed", "installing km-says 1.0 (pip)\n")


def test_a_second_set_stands_beside_the_first(tmp_path: Path, image: Image) -> None:
    log = image.run(
        tmp_path,
        "uv",
        "import km_says, km_plain\nprint(km_plain.version)",
        "km-plain==2.0",
        imports={"km_says": "km-says==1.0"},
        install={"auto": True},
    )
    assert ended(log) == ("completed", "installing km-plain 2.0 (uv)\ninstalling km-says 1.0 (uv)\n")
    assert log.out == b"2.0\n"


def test_a_set_is_kept_for_the_next_job(tmp_path: Path, image: Image) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    source = "import km_plain, subprocess\nprint(km_plain.version, subprocess.check_output('km-say', text=True))"
    asked = ["km-plain==2.0", "km-says"]
    first = image.run(tmp_path / "1", "uv", source, *asked, install={"cache": str(cache)})
    before = len(image.index.asked)
    second = image.run(tmp_path / "2", "uv", source, *asked, install={"cache": str(cache)})
    assert ended(first) == ("completed", "installing km-plain 2.0, km-says (uv)\n")
    assert ended(second) == ("completed", "from the cache: km-plain 2.0, km-says\n")
    assert first.out == second.out == b"2.0 said\n\n"
    assert len(image.index.asked) == before
    other = image.run(
        tmp_path / "3", "uv", "import km_plain\nprint(km_plain.version)", "km-plain==2.0", install={"cache": str(cache)}
    )
    assert ended(other) == ("completed", "installing km-plain 2.0 (uv)\n")
    assert len(list(cache.iterdir())) == 2


def test_of_two_jobs_at_once_one_keeps_its_set_and_both_have_theirs(tmp_path: Path, image: Image) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()

    def job(number: int) -> Log:
        source = "import km_needs, km_plain\nprint(km_plain.version)"
        return image.run(
            tmp_path / str(number), "uv", source, "km-plain==2.0", "km-needs", install={"cache": str(cache)}
        )

    with ThreadPoolExecutor(2) as pool:
        logs = list(pool.map(job, range(2)))
    assert [(ended(log)[0], log.out) for log in logs] == [("completed", b"2.0\n")] * 2
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_is_read_only_or_missing_is_no_hindrance(tmp_path: Path, image: Image) -> None:
    log = image.run(tmp_path, "uv", "import km_says", "km-says", install={"cache": str(tmp_path / "no" / "such")})
    reason, said = ended(log)
    assert reason == "completed"
    assert (
        "the cache cannot be written to (No such file or directory): these packages are installed for this job" in said
    )


def test_a_full_cache_is_no_hindrance(tmp_path: Path, image: Image) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", cache], check=False, capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (cache / "fill").write_bytes(b"x" * 56 * 1024)
        log = image.run(tmp_path, "uv", "import km_says", "km-says", install={"cache": str(cache)})
        assert [path.name for path in cache.iterdir()] == ["fill"]
    finally:
        subprocess.run(["umount", cache], check=True)
    assert ended(log)[0] == "completed"
    assert "the cache is full: these packages are installed for this job alone" in ended(log)[1]


LOADS = {"definitions": [{"do": "load", "name": "X"}]}


def test_other_versions_of_the_libraries_of_captured_values_are_said_first(tmp_path: Path, image: Image) -> None:
    imports = {"km_plain": "km-plain==2.0", "numpy": "numpy==1.26.9"}
    data = {"data.pkl": b"ckm_plain\nversion\n."}
    log = image.run(tmp_path, "uv", "print(X)", imports=imports, pickled=imports, of_program=LOADS, replaced=data)
    assert (log.out, log.err) == (b"1.0\n", b"captured values: km-plain is 2.0 in the notebook and 1.0 here\n")


def test_other_versions_are_the_cause_where_captured_values_cannot_be_loaded(tmp_path: Path, image: Image) -> None:
    imports = {"km_plain": "km-plain==2.0"}
    data = {"data.pkl": b"ckm_plain\nNewName\n."}
    log = image.run(tmp_path, "uv", "print(X)", imports=imports, pickled=imports, of_program=LOADS, replaced=data)
    assert log.out == b""
    assert log.error["message"].endswith("(km-plain is 2.0 in the notebook and 1.0 here)")
    told = log.err.decode()
    assert told.index("AttributeError") < told.index("VersionSkew: km-plain is 2.0") < told.index("RuntimeError: X was")


def test_every_file_of_the_index_is_what_the_tests_think() -> None:
    assert len({found.filename for found in CONTENT}) == len(CONTENT)
