"""runner-start: what our runner adds between a container's start and the first line of the user's program.

ours    from the start of a job's container to the line `print` wrote as the cell's first statement
peer    the same for a plain Job of the same image whose command is `python3 -c "print(…)"`

From: the moment that containerd gives its event `/tasks/start`, in nanoseconds. To: the timestamp that the container
runtime gave the line when it wrote it into the log (`kubectl logs --timestamps`). Both by containerd's clock.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime

from benchmarks.first_line import LINE
from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import CannotRun, Place, plain_job
from tests.cluster import binaries, components

GOAL = Goal("over", "<=", 60)
CELL = f"%%kubetrain\nprint({LINE!r})\n"
PROGRAM = f"print({LINE!r}, flush=True)"
_EVENT = re.compile(r"^(\S+ \S+) \+0000 UTC \S+ /tasks/start (\{.*\})$")


def measure(place: Place, rounds: int) -> list[Sample]:
    if place.cluster.is_given:
        raise CannotRun("runner-start needs the containerd of our own test cluster")
    with _starts() as starts:
        ours, peer = interleaved(rounds, lambda: _ours(place, starts), lambda: _peer(place, starts))
    return [Sample("runner-start", "python3 -c print", "ms", GOAL, ours, peer)]


@contextlib.contextmanager
def _starts() -> Iterator[dict[str, int]]:
    """Container id -> when it was started, in nanoseconds since the epoch; grows as containers start."""
    command = components.ctr(binaries.ensure(), "events")
    started: dict[str, int] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as events:

        def read() -> None:
            assert events.stdout
            for line in events.stdout:
                if match := _EVENT.match(line):
                    started[json.loads(match[2])["container_id"]] = _nanoseconds(match[1].replace(" ", "T"))

        threading.Thread(target=read, daemon=True).start()
        try:
            yield started
        finally:
            events.terminate()


def _nanoseconds(stamp: str) -> int:
    """Of `2026-11-23T21:00:00.123456789`, in UTC: datetime itself keeps microseconds only."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 10**9 + int(fraction.ljust(9, "0") or 0)


def _ours(place: Place, starts: dict[str, int]) -> float:
    ran = place.kernel.run(CELL)
    if ran.error:
        raise RuntimeError(ran.traceback)
    return _took(place, starts)


def _peer(place: Place, starts: dict[str, int]) -> float:
    name = f"peer-{secrets.token_hex(3)}"
    place.check("create", f"--filename={place.write(plain_job(name, place.image, PROGRAM))}")
    place.wait("--for=condition=complete", f"job/{name}")
    return _took(place, starts)


def _took(place: Place, starts: dict[str, int]) -> float:
    (pod,) = json.loads(place.check("get", "pods", "--output=json"))["items"]
    lines = place.check("logs", "--timestamps", f"pod/{pod['metadata']['name']}").decode().split("\n")
    stamp = next(line.split(" ")[0] for line in lines if line.endswith(f" {LINE}"))
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    took = _nanoseconds(stamp) - starts[container]
    place.quiet()
    return took / 1e6
