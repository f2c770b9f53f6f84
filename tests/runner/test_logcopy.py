"""`--log-to`: the job's own copy of its log, beside the one that is followed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.runner.bundles import run

WRITES = """
import sys, time
print("one", flush=True)
print("err", file=sys.stderr, flush=True)
sys.stdout.write("half a line")
sys.stdout.flush()
time.sleep(0.8)
print(", and its end\\x1e")
sys.stdout.write("no newline")
"""
KEPT = "one\nerr\nhalf a line, and its end\x1e\nno newline"


def test_the_copy_is_what_the_program_wrote(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "deep" / "run.log"
    log = run(tmp_path / "job", WRITES, log_to=str(path))
    assert path.read_text() == KEPT
    assert log.end["lines"] == 3
    assert log.err == b"err\n"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text("older")
    (tmp_path / "run.2.log").write_text("old")
    run(tmp_path / "job", "print(1)", log_to=str(tmp_path / "run.log"))
    found = {path.name: path.read_text() for path in tmp_path.glob("*.log")}
    assert found == {"run.log": "older", "run.2.log": "old", "run.3.log": "1\n"}


def test_a_copy_that_cannot_be_written_is_said_and_the_job_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = run(tmp_path / "job", "print(1)", log_to=str(tmp_path / "file" / "run.log"))
    assert (log.end["code"], log.out) == (0, b"1\n")
    said = f"[kube_magics: --log-to {tmp_path}/file/run.log: Not a directory; the copy ends here]\n"
    assert log.err.decode() == said or log.err.decode() == said.replace("Not a directory", "File exists")


FULL = """
import resource, signal, sys
from kube_magics.runner.logcopy import LogCopy
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
copy = LogCopy(sys.argv[1])
for block in (b"x" * 900 + b"\\n", b"y" * 900 + b"\\n", b"z\\n"):
    copy.write(1, block)
copy.close()
print(copy.problem)
"""


def test_a_file_that_takes_no_more_ends_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    command = [sys.executable, "-c", FULL, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"--log-to {path}: File too large; the copy ends here\n"
    assert path.read_bytes().startswith(b"x" * 900)


def test_it_travels_only_where_it_is_asked_for(tmp_path: Path) -> None:
    run(tmp_path / "job", "print(1)")
    assert not list((tmp_path / "job").rglob("logcopy.py"))
