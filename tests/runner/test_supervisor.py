"""The first process: signals, limits, orphans, and always an end."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kube_magics.runner.supervisor import PIPE_GRACE_S
from tests.runner import bundles
from tests.runner.bundles import Runner, run

READY = "print('ready', flush=True)\n"
SLEEP = "import time\ntime.sleep(60)\n"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("to_file", [False, True])
def test_one_stream_comes_back_byte_by_byte(tmp_path: Path, to_file: bool) -> None:
    source = """
import hashlib, os
data = os.urandom(3_000_000) + b"x" * 10_000_000 + b"\\ntail without newline"
at = 0
while at < len(data):
    at += os.write(1, data[at:at + 777_777])
os.write(2, hashlib.sha256(data).hexdigest().encode())
"""
    log = run(tmp_path, source, to_file=to_file)
    assert hashlib.sha256(log.out).hexdigest().encode() == log.err
    assert log.end["bytes"] == len(log.out) + len(log.err) - log.end["lines"]


def test_both_streams_have_every_line_in_order(tmp_path: Path) -> None:
    source = "import sys\nfor i in range(20000):\n    print(i)\n    print(-i, file=sys.stderr)"
    log = run(tmp_path, source)
    assert log.out.split() == [b"%d" % i for i in range(20000)]
    assert log.err.split() == [b"%d" % -i for i in range(20000)]
    assert log.end["lines"] == 40000


def test_events_stand_in_their_order(tmp_path: Path) -> None:
    log = run(tmp_path, "x = 1\nprint('x')", returns=["x"])
    assert [event["e"] for event in log.events] == ["start", "stage", "stage", "result", "end"]
    assert [event["name"] for event in log.all("stage")] == ["running", "collecting"]
    assert log.end["duration_s"] > 0
    assert log.end["cpu_s"] > 0
    assert log.end["peak_memory_bytes"] > 1_000_000
    termination = json.loads((tmp_path / "termination").read_text())
    assert termination == {**log.end, "error": ""}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_a_signal_that_ends_the_program_is_named(tmp_path: Path, number: signal.Signals) -> None:
    log = run(
        tmp_path,
        f"import os, resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.kill(os.getpid(), {int(number)})",
    )
    assert (log.end["signal"], log.end["reason"], log.end["code"]) == (number, "signal", 128 + number)
    assert log.code == 128 + number


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_other_signals_are_passed_on(tmp_path: Path, number: signal.Signals) -> None:
    source = f"""
import signal, time
got = []
signal.signal({int(number)}, lambda *_: got.append("got it"))
{READY}
while not got:
    time.sleep(0.01)
print(*got)
"""
    runner = Runner(tmp_path, source)
    seen = runner.until(b"ready")
    runner.signal(number)
    log = runner.wait()
    assert bundles.Log(seen + log.raw).out == b"ready\ngot it\n"
    assert log.code == 0


def test_stop_lets_the_program_save_by_asking(tmp_path: Path) -> None:
    source = f"""
import time
from kube_magics import should_stop
should_stop()
{READY}
while not should_stop():
    time.sleep(0.01)
saved = 42
"""
    runner = Runner(tmp_path, source, returns=["saved"])
    runner.until(b"ready")
    runner.signal(signal.SIGTERM)
    log = runner.wait()
    assert log.results() == {"saved": 42}
    # Not 0: to the cluster that would be a job that is complete.
    assert (log.events[-1]["reason"], log.code) == ("stopped", 143)


def test_a_worker_of_a_program_that_asks_still_ends_when_it_is_told(tmp_path: Path) -> None:
    """Pool.terminate sends TERM, and waits: a forked worker has its parent's handlers."""
    source = """
import multiprocessing, time
from kube_magics import should_stop
should_stop()
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.apply(abs, (-3,)))
    pool.apply_async(time.sleep, (60,))
print("over")
"""
    assert run(tmp_path, source).out == b"3\nover\n"


def test_stop_lets_the_program_save_in_a_handler(tmp_path: Path) -> None:
    source = f"import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n{READY}{SLEEP}"
    # Nothing of the program is left: the rest of the grace is not waited for, which the runner's own guard would last.
    runner = Runner(tmp_path, source, guarded=True, grace_s=600)
    runner.until(b"ready")
    runner.signal(signal.SIGTERM)
    log = runner.wait()
    assert (log.events[-1]["reason"], log.code) == ("stopped", 5)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_program_that_saves_when_it_is_told_live_until_it_ends(tmp_path: Path, method: str) -> None:
    """A worker that dies under its hands is an error there (torch's DataLoader), or waited for without an end (a pool)."""
    source = f"""
import multiprocessing, signal, time
with multiprocessing.get_context({method!r}).Pool(2) as pool:
    pool.map(work, range(2))
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    working = pool.map_async(work, range(4))
    {READY}
    while not told:
        time.sleep(0.01)
    saved = working.get(30)
"""
    work = "import time\ndef work(n):\n    time.sleep(0.2)\n    return n\n"
    runner = Runner(tmp_path, source, work, returns=["saved"], grace_s=60)
    runner.until(b"ready")
    runner.signal(signal.SIGTERM)
    log = runner.wait()
    assert log.results() == {"saved": [0, 1, 2, 3]}, log.raw
    assert (log.events[-1]["reason"], log.code) == ("stopped", 143)


def test_what_a_program_leaves_behind_when_it_is_told_to_end_is_told_too_and_may_save(tmp_path: Path) -> None:
    """A script under `!`, say: its shell, or the cell, has ended at once."""
    child = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), print("saved", flush=True), sys.exit()))
print("ready", flush=True)
time.sleep(60)
"""
    source = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}], start_new_session=True)"
    runner = Runner(tmp_path, source)
    seen = runner.until(b"ready")
    runner.signal(signal.SIGTERM)
    log = bundles.Log(seen + runner.wait().raw)
    assert log.out == b"ready\nsaved\n"
    assert (log.end["reason"], log.end["signal"]) == ("stopped", signal.SIGTERM)


def test_what_it_leaves_behind_has_the_rest_of_the_grace(tmp_path: Path) -> None:
    child = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    source = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    runner = Runner(tmp_path, source, grace_s=0.5)
    runner.until(b"ready")
    runner.signal(signal.SIGTERM)
    assert runner.wait().events[-1]["signal"] == signal.SIGTERM


def test_what_does_not_stop_is_killed_after_its_grace(tmp_path: Path) -> None:
    source = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{READY}{SLEEP}"
    runner = Runner(tmp_path, source, grace_s=0.2)
    runner.until(b"ready")
    runner.signal(signal.SIGTERM)
    log = runner.wait()
    assert (log.events[-1]["reason"], log.events[-1]["signal"], log.code) == ("stopped", 9, 137)


def test_an_interrupt_is_followed_by_a_termination(tmp_path: Path) -> None:
    # os.write: the signal may come while `ready` is still being printed, and a stream is not reentrant.
    source = f"import os, signal\nsignal.signal(signal.SIGINT, lambda *_: os.write(1, b'no\\n'))\n{READY}{SLEEP}"
    runner = Runner(tmp_path, source, grace_s=6)
    runner.until(b"ready")
    runner.signal(signal.SIGINT)
    log = runner.wait()
    assert log.out == b"no\n"
    assert (log.events[-1]["reason"], log.events[-1]["signal"]) == ("stopped", signal.SIGTERM)


def test_a_program_with_a_handler_for_termination_is_not_interrupted(tmp_path: Path) -> None:
    """A kubelet never sends INT: who is ready for TERM must be able to save here as there."""
    source = f"""
import signal, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))
{READY}
while not told:
    time.sleep(0.01)
saved = 42
"""
    runner = Runner(tmp_path, source, returns=["saved"])
    runner.until(b"ready")
    runner.signal(signal.SIGINT)
    assert runner.wait().results() == {"saved": 42}


def test_the_time_limit_ends_the_program(tmp_path: Path) -> None:
    log = run(tmp_path, SLEEP, timeout_s=0.3)
    assert (log.end["reason"], log.end["signal"], log.code) == ("timeout", signal.SIGTERM, 124)


def test_orphans_are_reaped_and_do_not_survive_the_job(tmp_path: Path) -> None:
    source = """
import os, time
read, write = os.pipe()
if os.fork() == 0:  # a daemon: its parent ends at once
    os.setsid()
    for seconds in (0, 60):
        if os.fork() == 0:
            os.write(write, b"%d\\n" % os.getpid())
            os.closerange(0, 10)
            time.sleep(seconds)
            os._exit(0)
    os._exit(0)
os.wait()
pids = b""
while pids.count(b"\\n") < 2:
    pids += os.read(read, 100)
os.write(1, pids)
"""
    log = run(tmp_path, source)
    first, second = map(int, log.out.split())
    assert not alive(first)
    assert not alive(second)
    assert log.end["reason"] == "completed"


ORPHANS = """
import os, time
read, write = os.pipe()
for _ in range(300):  # daemons by the book: forked twice, their parents gone
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, b"%d\\n" % os.getpid())
        os._exit(0)
    os.wait()
os.close(write)
orphans = open(read).read().split()  # until the last of them has ended
until = time.monotonic() + 30
while left := [pid for pid in orphans if os.path.exists("/proc/" + pid)]:
    if time.monotonic() > until:
        break
    time.sleep(0.01)
print(os.getppid(), len(orphans), len(left))
"""


@pytest.mark.parametrize("first", [False, True])
def test_no_zombies_pile_up(tmp_path: Path, first: bool) -> None:
    """Neither as the first process of a container nor below another one."""
    unshared = ["unshare", "-rpf", "--mount-proc"] if first else []
    if first and subprocess.run([*unshared, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no PID namespaces here")
    bundles.unpack(tmp_path, bundles.files(ORPHANS))
    command = [sys.executable, "-IS", str(tmp_path / "kube_magics_runner" / "__main__.py"), str(tmp_path)]
    done = subprocess.run([*unshared, *command], capture_output=True, check=False, timeout=60)
    log = bundles.Log(done.stdout, done.returncode)
    parent, orphans, left = map(int, log.out.split())
    assert (parent == 1, orphans, left, log.end["reason"]) == (first, 300, 0, "completed")


def test_a_grandchild_that_keeps_the_output_holds_the_end_for_its_grace_only(tmp_path: Path) -> None:
    log = run(tmp_path, "import subprocess\nprint(subprocess.Popen(['sleep', '60']).pid)")
    pid = int(log.out)
    said = f"what it has left running holds its output: sleep (pid {pid}). The job ends without that"
    assert log.err.decode() == f"[kube_magics: the program ended {PIPE_GRACE_S:g} s ago, and {said}]\n"
    assert log.end["reason"] == "completed"
    assert not alive(pid)


def test_a_grandchild_that_writes_without_end_does_not_hold_the_job(tmp_path: Path) -> None:
    """What it writes within its grace is in the log, whole lines."""
    source = """
import os, time
pid = os.fork()
if not pid:
    while True:
        os.write(1, b"on and on\\n" * 100)
        time.sleep(0.01)
print("left", pid)
"""
    log = run(tmp_path, source)
    lines = log.out.split(b"\n")
    (pid,) = (int(line.split()[1]) for line in lines if line.startswith(b"left "))
    assert {line for line in lines if not line.startswith(b"left ")} == {b"on and on", b""}
    assert f"(pid {pid})".encode() in log.err
    assert (log.end["reason"], alive(pid)) == ("completed", False)


def test_output_that_the_program_closes_itself_is_no_end(tmp_path: Path) -> None:
    source = "import os, time\nprint('before')\nos.close(1)\nos.close(2)\ntime.sleep(0.2)\nx = 1"
    log = run(tmp_path, source, returns=["x"])
    assert (log.out, log.results(), log.end["reason"]) == (b"before\n", {"x": 1}, "completed")


def test_a_reader_that_goes_away_does_not_stop_the_program(tmp_path: Path) -> None:
    done = tmp_path / "done"
    source = f"for i in range(50000):\n    print(i)\nopen({str(done)!r}, 'w').close()"
    runner = Runner(tmp_path, source)
    assert runner.process.stdout
    assert runner.process.stderr
    runner.process.stdout.close()
    assert runner.process.wait(60) == 0
    runner.process.stderr.close()
    assert done.exists()


def test_a_prompt_is_shown_before_its_line_ends(tmp_path: Path) -> None:
    runner = Runner(tmp_path, f"import sys, time\nsys.stdout.write('name? ')\nsys.stdout.flush()\n{SLEEP}")
    runner.until(b'"d":"name? "')
    runner.signal(signal.SIGTERM)
    assert runner.wait().events[-1]["reason"] == "stopped"


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"python": "/no/such/python"}, "/no/such/python"), ({"cwd": "/no/such/folder"}, "/no/such")],
)
def test_a_program_that_cannot_be_started_says_why(tmp_path: Path, options: dict[str, str], problem: str) -> None:
    log = run(tmp_path, "", **options)
    assert problem in log.error["message"]
    assert (log.end["reason"], log.code) == ("start", 70)


def test_the_first_process_of_a_pid_namespace_reaps_and_hears_signals(tmp_path: Path) -> None:
    probe = subprocess.run(["unshare", "-rpf", "--mount-proc", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no PID namespaces here")
    source = f"import os\nif os.fork() == 0:\n    os.fork()\n    os._exit(0)\nprint('ready', os.getppid(), flush=True)\n{SLEEP}"
    bundles.unpack(tmp_path, bundles.files(source))
    main, heard = str(tmp_path / "kube_magics_runner" / "__main__.py"), tmp_path / "heard"
    kill = f"import os, time\nif os.fork() == 0:\n    while not os.path.exists({str(heard)!r}): time.sleep(0.01)\n    os.kill(1, 15); os._exit(0)\nos.execv({sys.executable!r}, ['python', '-IS', {main!r}, {str(tmp_path)!r}])"
    command = ["unshare", "-rpf", "--mount-proc", sys.executable, "-c", kill]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
    assert process.stdout
    seen = b""
    while b"ready" not in seen:  # passed on by the supervisor, which hears signals by then
        seen += process.stdout.readline() or pytest.fail(f"never ready: {seen!r}")
    heard.touch()
    rest, _ = process.communicate(timeout=60)
    log = bundles.Log(seen + rest, process.returncode)
    assert log.out == b"ready 1\n"
    assert (log.end["reason"], log.end["signal"]) == ("stopped", signal.SIGTERM)


def test_a_kill_for_memory_while_the_runner_still_starts_is_counted(tmp_path: Path) -> None:
    """The program is started before the runner looks: in a container of its own, whatever was killed was the job's."""
    probe = subprocess.run(["unshare", "-rpfm", "--mount-proc", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no PID and mount namespaces here")
    group = tmp_path / "cgroup"
    group.mkdir()
    for name, text in {
        "memory.current": "1000",
        "memory.stat": "inactive_file 0",
        "memory.events": "oom_kill 1",
    }.items():
        (group / name).write_text(text + "\n")
    bundles.unpack(tmp_path, bundles.files("import os\nos.kill(os.getpid(), 9)"))
    main = tmp_path / "kube_magics_runner" / "__main__.py"
    script = f"mount --bind {group} /sys/fs/cgroup && exec {sys.executable} -IS {main} {tmp_path}"
    done = subprocess.run(["unshare", "-rpfm", "--mount-proc", "sh", "-c", script], capture_output=True, check=False)
    log = bundles.Log(done.stdout, done.returncode)
    assert (log.end["reason"], log.end["signal"]) == ("oom", signal.SIGKILL), done.stderr


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_stop_before_the_runner_listens_is_not_lost(tmp_path: Path, number: str) -> None:
    """It is heard once the program has been started, which has its signals as they should be."""
    replaced = bundles.told_early("supervisor", number)
    log = Runner(tmp_path, SLEEP, replaced=replaced, grace_s=3).wait()
    assert (log.events[-1]["reason"], log.code != 0) == ("stopped", True)
