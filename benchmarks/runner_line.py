"""runner-line, runner-line-idle, runner-line-memory: what it costs that our runner stands between a program and its log.

line    processor time of the runner, user and system, per line of 100 bytes, while a program writes 100,000 of them a
        second, each with a write of its own, as a flushed print does
idle    of one core, while a program writes one line a second
memory  resident, at its highest, in the same jobs

ours    the runner as a local job starts it, its output into a pipe, as a container's is
peer    `cat` in its place: the least that anything can cost that reads a program's output and writes it on. It marks no
        stderr, counts no lines, measures no memory and knows no end

Both are asked for once they have begun: what their start costs is in `runner-start`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Goal, Sample, interleaved
from tests.runner import bundles

GOAL = Goal("ours", "<=", 2)
GOAL_IDLE = Goal("ours", "<=", 1)
GOAL_MEMORY = Goal("ours", "<=", 15)
LINES = 300_000
LINES_S = 100_000
SECONDS = 10
MAXIMUM_ROUNDS = 10
IDLE_ROUNDS = 2
_BEGIN, _END = b"now it begins\n", b"now it ends\n"
_READ_BYTES = 1 << 20

_FRAME = f"""
import os, time
time.sleep(0.5)
os.write(1, {_BEGIN!r})
time.sleep(0.1)
%s
time.sleep(0.5)
os.write(1, {_END!r})
time.sleep(0.1)
"""
FLOOD = (
    _FRAME
    % f"""
line, began = b"x" * 99 + b"\\n", time.monotonic()
for number in range({LINES}):
    if number % 100 == 0:
        time.sleep(max(0.0, began + number / {LINES_S} - time.monotonic()))
    os.write(1, line)
"""
)
TRICKLE = (
    _FRAME
    % f"""
for number in range({SECONDS}):
    os.write(1, b"line %d\\n" % number)
    time.sleep(1)
"""
)


@dataclass(frozen=True)
class Cost:
    """Of the process between a program and its log."""

    cpu_s: float
    memory_mb: float
    lines: int


def measure(rounds: int) -> list[Sample]:
    ours, peer = interleaved(min(rounds, MAXIMUM_ROUNDS), lambda: _ours(FLOOD), lambda: _peer(FLOOD))
    idle = [_at_once(TRICKLE) for _ in range(min(rounds, IDLE_ROUNDS))]
    for each in (*ours, *peer):
        if each.lines != LINES:
            raise RuntimeError(f"{each.lines} lines came, of {LINES}")
    rows = {
        "runner-line": ("us/line", GOAL, [[1e6 * each.cpu_s / LINES for each in side] for side in (ours, peer)]),
        "runner-line-idle": (
            "% of a core",
            GOAL_IDLE,
            [[100 * each.cpu_s / SECONDS for each in side] for side in zip(*idle, strict=True)],
        ),
    }
    return [
        *(Sample(name, "cat", unit, goal, sides[0], sides[1]) for name, (unit, goal, sides) in rows.items()),
        _memory([*ours, *(pair[0] for pair in idle)], [*peer, *(pair[1] for pair in idle)]),
    ]


def _memory(ours: list[Cost], peer: list[Cost]) -> Sample:
    sides = [[each.memory_mb for each in side] for side in (ours, peer)]
    return Sample("runner-line-memory", "cat", "MB", GOAL_MEMORY, sides[0], sides[1], of=max)


def _at_once(program: str) -> tuple[Cost, Cost]:
    with ThreadPoolExecutor(2) as pool:
        ours, peer = pool.submit(_ours, program), pool.submit(_peer, program)
        return ours.result(), peer.result()


def _ours(program: str) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        bundles.unpack(Path(folder), bundles.files(program))
        main = Path(folder, "kube_magics_runner", "__main__.py")
        command = [sys.executable, "-I", "-S", str(main), folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, bufsize=0) as process:
            return _watched(process)


def _peer(program: str) -> Cost:
    command = [sys.executable, "-c", program]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as writer,
        subprocess.Popen(["cat"], stdin=writer.stdout, stdout=subprocess.PIPE, bufsize=0) as process,
    ):
        return _watched(process)


def _watched(process: subprocess.Popen[bytes]) -> Cost:
    """What the process has used between the two lines that its program writes when little else happens."""
    began_s = ended_s = memory_mb = 0.0
    lines = 0
    for block in _blocks(process):
        if _BEGIN in block:
            began_s, lines = cpu_s(process.pid), 0
        elif _END in block:
            ended_s, memory_mb = cpu_s(process.pid), _peak_mb(process.pid)
            break
        else:
            lines += block.count(b"\n") - block.count(b"\x1e")  # the runner's own
    for _ in _blocks(process):
        pass  # to its end
    return Cost(ended_s - began_s, memory_mb, lines)


def _blocks(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout
    return iter(lambda: process.stdout.read(_READ_BYTES), b"")  # type: ignore[union-attr]


def cpu_s(pid: int) -> float:
    """Of all threads that a process has, to the nanosecond; /proc/PID/stat counts in hundredths."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text("ascii").split()[0]) for path in threads) / 1e9


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))
