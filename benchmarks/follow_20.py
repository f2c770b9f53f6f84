"""follow-20-*: twenty jobs at once, each printing ten lines a second for twenty seconds, all followed to their end.

cpu          processor time of whoever follows, seconds
memory       what it holds while they print, shared pages in equal parts (PSS), MB
connections  that it has open to the API server while they print

ours    one kernel that has submitted them with `train` and waits for all: its time from their first line on, and the
        memory of the whole notebook
peer    twenty `kubectl logs --follow`, and one `kubectl get --watch` of the Jobs and one of the pods, which tell how
        each goes: all of their time, since it begins with following

Nobody prints before a moment at which all are followed. A log takes a connection of its own over HTTP/1.1, and every
kubectl has one.
"""

from __future__ import annotations

import functools
import operator
import resource
import secrets
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place, plain_job
from tests.held import Held, held

GOAL_CPU = Goal("ratio", "<=", 0.5)
GOAL_MEMORY = Goal("ratio", "<=", 0.5)
GOAL_CONNECTIONS = Goal("over", "<=", 1)
JOBS, RATE, SECONDS = 20, 10, 20
START_S = 40.0
"""Until all twenty run and are followed."""
MAXIMUM_ROUNDS = 1
"""A minute a side, and twenty jobs are a median by themselves."""
TIMEOUT_S = 180.0

PROGRAM = f"""\
import time
time.sleep(max(0.0, {{start}} - time.time()))
for number in range({RATE * SECONDS}):
    print(f"{{{{number:06d}}}} loss 0.123456 accuracy 0.987654", flush=True)
    time.sleep(max(0.0, {{start}} + number / {RATE} - time.time()))
"""
CELL = """\
import kube_magics
def work(start):
    {program}
jobs = [kube_magics.train(work, ({start},), name=f"{name}-{{n}}", cpus="50m", memory="64Mi") for n in range({jobs})]
kube_magics.wait_all(jobs)
"""


@dataclass(frozen=True)
class Followed:
    """What it took to follow twenty jobs."""

    cpu_s: float
    memory_mb: float
    connections: int


def measure(place: Place, rounds: int) -> list[Sample]:
    ours, peer = interleaved(min(rounds, MAXIMUM_ROUNDS), lambda: _ours(place), lambda: _peer(place), warm=0)
    name = f"{JOBS} kubectl logs -f + 2 kubectl get -w"

    def sample(what: str, unit: str, goal: Goal, of: Callable[[Followed], float]) -> Sample:
        return Sample(f"follow-20-{what}", name, unit, goal, [of(f) for f in ours], [of(f) for f in peer])

    return [
        sample("cpu", "s", GOAL_CPU, lambda f: f.cpu_s),
        sample("memory", "MB", GOAL_MEMORY, lambda f: f.memory_mb),
        sample("connections", "connections", GOAL_CONNECTIONS, lambda f: f.connections),
    ]


def _ours(place: Place) -> Followed:
    name, start = f"follow-{secrets.token_hex(3)}", time.time() + START_S
    program = PROGRAM.format(start="start").replace("\n", "\n    ")
    pid, port = place.kernel.pid, _port(place)
    request = place.kernel.send(CELL.format(program=program, start=start, name=name, jobs=JOBS))
    _sleep_until(start)
    before = held(pid, port)
    _sleep_until(start + SECONDS / 2)
    logs = [place.folder / ".kube_magics" / "logs" / f"{name}-{n}.log" for n in range(JOBS)]
    _all_print(logs)
    meanwhile = held(pid, port)
    ran = place.kernel.finish(request, TIMEOUT_S)
    if ran.error:
        raise RuntimeError(ran.traceback)
    _all_whole(logs)
    found = Followed(held(pid, port).cpu_s - before.cpu_s, meanwhile.memory_mb, meanwhile.connections)
    place.quiet()
    return found


def _peer(place: Place) -> Followed:
    start = time.time() + START_S
    names = [f"peer-{secrets.token_hex(3)}-{n}" for n in range(JOBS)]
    jobs = [plain_job(name, place.image, PROGRAM.format(start=start)) for name in names]
    place.check("create", f"--filename={place.write({'apiVersion': 'v1', 'kind': 'List', 'items': jobs})}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    watches = [place.start_kubectl("get", kind, "--watch", stdout=subprocess.DEVNULL) for kind in ("jobs", "pods")]
    place.wait("--for=condition=Ready", "pod", "--selector=job-name")
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    paths = [place.folder / f"{name}.log" for name in names]
    logs = []
    for name, path in zip(names, paths, strict=True):
        with path.open("wb") as file:
            logs.append(place.start_kubectl("logs", "--follow", f"job/{name}", stdout=file))
    _sleep_until(start + SECONDS / 2)
    _all_print(paths)
    meanwhile: Held = functools.reduce(operator.add, (held(each.pid, _port(place)) for each in [*logs, *watches]))
    for each in logs:
        each.communicate(timeout=TIMEOUT_S)
    for each in watches:
        each.terminate()
        each.communicate(timeout=TIMEOUT_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    _all_whole(paths)
    place.quiet()
    waiting_s = waited.ru_utime + waited.ru_stime - before.ru_utime - before.ru_stime
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - waiting_s
    return Followed(cpu_s, meanwhile.memory_mb, meanwhile.connections)


def _port(place: Place) -> int | None:
    """Of the API server."""
    return urlsplit(
        yaml.safe_load(place.namespace.kubeconfig.read_text("utf-8"))["clusters"][0]["cluster"]["server"]
    ).port


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))


def _all_print(logs: list[Path]) -> None:
    silent = [path.name for path in logs if not (path.exists() and path.stat().st_size)]
    if silent:
        raise RuntimeError(f"{len(silent)} of {len(logs)} jobs are not followed after {START_S:g} s: {silent[0]} …")


def _all_whole(logs: list[Path]) -> None:
    for path in logs:
        if (lines := path.read_bytes().count(b"\n")) != RATE * SECONDS:
            raise RuntimeError(f"{path.name} has {lines} of {RATE * SECONDS} lines")
        path.unlink()
