"""From the container's command to the user's first line."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kube_magics.runner import shipped, unpack
from tests.runner import bundles

SOURCE = """
import os, sys
print(sorted(name for name in os.environ if name.startswith("KUBE_MAGICS_BUNDLE")))
print(oct(os.stat(os.path.dirname(sys.argv[0])).st_mode & 0o777), os.getcwd() == os.path.dirname(sys.argv[0]) + "/work")
"""


def boot(tmp_path: Path, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [bundles.PYTHON, "-c", shipped.boot()]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), **env}
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)


def test_a_bundle_in_the_environment_runs_and_is_not_seen_by_the_program(tmp_path: Path) -> None:
    done = boot(tmp_path, bundles.boot_environment(bundles.packed(SOURCE)))
    log = bundles.Log(done.stdout, done.returncode)
    assert log.out.decode().splitlines() == ["[]", "0o700 True"]
    assert (log.end["reason"], log.code, done.stderr) == ("completed", 0, b"")


def test_a_stop_while_the_bundle_is_unpacked_is_not_lost(tmp_path: Path) -> None:
    """The first process of a container is not even ended by a signal that it does not handle."""
    bundle = bundles.zipped({**bundles.files("import time\ntime.sleep(60)", grace_s=3), **bundles.told_early("launch")})
    done = boot(tmp_path, bundles.boot_environment(bundle))
    log = bundles.Log(done.stdout, done.returncode)
    assert (log.events[-1]["reason"], done.stderr) == ("stopped", b"")


def test_a_bundle_in_parts_is_waited_for(tmp_path: Path) -> None:
    bundle = bundles.packed("print('here')")
    for number in range(3):
        size = len(bundle) // 3 + 1
        (tmp_path / f"part-{number:03}").write_bytes(bundle[number * size : (number + 1) * size])
    late = tmp_path / "part-001"
    late.rename(tmp_path / "late")
    process = subprocess.Popen(
        [bundles.PYTHON, "-c", shipped.boot()],
        stdout=subprocess.PIPE,
        env={
            **os.environ,
            "TMPDIR": str(tmp_path / "tmp"),
            "KUBE_MAGICS_BUNDLE_DIR": str(tmp_path),
            "KUBE_MAGICS_BUNDLE_PARTS": "3",
            "KUBE_MAGICS_BUNDLE_SHA256": hashlib.sha256(bundle).hexdigest(),
        },
    )
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    (tmp_path / "late").rename(late)
    out, _ = process.communicate(timeout=60)
    assert bundles.Log(out, process.returncode).out == b"here\n"


def test_a_damaged_bundle_is_refused_and_says_so(tmp_path: Path) -> None:
    env = bundles.boot_environment(bundles.zipped(bundles.files()))
    done = boot(tmp_path, {**env, "KUBE_MAGICS_BUNDLE_SHA256": "0" * 64})
    assert done.returncode != 0
    (end,) = bundles.Log(done.stderr).events
    assert (end["e"], end["reason"]) == ("end", "bundle")
    assert not (tmp_path / "tmp").exists()


def test_importing_boot_does_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", "import kube_magics.runner.boot"], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_unpacking_reads_what_zipfile_writes(tmp_path: Path) -> None:
    content = {"a.txt": b"", "folder/b.bin": bytes(range(256)) * 1000, "folder/deep/ü.py": b"x = 1\n"}
    unpack.unpack(bundles.zipped(content), str(tmp_path))
    assert {name: (tmp_path / name).read_bytes() for name in content} == content


def test_what_travels_is_the_code_and_nothing_but_the_code() -> None:
    with_gpus, without = shipped.files({"gpus": 1}), shipped.files({"gpus": 0})
    assert set(with_gpus) - set(without) == {f"kube_magics_runner/{name}.py" for name in ("gpus", "nvml", "smi")}
    assert {"main.py", "kube_magics/__init__.py", "kube_magics_runner/__main__.py"} < set(without)
    for path, content in with_gpus.items():
        compile(content, path, "exec")
    assert len(bundles.packed(install={"auto": True})) < 41 * 1024
    assert len(bundles.packed()) < 34 * 1024  # of the 48 KiB that an environment variable takes
