"""What runs before and after the program: in the same custody, told in the same log."""

from __future__ import annotations

import signal
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tests.runner.bundles import Log, Runner, run

RAN = "open('ran', 'a').write('program ')"


def step(module: str, *args: str, **more: Any) -> dict[str, Any]:
    return {"stage": "installing", "reason": "install", "module": module, "args": [*args], **more}


def modules(**sources: str) -> dict[str, bytes]:
    """Modules of the bundle, each with the body of its main()."""
    return {
        f"{name}.py": ("import os, sys, time\ndef main():\n" + textwrap.indent(body, "    ")).encode()
        for name, body in sources.items()
    }


def stages(log: Log) -> list[str]:
    return [event.get("name") or event["e"] for event in log.events if event["e"] in ("start", "stage", "error", "end")]


def ran(folder: Path) -> str:
    path = folder / "work" / "ran"
    return path.read_text() if path.exists() else ""


def test_steps_run_before_the_program_in_its_environment(tmp_path: Path) -> None:
    body = "open('ran', 'a').write(sys.argv[1] + os.path.basename(os.environ['HOME']) + ' ')"
    log = run(
        tmp_path,
        RAN,
        before=[step("one", "a"), step("one", "b", stage="fetching")],
        replaced=modules(one=body),
        env={"HOME": "/"},
    )
    assert ran(tmp_path) == "ahome bhome program "
    assert stages(log) == ["start", "installing", "fetching", "start", "running", "end"]
    assert (log.end["reason"], log.code) == ("completed", 0)
    assert [bool(start["python"]) for start in log.all("start")] == [False, True]


def test_what_a_step_prints_is_shown_and_its_stderr_is_kept_back(tmp_path: Path) -> None:
    body = "print('for people', flush=True)\nos.write(2, b'chatter\\n' * 100000)"
    log = run(tmp_path, "print('program')", before=[step("one")], replaced=modules(one=body))
    assert (log.out, log.err) == (b"program\n", b"for people\n")
    assert log.end["lines"] == 2


def test_a_step_that_fails_ends_the_job_with_its_last_words(tmp_path: Path) -> None:
    body = "os.write(2, b'chatter\\n' * 100000 + b'no such package\\nthe last word')\nreturn 3"
    log = run(tmp_path, RAN, before=[step("one"), step("one")], replaced=modules(one=body), returns=["x"])
    assert ran(tmp_path) == ""
    assert stages(log) == ["start", "installing", "error", "end"]
    assert (log.error["reason"], log.error["exit"]) == ("install", None)
    assert log.error["message"].endswith("chatter\nno such package\nthe last word")
    assert log.err.endswith(b"no such package\nthe last word\n")
    assert len(log.err) < 10_000
    assert (log.end["reason"], log.end["code"], log.code) == ("install", 3, 3)


@pytest.mark.parametrize(
    ("body", "said"), [("sys.exit(1)", "exit code 1"), ("os.kill(os.getpid(), 9)", "signal 9"), ("1 / 0", "division")]
)
def test_a_step_that_says_nothing_is_told_all_the_same(tmp_path: Path, body: str, said: str) -> None:
    log = run(tmp_path, RAN, before=[step("one")], replaced=modules(one=body))
    assert said in log.error["message"]
    assert (log.end["reason"], ran(tmp_path)) == ("install", "")


def test_a_step_that_explains_itself_is_quoted_as_it_did(tmp_path: Path) -> None:
    body = """
import json
error = {"type": "X", "module": "m", "message": "because", "frames": [], "text": "", "exit": None, "reason": "fetch"}
json.dump(error, open(os.environ["KUBE_MAGICS_RESULTS"] + "/error.json", "w"))
return 1
"""
    log = run(tmp_path, RAN, before=[step("one", reason="fetch")], replaced=modules(one=body))
    assert (log.error["message"], log.end["reason"]) == ("because", "fetch")


def test_a_step_is_stopped_like_the_program(tmp_path: Path) -> None:
    body = "print('ready', flush=True)\ntime.sleep(60)"
    runner = Runner(tmp_path, RAN, before=[step("one")], replaced=modules(one=body))
    runner.until(b"ready")
    runner.signal(signal.SIGTERM)
    log = runner.wait()
    assert (log.events[-1]["reason"], log.code, ran(tmp_path)) == ("stopped", 143, "")


def test_a_step_that_does_not_stop_is_killed_after_the_grace(tmp_path: Path) -> None:
    body = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(60)"
    runner = Runner(tmp_path, RAN, before=[step("one")], replaced=modules(one=body), grace_s=0.2)
    runner.until(b"ready")
    runner.signal(signal.SIGTERM)
    assert runner.wait().events[-1]["signal"] == signal.SIGKILL


def test_a_stop_between_two_processes_is_no_start_of_the_next(tmp_path: Path) -> None:
    # A grandchild holds the step's output, so that the runner waits for a while after the step's own end.
    body = "import subprocess\nsubprocess.Popen(['sleep', '60'])\nprint(f'pid={os.getpid()}=', flush=True)"
    runner = Runner(tmp_path, RAN, before=[step("one")], replaced=modules(one=body))
    pid = runner.until(b"pid=").split(b"=")[1].decode()
    while Path("/proc", pid).exists():
        time.sleep(0.01)
    runner.signal(signal.SIGTERM)
    log = runner.wait()
    assert (log.events[-1]["reason"], ran(tmp_path)) == ("stopped", "")


def test_the_time_limit_counts_the_steps(tmp_path: Path) -> None:
    log = run(tmp_path, RAN, before=[step("one")], replaced=modules(one="time.sleep(60)"), timeout_s=0.3)
    assert (log.end["reason"], log.code, ran(tmp_path)) == ("timeout", 124, "")


def test_steps_after_the_program_follow_its_success(tmp_path: Path) -> None:
    body = "open('ran', 'a').write('after ')\nprint('brought')"
    log = run(
        tmp_path, RAN + "\nx = 1", after=[step("one", stage="collecting")], replaced=modules(one=body), returns=["x"]
    )
    assert ran(tmp_path) == "program after "
    assert (log.err, log.results(), log.end["reason"]) == (b"brought\n", {"x": 1}, "completed")


def test_after_a_failure_only_those_that_are_marked_follow(tmp_path: Path) -> None:
    body = "open('ran', 'a').write(sys.argv[1])"
    after = [step("one", "a"), step("one", "b", always=True)]
    log = run(tmp_path, RAN + "\n1 / 0", after=after, replaced=modules(one=body))
    assert ran(tmp_path) == "program b"
    assert (log.error["type"], log.end["reason"], log.code) == ("ZeroDivisionError", "failed", 1)


def test_the_programs_own_failure_counts_more_than_that_of_a_step_after_it(tmp_path: Path) -> None:
    after = [step("one", reason="collect", always=True)]
    log = run(tmp_path, "1 / 0", after=after, replaced=modules(one="sys.exit('no storage')"))
    assert (log.error["type"], log.end["reason"], log.code) == ("ZeroDivisionError", "failed", 1)
    assert b"no storage" in log.err


def test_a_failure_after_the_program_still_brings_what_the_log_can_carry(tmp_path: Path) -> None:
    after = [step("one", reason="collect")]
    log = run(tmp_path, "x = 1", after=after, replaced=modules(one="sys.exit('no storage')"), returns=["x"])
    assert (log.results(), log.end["reason"], log.error["message"]) == ({"x": 1}, "collect", "no storage")


WISHING = """
import json, os
if not os.path.exists("wish.json"):
    os.chdir(os.path.dirname(__file__))
    json.dump({"stage": "installing", "reason": "install", "module": "one", "args": ["wished"]}, open("wish.json", "w"))
    os._exit(0)
from kube_magics_runner.program import run
run(globals())
"""


def test_a_program_may_ask_for_a_step_before_it_begins(tmp_path: Path) -> None:
    log = run(
        tmp_path,
        RAN,
        replaced={
            **modules(one="open('ran', 'a').write(sys.argv[1] + ' ')"),
            "main.py": WISHING.replace('exists("wish', f'exists("{tmp_path}/wish').encode(),
        },
    )
    assert ran(tmp_path) == "wished program "
    assert stages(log)[-4:] == ["installing", "start", "running", "end"]


PACKAGE = """
import stat
base = os.path.join(sys.path[0], "packages")
site = os.path.join(base, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
os.makedirs(site)
os.makedirs(base + "/bin")
open(site + "/brought.py", "w").write("def f(x): return x + 1")
open(base + "/bin/brought", "w").write("#!/bin/sh\\nexec python3 -c 'import brought; print(brought.f(41))'")
os.chmod(base + "/bin/brought", 0o755)
"""


def test_what_a_step_installed_is_found_by_the_program_its_workers_and_its_commands(tmp_path: Path) -> None:
    source = """
import brought, multiprocessing, subprocess, sys
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(brought.f, [1]), subprocess.check_output(["brought"], text=True).strip())
"""
    log = run(tmp_path, source, before=[step("one")], replaced=modules(one=PACKAGE))
    assert (log.out, log.err) == (b"[2] 42\n", b"")
