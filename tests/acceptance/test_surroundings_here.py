"""Machines and interpreters that are not like a laptop's notebook: homes that cannot be written, state that is broken or
of another version, a full disk, Python without IPython, IPython without a kernel, kernels of other versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel import Kernel

pytestmark = pytest.mark.jobs

JOB = """\
import kube_magics
from kube_magics import errors

def square(n):
    print("ran")
    return n * n

try:
    job = kube_magics.train(square, (7,), backend="local")
    print("value", job.result())
    job.delete()
except errors.KubeMagicsError as error:
    print(type(error).__name__, error)
"""
LISTS = """\
from kube_magics.jobs import defaults, loop
from kube_magics.jobs.choose import backend_for

backend = backend_for(defaults.spec({"backend": "local"}, ("backend",)))
print("jobs", [each.name for each in loop.wait(backend.jobs())])
"""


def python(folder: Path, text: str, *command: str, **environment: str) -> str:
    """What a script of its own process prints; it must end well, and say nothing else."""
    script = folder / "script.py"
    script.write_text(text)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "JPY_"))}
    own = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder), "KUBE_MAGICS_STATE": str(folder / "state")}
    done = subprocess.run(
        [sys.executable, *(command or ("-W", "error", str(script)))],
        cwd=folder,
        env={**clean, **own, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def broken(state: Path) -> None:
    """As after a crash of the machine."""
    for path in ("contexts.json", "jobs/old/job.json", "submissions/0123456789abcdef/s.json"):
        (state / path).parent.mkdir(parents=True, exist_ok=True)
        (state / path).write_bytes(b"\x00\xff{")
    (state / "jobs" / "half").mkdir()
    (state / "jobs" / "a file").touch()


def newer(state: Path) -> None:
    """As a version that nobody has written yet might leave it: more fields, and others of another form."""
    content = {"format": 9, "name": {"of": "a job"}, "pid": "none", "process": "host:1", "sent_at": "now", "lines": 3}
    for path in ("jobs/old/job.json", "submissions/0123456789abcdef/s.json"):
        (state / path).parent.mkdir(parents=True, exist_ok=True)
        (state / path).write_text(json.dumps(content))
    (state / "contexts.json").write_text(json.dumps({"version": 9}))


@pytest.mark.parametrize("spoil", [broken, newer])
def test_state_that_cannot_be_understood_is_passed_over(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "state")
    before = sorted(tmp_path.rglob("*"))
    said = python(tmp_path, JOB + LISTS)
    assert said.startswith("value 49\njobs [")
    assert set(before) <= set(tmp_path.rglob("*")), "what is not understood is not thrown away"


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    """Even by root: what a job on this machine needs has no place; which one, and how to give it one, is said."""
    nowhere = "/proc/nowhere"
    said = python(tmp_path, JOB, KUBE_MAGICS_STATE="", HOME=nowhere, XDG_STATE_HOME=f"{nowhere}/state")
    assert said.startswith("SubmitError ")
    assert f"{nowhere}/state/kube_magics" in said.splitlines()[0]
    assert 'os.environ["KUBE_MAGICS_STATE"]' in said
    assert "value 49" in python(tmp_path, JOB, HOME=nowhere, XDG_STATE_HOME=f"{nowhere}/state")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "none", folder], check=False, capture_output=True
    ).returncode
    if made:
        pytest.skip("only root can make a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_here(tmp_path: Path, small_disk: Path) -> None:
    said = python(tmp_path, JOB, KUBE_MAGICS_STATE=str(small_disk))
    assert said.startswith("SubmitError ")
    assert "No space left on device" in said
    assert "next: " in said
    assert not [path for path in small_disk.rglob("*") if path.is_file() and path.suffix != ".json"]


def test_python_without_ipython(tmp_path: Path) -> None:
    said = python(tmp_path, "import sys\nsys.modules['IPython'] = None\nsys.modules['traitlets'] = None\n" + JOB)
    assert said == "value 49\n"


def test_ipython_without_a_kernel_and_the_magics_loaded_again(tmp_path: Path) -> None:
    """A terminal's: no event loop runs there, and nobody answers to displays."""
    cells = (
        "%load_ext kube_magics\n%load_ext kube_magics\n%reload_ext kube_magics",
        "%kube config backend=local",
        "get_ipython().run_cell_magic('kubetrain', '--returns x', 'x = 6 * 7\\nprint(\"ran\")')",
        "print('value', x)\nimport asyncio\nprint(asyncio.run(asyncio.sleep(0, 'a loop of its own')))",
        "%kube jobs",
    )
    for number, cell in enumerate(cells):
        (tmp_path / f"{number}.ipy").write_text(cell)
    text = "\n".join(f"%run -i {number}.ipy" for number in range(len(cells)))
    (tmp_path / "all.ipy").write_text(text)
    said = python(tmp_path, "", "-m", "IPython", "--no-banner", "--colors=NoColor", "all.ipy")
    assert "ran\n" in said
    assert "value 42\n" in said
    assert "a loop of its own" in said
    assert "done in" in said


def test_magics_loaded_twice_in_a_kernel_run_a_cell_once(tmp_path: Path) -> None:
    with Kernel(tmp_path, {"HOME": str(tmp_path), "KUBE_MAGICS_STATE": str(tmp_path / "state")}) as kernel:
        for line in ("%load_ext kube_magics", "%load_ext kube_magics", "%reload_ext kube_magics"):
            assert kernel.run(line).error is None
        ran = kernel.run("%%kubetrain --returns x\nprint('ran')\nx = 42")
        assert (ran.error, ran.stdout.count("ran\n")) == (None, 1), ran
        assert kernel.value("x") == "42"


@pytest.mark.long
@pytest.mark.parametrize("version", ["ipykernel<7", "ipykernel>=7,<8"])
def test_kernels_of_two_versions(tmp_path: Path, version: str) -> None:
    """Both event loops, both ways of sending a thread's output; an interrupt, an exception, a picture's place."""
    packages = tmp_path / "packages"
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(packages)]
    subprocess.run([*command, version, "nest_asyncio", "comm"], check=True)
    path = os.pathsep.join([str(packages), *sys.path])
    home = {"HOME": str(tmp_path), "KUBE_MAGICS_STATE": str(tmp_path / "state"), "PYTHONPATH": path}
    with Kernel(tmp_path, home) as kernel:
        major = kernel.value("__import__('ipykernel').version_info[0]")
        assert major == ("6" if "<7" in version else "7")
        assert kernel.run("%load_ext kube_magics").error is None
        ran = kernel.run("%%kubetrain --returns x\nimport time\nfor n in range(3):\n    print(n)\nx = 42")
        assert (ran.error, "0\n1\n2\n" in ran.stdout, kernel.value("x")) == (None, True, "42"), ran
        assert kernel.run("%%kubetrain\n1 / 0").error == "ZeroDivisionError"
        assert kernel.run("import asyncio\nawait asyncio.sleep(0)\nprint(1)").stdout == "1\n"
        request = kernel.send("%%kubetrain --name slow\nimport time\nprint('up', flush=True)\ntime.sleep(60)")
        while "up\n" not in kernel.peek(request).stdout:
            pass
        kernel.interrupt()
        ran = kernel.finish(request)
        assert ran.error == "Detached", ran
        assert kernel.run("%kube delete slow").error is None
