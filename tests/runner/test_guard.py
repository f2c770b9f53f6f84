"""A runner that is killed leaves nothing behind, also where no container ends with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from kube_magics.runner import guard
from tests.acceptance.desk import eventually
from tests.runner.bundles import Runner
from tests.runner.test_supervisor import alive

FAMILY = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
pids = [os.getpid()]
pids.append(subprocess.Popen(sleep, env={}).pid)  # of this session
pids.append(subprocess.Popen(sleep, start_new_session=True).pid)
read, write = os.pipe()
if os.fork() == 0:  # a daemon, its parent gone
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(write, b"%d" % os.getpid())
    os.closerange(0, 3)
    time.sleep(600)
os.wait()
print("family", *pids, int(os.read(read, 100)), flush=True)
time.sleep(600)
"""


def children(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.mark.parametrize("group", [False, True])
def test_a_killed_runner_leaves_nothing_behind(tmp_path: Path, group: bool) -> None:
    runner = Runner(tmp_path, FAMILY, guarded=True)
    found = re.search(rb"family ([\d ]+)", runner.until(b"family"))
    assert found
    family = {*map(int, found[1].split()), *children(runner.process.pid)}
    assert len(family) == 5
    assert all(map(alive, family))
    (os.killpg if group else os.kill)(runner.process.pid, signal.SIGKILL)
    runner.wait()
    eventually(lambda: not any(map(alive, family)), "the end of all that the job had started")


def test_the_guard_ends_with_its_runner_and_counts_for_nothing(tmp_path: Path) -> None:
    source = "import os, time\nprint('up', os.getpid(), flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)"
    runner = Runner(tmp_path, source, guarded=True)
    program = int(runner.until(b"up").rpartition(b"up ")[2])
    (watcher,) = children(runner.process.pid) - {program}
    assert os.getsid(watcher) == watcher
    opened = [path.readlink() for path in Path(f"/proc/{watcher}/fd").iterdir()]
    assert [str(path).partition(":")[0] for path in opened] == ["pipe"]
    (tmp_path / "work" / "go").touch()
    assert runner.wait().events[-1]["reason"] == "completed"
    assert not alive(watcher)


def test_nobody_else_is_ended() -> None:
    """A runner that was started from a terminal does not lead its session: what else is in there is not the job's."""
    mark = "KUBE_MAGICS_EVENTS=/of/this/job"
    name, _, value = mark.partition("=")
    ours, other = (subprocess.Popen(["sleep", "600"], env={name: text}) for text in (value, value + "/of/another"))
    guard.sweep(0, mark)
    assert ours.wait(60) == -signal.SIGKILL
    assert other.poll() is None
    other.kill()
    other.wait()
