"""`report()` as jobs have it whose code mentions it: from any process, any number of times, the last always arrives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.runner import bundles
from tests.runner.bundles import Log


def run(folder: Path, source: str, definitions: str = "") -> Log:
    return bundles.run(folder, source, definitions, reports=True)


def values(log: Log, name: str) -> list[tuple[Any, Any]]:
    """(step, value) of a metric, as it was sent."""
    return [(event["step"], event["values"][name]) for event in log.all("metric") if name in event["values"]]


def test_of_very_many_calls_the_last_arrives_and_few_others(tmp_path: Path) -> None:
    source = """
import time
from kube_magics import report
for step in range(100_000):
    report(step=step, total=100_000, text="train", loss=1 / (step + 1), **({"rare": step} if step == 70_000 else {}))
time.sleep(1)
print("waited")
report(step=100_000, total=100_000)
"""
    log = run(tmp_path, source)
    assert (log.out, log.err, log.end["code"]) == (b"waited\n", b"", 0)
    loss = values(log, "loss")
    assert loss[0] == (0, 1.0)
    assert loss[-1] == (99_999, 1 / 100_000)
    assert len(loss) < 1000
    assert values(log, "rare") == [(70_000, 70_000)]
    progress = log.all("progress")
    assert progress[-1] == {"e": "progress", "step": 100_000, "total": 100_000}
    waited = next(at for at, line in enumerate(log.lines) if line.event is None)
    before = [line.event for line in log.lines[:waited] if line.event is not None]
    assert {"e": "progress", "step": 99_999, "total": 100_000, "text": "train"} in before


PROCESSES = """
import multiprocessing, os, subprocess, sys, threading
from kube_magics import report

def child(name):
    for step in range(100):
        report(step=step, **{name: step})
"""


def test_from_any_process_and_thread_of_the_job(tmp_path: Path) -> None:
    """Each ends the moment that it has said its last; who forks keeps to itself what is the parent's."""
    source = """
child("main")
threads = [threading.Thread(target=child, args=(f"thread{number}",)) for number in range(3)]
for thread in threads:
    thread.start()
    thread.join()
for method in ("fork", "spawn"):
    process = multiprocessing.get_context(method).Process(target=child, args=(method,))
    process.start()
    process.join()
    assert process.exitcode == 0
script = "from kube_magics import report\\nfor step in range(100): report(step=step, script=step)"
subprocess.run([sys.executable, "-c", script], check=True)
for number in range(20):
    busy = threading.Thread(target=child, args=("busy",))
    busy.start()
    pid = os.fork()
    if not pid:
        child("forked")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    busy.join()
"""
    log = run(tmp_path, source, PROCESSES)
    assert (log.out, log.err, log.end["code"]) == (b"", b"", 0)
    for name in ("main", "thread0", "thread1", "thread2", "fork", "spawn", "script", "busy"):
        assert values(log, name)[-1] == (99, 99), name
    assert values(log, "forked")


ODD = """
import signal, time
from kube_magics import report

class Number:
    asked = 0
    def __init__(self, value, device=None):
        self.value = value
        if device:
            self.device = device
    def detach(self):
        return self
    def __float__(self):
        Number.asked += 1
        return float(self.value)

def refused(value):
    try:
        report(loss=value)
    except TypeError as error:
        return str(error)
"""


def test_what_values_may_be(tmp_path: Path) -> None:
    source = """
report(a=float("nan"), b=float("inf"), c=-float("inf"), d=True, e=None, f="0.5", g=Number(3), h=10**30)
report(huge=10**5000, text="x" * 1000)
report(**{f"metric_{number:03}_" + "x" * 80: number for number in range(100)}, **{"x" * 5000: 1})
report(step=Number(7), total=Number(9))
print(refused("much"), refused([1]), sep="; ")
report()
Number.asked = 0
for step in range(10_000):
    report(step=step, slow=Number(step, "cuda:0"))
time.sleep(0.6)
print(Number.asked < 100)
"""
    log = run(tmp_path, source, ODD)
    assert log.out == b"report() takes numbers, not str; report() takes numbers, not list\nTrue\n"
    assert (log.err, log.end["code"]) == (b"", 0)
    found = {name: values(log, name)[-1][1] for name in "abcdefgh"}
    infinite = {"a": "NaN", "b": "Infinity", "c": "-Infinity"}
    assert found == {**infinite, "d": True, "e": None, "f": 0.5, "g": 3.0, "h": 1e30}
    assert values(log, "huge") == [(None, "Infinity")]
    assert b"NaN," not in log.raw.replace(b'"NaN",', b"")
    assert len([name for event in log.all("metric") for name in event["values"] if name.startswith("metric_")]) == 100
    assert {"e": "progress", "step": 7.0, "total": 9.0} in log.all("progress")
    assert values(log, "slow")[-1] == (9_999, 9_999.0)


def test_a_signals_handler_may_report_too(tmp_path: Path) -> None:
    source = """
heard = []
def handler(number, frame):
    heard.append(number)
    report(heard=len(heard))
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
step = 0
while len(heard) < 200:
    report(step=step, total=1e9, loss=step)
    step += 1
signal.setitimer(signal.ITIMER_REAL, 0)
report(heard=-1)
"""
    log = run(tmp_path, source, ODD)
    assert (log.err, log.end["code"]) == (b"", 0)
    assert values(log, "heard")[-1] == (None, -1)


def test_a_runner_that_is_behind_is_not_waited_for_and_gets_the_newest(tmp_path: Path) -> None:
    """The FIFO is full to its brim."""
    source = """
import os
from kube_magics import report
fd = os.open(os.environ["KUBE_MAGICS_EVENTS"], os.O_WRONLY | os.O_NONBLOCK)
os.kill(os.getppid(), 19)  # STOP
try:
    while True:
        os.write(fd, b"x" * 4095 + b"\\n")
except BlockingIOError:
    pass
for step in range(20_000):
    report(step=step, total=20_000, loss=step)
os.kill(os.getppid(), 18)  # CONT
"""
    log = run(tmp_path, source)
    assert (log.err, log.end["code"]) == (b"", 0)
    assert log.all("progress")[-1] == {"e": "progress", "step": 19_999, "total": 20_000}
    assert values(log, "loss")[-1] == (19_999, 19_999)
