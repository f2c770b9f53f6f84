"""log-rate, log-rate-cpu: a million lines of 100 bytes, written as fast as the program can, into a file here.

rate    lines that came, per second, from the clock in the first line to the moment that the last stands in the file
cpu     processor time of the process that follows (the kernel; kubectl), user and system, per line that came

ours    the log file of a `%%kubetrain` cell that prints them
peer    `kubectl logs --follow > file` of a plain Job that writes the same bytes, started when its container runs

Every line has its number, so that lost and doubled ones are counted. kubectl loses some hundred thousand without a
word: the node rotates the log while it is behind.
"""

from __future__ import annotations

import os
import resource
import secrets
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place, plain_job

GOAL = Goal("ratio", ">=", 1.8)
GOAL_CPU = Goal("ratio", "<=", 0.6)
GOAL_EXACT = Goal("ours", "<=", 0)
LINES = 1_000_000
LINE_BYTES = 100
"""Newline included."""
MAXIMUM_ROUNDS = 4
"""Each takes a minute; a million lines are a median by themselves."""
TIMEOUT_S = 300.0
POLL_S = 0.005
_TAIL_BYTES = 4096

PROGRAM = f"""
import sys, time
out = sys.stdout.buffer
out.write(b"%-{LINE_BYTES - 1}d\\n" % time.time_ns())
for start in range(1, {LINES}, 1000):
    out.write(b"".join(b"%0{LINE_BYTES - 1}d\\n" % number for number in range(start, min(start + 1000, {LINES}))))
out.write(b"the end\\n")
out.flush()
"""


@dataclass(frozen=True)
class Followed:
    """One million lines, followed."""

    lines_s: float
    cpu_us_line: float
    lost: int
    doubled: int


def measure(place: Place, rounds: int) -> list[Sample]:
    ours, peer = interleaved(min(rounds, MAXIMUM_ROUNDS), lambda: _ours(place), lambda: _peer(place), warm=0)
    name = "kubectl logs -f > file"
    wrong, wrong_peer = ([float(f.lost + f.doubled) for f in side] for side in (ours, peer))
    return [
        Sample("log-rate", name, "lines/s", GOAL, [f.lines_s for f in ours], [f.lines_s for f in peer]),
        Sample("log-rate-cpu", name, "us/line", GOAL_CPU, [f.cpu_us_line for f in ours], [f.cpu_us_line for f in peer]),
        Sample("log-rate-exact", name, "lines lost or doubled", GOAL_EXACT, wrong, wrong_peer, max),
    ]


def _ours(place: Place) -> Followed:
    name = f"rate-{secrets.token_hex(3)}"
    before_s = _cpu_s(place.kernel.pid)
    path = place.folder / ".kube_magics" / "logs" / f"{name}.log"
    with ThreadPoolExecutor(1) as pool:
        cell = pool.submit(place.kernel.run, f"%%kubetrain --name {name}\n{PROGRAM}", TIMEOUT_S)
        ended_ns = _wait_for_end(path, cell.done)
        ran = cell.result()
    if ran.error:
        raise RuntimeError(ran.traceback)
    found = _followed(path, ended_ns, _cpu_s(place.kernel.pid) - before_s)
    place.quiet()
    return found


def _peer(place: Place) -> Followed:
    name = f"rate-{secrets.token_hex(3)}"
    # A person's script waits until there is a log: the program gives it the time for that.
    program = f"import time\ntime.sleep(3)\n{PROGRAM}"
    place.check("create", f"--filename={place.write(plain_job(name, place.image, program))}")
    place.wait("--for=condition=Ready", "pod", f"--selector=job-name={name}")
    path = place.folder / f"{name}.log"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with path.open("wb") as file:
        logs = place.start_kubectl("logs", "--follow", f"job/{name}", stdout=file)
        ended_ns = _wait_for_end(path, lambda: logs.poll() is not None)
        logs.wait(TIMEOUT_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = _followed(path, ended_ns, cpu_s)
    place.quiet()
    return found


def _wait_for_end(path: Path, gone: Callable[[], bool]) -> int:
    """When the last line stood in the file, or its writer was `gone`, in nanoseconds since the epoch."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        over = gone()
        if not path.exists():
            if over:
                return time.time_ns()
        else:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
                if b"the end\n" in file.read() or over:
                    return time.time_ns()
        time.sleep(POLL_S)
    raise TimeoutError(f"the last line is not in {path.name} after {TIMEOUT_S:g} s")


def _followed(path: Path, ended_ns: int, cpu_s: float) -> Followed:
    counts = Counter(path.read_bytes().split(b"\n")[:-1])
    (began_ns,) = (int(line) for line in counts if line.endswith(b" "))
    seen = sum(counts.get(b"%0*d" % (LINE_BYTES - 1, number), 0) > 0 for number in range(1, LINES))
    path.unlink()
    return Followed(
        lines_s=(seen + 1) / ((ended_ns - began_ns) / 1e9),
        cpu_us_line=cpu_s * 1e6 / (seen + 1),
        lost=LINES - 1 - seen,
        doubled=sum(count - 1 for count in counts.values()),
    )


def _cpu_s(pid: int) -> float:
    """User and system time of a living process."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
