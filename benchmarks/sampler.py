"""sampler: what it costs to read a GPU once a second. Runs only where there is one.

ours    processor time of the whole runner of a job with `--gpus 1` that only sleeps: NVML through ctypes, and with it
        the job's processor time and memory, its events and its heartbeat
peer    `nvidia-smi --loop=1` for the same five numbers, its output thrown away

At the same time, over the same ten seconds, once both have begun.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Goal, Sample
from benchmarks.place import CannotRun
from benchmarks.runner_line import cpu_s
from tests.gpu.device import why_not
from tests.runner import bundles

GOAL = Goal("ours", "<=", 0.2)
SECONDS = 10
BEGUN_S = 3
"""By then the driver has been found, and read for the first time."""
MAXIMUM_ROUNDS = 3
FIELDS = "utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu"
PEER = ["nvidia-smi", f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits", "--loop=1"]


def measure(rounds: int) -> list[Sample]:
    if reason := why_not():
        raise CannotRun(reason)
    pairs = [_at_once() for _ in range(min(rounds, MAXIMUM_ROUNDS))]
    ours, peer = ([100 * each / SECONDS for each in side] for side in zip(*pairs, strict=True))
    return [Sample("sampler", "nvidia-smi --loop=1", "% of a core", GOAL, ours, peer)]


def _at_once() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        bundles.unpack(Path(folder), bundles.files(f"import time\ntime.sleep({BEGUN_S + SECONDS + 2})", gpus=1))
        main = Path(folder, "kube_magics_runner", "__main__.py")
        runner = [sys.executable, "-I", "-S", str(main), folder]
        with (
            subprocess.Popen(runner, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as ours,
            subprocess.Popen(PEER, stdout=subprocess.DEVNULL) as peer,
        ):
            time.sleep(BEGUN_S)
            before = cpu_s(ours.pid), cpu_s(peer.pid)
            time.sleep(SECONDS)
            after = cpu_s(ours.pid), cpu_s(peer.pid)
            peer.terminate()
            said = ours.communicate()[0]
    if not any(event["gpu"] for event in bundles.Log(said).all("sample")):
        raise RuntimeError("the runner has read no GPU")
    return after[0] - before[0], after[1] - before[1]
