"""The kernel is killed at each stage of a cell's life: the job goes on, the next kernel finds it and has its value."""

from __future__ import annotations

import fcntl
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.desk import Desk, environment, eventually
from tests.acceptance.gate import Gate
from tests.cluster import Cluster
from tests.kernel import Kernel

pytestmark = pytest.mark.jobs

CELL = "%%kubetrain --cpus 100m --returns n --name {name}\nimport time\nprint('up', flush=True)\ntime.sleep({seconds})\nn = len(data)"
SLOW = """class Slow:
    def __setstate__(self, state):
        import pathlib, time
        self.__dict__.update(state)
        pathlib.Path('loading').touch()
        while not pathlib.Path('go on').exists():
            time.sleep(0.05)
"""
"""What takes its time to be unpickled."""
SMALL, LARGE = "data = b'x' * 42", "import os\ndata = os.urandom(60_000)"


@contextmanager
def another(desk: Desk, more: dict[str, str] | None = None) -> Iterator[Kernel]:
    """The next kernel of the same notebook, or one that is going to be killed."""
    with Kernel(desk.folder, {**environment(desk), **(more or {})}) as kernel:
        assert kernel.run("%load_ext kube_magics").error is None
        yield kernel


def killed(kernel: Kernel) -> None:
    os.kill(kernel.pid, signal.SIGKILL)


def killed_at_the_gate(desk: Desk, gated: Gate, cell: str, prepared: str) -> None:
    """A kernel that is killed while the gate holds its cell's submit."""
    with another(desk) as kernel:
        kernel.run(prepared)
        kernel.send(cell)
        assert gated.held.wait(60)
        killed(kernel)
    gated.hold()


def status(kernel: Kernel, name: str) -> str:
    found = re.search(rf"^{name} +(\S+).*$", kernel.run("%kube jobs").text, re.MULTILINE)
    return found[1] if found else "none"


def taken_up(kernel: Kernel, cell: str, prepared: str = SMALL) -> None:
    """The same cell in the next kernel is the same job, and gives its value."""
    assert kernel.run(prepared).error is None
    ran = kernel.run(cell)
    assert ran.error is None, ran
    assert "of this same cell" in ran.stdout, ran
    assert "\nup\n" in ran.stdout
    assert kernel.value("n == len(data)") == "True"


@pytest.mark.parametrize("seconds", [8, 0], ids=["while it runs", "after its end"])
def test_killed_while_it_runs_or_before_its_value_was_fetched(anywhere: Desk, seconds: int) -> None:
    name = f"killed-{seconds}"
    cell = CELL.format(name=name, seconds=seconds)
    with another(anywhere) as kernel:
        kernel.run(SMALL)
        kernel.run(cell.replace(" --returns", " --detach --returns")) if not seconds else kernel.send(cell)
        anywhere.says(name, "up\n")
        killed(kernel)
    with another(anywhere) as kernel:
        if not seconds:
            eventually(lambda: status(kernel, name) == "succeeded", "its end")
        line = re.search(rf"^{name} .*$", kernel.run("%kube jobs").text, re.MULTILINE)
        assert line, "it is found"
        assert re.search(r" acceptance\.ipynb  In \[3\]  gone$", line[0]), "where it came from"
        taken_up(kernel, cell)
        assert kernel.run(f"%kube delete {name}").error is None


def test_killed_while_its_value_is_loaded(here: Desk) -> None:
    """It has not been fetched: nothing on the job, and no record, says so before the value has its name."""
    cell = "%%kubetrain --name loading --returns n\nprint('up')\nn = Slow()\nn.x = 1"
    with another(here) as kernel:
        kernel.run(SLOW)
        kernel.send(cell)
        eventually((here.folder / "loading").exists, "the loading of its value")
        killed(kernel)
    (here.folder / "go on").touch()
    with another(here) as kernel:
        kernel.run(SLOW)
        ran = kernel.run(cell)
        assert "its results have not been fetched yet: attached" in ran.stdout, ran
        assert kernel.value("n.x") == "1"
        kernel.run("%kube delete loading")


@pytest.mark.cluster
def test_killed_while_it_waits(there: Desk, cluster: Cluster) -> None:
    """For GPUs that another job holds."""
    cell = CELL.format(name="waits", seconds=0).replace("--cpus", "--gpus 1 --cpus")
    total = next(iter(cluster.kubectl.get("nodes")["items"]))["status"]["allocatable"]["nvidia.com/gpu"]
    there.right(f"%%kubetrain --detach --name holds --cpus 100m --gpus {total}\nimport time\ntime.sleep(600)")
    eventually(lambda: status(there.kernel, "holds") == "running", "the job that holds them")
    with another(there) as kernel:
        kernel.run(SMALL)
        kernel.send(cell)
        eventually(lambda: status(there.kernel, "waits") == "pending", "its waiting")
        killed(kernel)
    there.right("%kube delete holds")
    with another(there) as kernel:
        taken_up(kernel, cell)
        kernel.run("%kube delete waits")


@pytest.mark.cluster
def test_killed_before_the_post(there: Desk, gated: Gate) -> None:
    """Nothing was made, and nothing is found."""
    cell = CELL.format(name="early", seconds=0)
    gated.hold(request=r"^POST .*/jobs$")
    killed_at_the_gate(there, gated, cell, SMALL)
    with another(there) as kernel:
        assert status(kernel, "early") == "none"
        kernel.run(SMALL)
        ran = kernel.run(cell)
        assert ran.error is None, ran
        assert "same cell" not in ran.stdout
        kernel.run("%kube delete early")


@pytest.mark.cluster
def test_killed_before_the_answer(there: Desk, gated: Gate) -> None:
    """The job is whole and goes on; its uid, which the killed kernel never heard, is learned by the next."""
    cell = CELL.format(name="unanswered", seconds=0)
    gated.hold(answer=r"^POST .*/jobs$")
    killed_at_the_gate(there, gated, cell, SMALL)
    with another(there) as kernel:
        taken_up(kernel, cell)
        kernel.run("%kube delete unanswered")


@pytest.mark.cluster
def test_killed_before_the_files(there: Desk, gated: Gate) -> None:
    """The job can never run: it is called incomplete, its owner's next client deletes it, and the cell runs anew."""
    cell = CELL.format(name="halved", seconds=0)
    gated.hold(request=r"^POST .*/configmaps$")
    with another(there) as kernel:
        kernel.run(LARGE)
        kernel.send(cell)
        assert gated.held.wait(60)
        assert status(there.kernel, "halved") == "incomplete", "while it may still come"
        assert "deleted" not in there.right("%kube jobs").text
        killed(kernel)
    gated.hold()
    with another(there) as kernel:
        said = kernel.run("%kube jobs").text
        assert re.search(r"^halved +incomplete", said, re.MULTILINE), said
        assert "halved is deleted: its submit was cut off" in said
        eventually(lambda: status(kernel, "halved") == "none", "its end")
        kernel.run(LARGE)
        ran = kernel.run(cell)
        assert ran.error is None, ran
        assert kernel.value("n") == "60000"
        kernel.run("%kube delete halved")


@pytest.mark.cluster
def test_an_incomplete_job_does_not_keep_its_cell_from_running(there: Desk, gated: Gate) -> None:
    """Without a look at `%kube jobs` between."""
    cell = CELL.format(name="again", seconds=0).replace(" --name again", "")
    gated.hold(request=r"^POST .*/configmaps$")
    killed_at_the_gate(there, gated, cell, LARGE)
    with another(there) as kernel:
        kernel.run(LARGE)
        ran = kernel.run(cell)
        assert ran.error is None, ran
        assert kernel.value("n") == "60000"
        assert "incomplete" not in kernel.run("%kube jobs").text


def test_killed_before_its_process_was_started(here: Desk) -> None:
    """On this machine: what is there can never run, and is removed."""
    (here.state / "jobs").mkdir(parents=True, exist_ok=True)
    with (here.state / "jobs" / ".devices").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a submit waits here between the job's folder and its process
        with another(here) as kernel:
            kernel.run(SMALL)
            kernel.send(CELL.format(name="unstarted", seconds=0))
            eventually((here.state / "jobs" / "unstarted" / "bundle" / "main.py").is_file, "its folder")
            assert status(here.kernel, "unstarted") == "incomplete"
            killed(kernel)
    with another(here) as kernel:
        assert "unstarted is deleted: its submit was cut off" in kernel.run("%kube jobs").text
        assert status(kernel, "unstarted") == "none"
        assert not (here.state / "jobs" / "unstarted").exists()


@pytest.mark.cluster
def test_an_interrupt_between_the_job_and_its_files_takes_all_of_it_back(there: Desk, gated: Gate) -> None:
    """Also a second one, while it is being taken back."""
    before = there.left()
    there.right(LARGE)
    gated.hold(request=r"^POST .*/configmaps$")
    request = there.kernel.send(CELL.format(name="undone", seconds=0))
    assert gated.held.wait(60)
    there.kernel.interrupt()
    there.kernel.interrupt()
    ran = there.kernel.finish(request)
    gated.hold()
    assert ran.error == "SubmitError", ran
    assert "nothing is left of it" in ran.traceback
    there.settles(before)
