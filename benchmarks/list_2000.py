"""list-2000, list-2000-memory: what it takes to know 2,000 Jobs and their pods, each with a bundle of 34 kB in it.

ours    from opening the dashboard's watch to the snapshots of all Jobs
peer    the official typed client's list of the Jobs and of the pods

Each in a fresh interpreter, after a first small list, for which modules are loaded, the kubeconfig is read and a connection
is made; from an HTTP server of this process that has the answers ready, so that no cluster's speed is in it. Memory is by how
much the most that the process ever took has grown meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Goal, Sample, interleaved
from tests.api.manyjobs import many_jobs

GOAL = Goal("ratio", "<=", 0.3)
COUNT = 2000
MAXIMUM_ROUNDS = 5

_MEASURED = """
import sys, time
def most():  # getrusage would count what the parent took before the fork
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
def measured(work, count):
    before, began = most(), time.perf_counter()
    assert work() == count
    print("took", 1000 * (time.perf_counter() - began), max(most() - before, 0.1))
"""
_OURS = """
import asyncio
from contextlib import aclosing
from kube_magics.backends.watching import Watching
from kube_magics.cluster.client import Client
from kube_magics.jobs import overview
from tests.api.servers import load
from pathlib import Path
async def few():
    client = Client(load(Path(sys.argv[1])))
    await client.get("/apis/batch/v1/namespaces/few/jobs")
    return client
async def first():
    async with aclosing(Watching(client, "team").changes()) as changes:
        async for change in changes:
            return len(change)
with asyncio.Runner() as runner:
    client = runner.run(few())
    measured(lambda: runner.run(first()), int(sys.argv[2]))
    runner.run(client.close())
"""
_PEER = """
from kubernetes import client, config
config.load_kube_config(sys.argv[1])
jobs, pods = client.BatchV1Api(), client.CoreV1Api()
for api in (jobs.list_namespaced_job, pods.list_namespaced_pod):
    api("few")
def work():
    found = jobs.list_namespaced_job("team").items
    return len(found) if len(pods.list_namespaced_pod("team", label_selector="job-name").items) == len(found) else 0
measured(work, int(sys.argv[2]))
"""


def measure(rounds: int) -> list[Sample]:
    with many_jobs(COUNT) as jobs, tempfile.TemporaryDirectory() as folder:
        path = jobs.kubeconfig(Path(folder, "kubeconfig"))
        ours, peer = interleaved(min(rounds, MAXIMUM_ROUNDS), lambda: _fresh(_OURS, path), lambda: _fresh(_PEER, path))
    sides = [[each[at] for each in side] for at in (0, 1) for side in (ours, peer)]
    of = "the typed client's two lists"
    return [
        Sample("list-2000", of, "ms", GOAL, sides[0], sides[1]),
        Sample("list-2000-memory", of, "MB", GOAL, sides[2], sides[3]),
    ]


def _fresh(program: str, path: Path) -> tuple[float, float]:
    command = [sys.executable, "-c", _MEASURED + program, str(path), str(COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    _, took_ms, grown_mb = done.stdout.split()
    return float(took_ms), float(grown_mb)
