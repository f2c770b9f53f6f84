"""resume: all connections are reset: milliseconds from then to the first line that the job printed afterwards.

ours    below a `%%kubetrain` cell, as a front end gets it
peer    in the file of `kubectl logs --follow --tail=1`, started again as soon as the one before has ended

The job prints the clock fifty times a second, and the node is this machine.
"""

from __future__ import annotations

import secrets
import time

from benchmarks.linked import TIMEOUT_S, Link, linked, wait_for, wait_until
from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place

GOAL = Goal("ours", "<=", 1000)
PROGRAM = "import time\nfor _ in range(300):\n    print(time.time_ns(), flush=True)\n    time.sleep(0.02)"


def measure(place: Place, rounds: int) -> list[Sample]:
    with linked(place) as link:
        ours, peer = interleaved(rounds, lambda: _ours(link), lambda: _peer(link))
    return [Sample("resume", "kubectl logs -f, again", "ms", GOAL, ours, peer)]


def _ours(link: Link) -> float:
    name = f"resume-{secrets.token_hex(3)}"
    started_ns = time.time_ns()
    with link.cell(name, f"%%kubetrain --name {name} --cpus 100m\n{PROGRAM}") as (_, ran):
        time.sleep(1)
        link.proxy.cut("reset")
        began_ns = time.time_ns()
        arrivals = ran.result().arrivals
    for at_s, text in arrivals:
        if any(int(line) > began_ns for line in text.split("\n") if line.isdigit()):
            return (started_ns - began_ns) / 1e6 + at_s * 1000
    raise RuntimeError("nothing came after the cut")


def _peer(link: Link) -> float:
    path = link.place.folder / "peer.log"
    with link.job(PROGRAM) as name:
        logs = link.logs(name, path)
        wait_for(path)
        time.sleep(1)
        link.proxy.cut("reset")
        began_ns = time.time_ns()
        logs.wait(TIMEOUT_S)
        logs = link.logs(name, path, "--tail=1")
        wait_until(path, began_ns)
        took = (time.time_ns() - began_ns) / 1e6
        logs.kill()
        logs.wait()
    path.unlink()
    return took
