"""sampler, sampler-1, sampler-8: what it costs to read a job's GPUs once a second.

ours    processor time of the whole runner of a job that only sleeps: NVML through ctypes, and with it the job's processor
        time and memory, its events and its heartbeat
peer    for the same five numbers, its output thrown away: of `sampler`, which runs only where there is a GPU,
        `nvidia-smi --loop=1`; of the others a Python program that asks NVIDIA's own binding (nvidia-ml-py, which gpustat
        and nvitop use) in a loop, and tells nobody

At the same time, over the same ten seconds, once both have begun. The 1 and 8 devices are those of the test cluster's
stub library, which reads a file for each number: NVML itself takes 12 us for the five, the stub some 60.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import Goal, Sample
from benchmarks.place import CannotRun
from benchmarks.runner_line import cpu_s
from tests.cluster.gpu import numbers
from tests.cluster.gpu.stub import build
from tests.gpu.device import why_not
from tests.runner import bundles

GOAL = Goal("ours", "<=", 0.2)
SECONDS = 10
BEGUN_S = 3
"""By then the driver has been found, and read for the first time."""
MAXIMUM_ROUNDS = 3
FIELDS = "utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu"
NVIDIA_SMI = ["nvidia-smi", f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits", "--loop=1"]
BINDING = """
import time, pynvml
pynvml.nvmlInit()
devices = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
while True:
    for device in devices:
        memory = pynvml.nvmlDeviceGetMemoryInfo(device, pynvml.nvmlMemory_v2)
        print(
            pynvml.nvmlDeviceGetUtilizationRates(device).gpu, memory.used, memory.total,
            pynvml.nvmlDeviceGetPowerUsage(device), pynvml.nvmlDeviceGetTemperature(device, pynvml.NVML_TEMPERATURE_GPU),
        )
    time.sleep(1)
"""


def measure(rounds: int) -> list[Sample]:
    if not shutil.which("cc"):
        raise CannotRun("no C compiler for the stub library")
    rounds = min(rounds, MAXIMUM_ROUNDS)
    found = [_stub(count, rounds) for count in (1, 8)]
    return found if why_not() else [_sample("sampler", "nvidia-smi --loop=1", NVIDIA_SMI, {}, 1, rounds), *found]


def _stub(count: int, rounds: int) -> Sample:
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder, "numbers")
        numbers.write(shown, numbers.idle(count))
        environment = {
            "LD_LIBRARY_PATH": str(build(Path(folder)).parent),
            "KUBE_MAGICS_NVML_NUMBERS": str(shown),
            "NVIDIA_VISIBLE_DEVICES": "all",
        }
        peer = [sys.executable, "-c", BINDING]
        return _sample(f"sampler-{count}", "nvidia-ml-py in a loop", peer, environment, count, rounds)


def _sample(
    name: str, peer_name: str, peer: Sequence[str], environment: Mapping[str, str], count: int, rounds: int
) -> Sample:
    pairs = [_at_once(peer, {**os.environ, **environment}, count) for _ in range(rounds)]
    ours, theirs = ([100 * each / SECONDS for each in side] for side in zip(*pairs, strict=True))
    return Sample(name, peer_name, "% of a core", GOAL, ours, theirs)


def _at_once(peer: Sequence[str], environment: Mapping[str, str], count: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        bundles.unpack(Path(folder), bundles.files(f"import time\ntime.sleep({BEGUN_S + SECONDS + 2})", gpus=count))
        main = Path(folder, "kube_magics_runner", "__main__.py")
        runner = [sys.executable, "-I", "-S", str(main), folder]
        with (
            subprocess.Popen(runner, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment) as ours,
            subprocess.Popen(peer, stdout=subprocess.DEVNULL, env=environment) as theirs,
        ):
            time.sleep(BEGUN_S)
            before = cpu_s(ours.pid), cpu_s(theirs.pid)
            time.sleep(SECONDS)
            after = cpu_s(ours.pid), cpu_s(theirs.pid)
            theirs.terminate()
            said = ours.communicate()[0]
    if {len(event["gpu"]) for event in bundles.Log(said).all("sample")} != {count}:
        raise RuntimeError(f"the runner has not read {count} GPUs")
    return after[0] - before[0], after[1] - before[1]
