"""stall: a link on which nothing comes any more, though it is open: seconds until its user knows.

ours    until the notebook says so under the cell
peer    until `kubectl logs --follow` ends; one that still waits after a minute counts as that minute

A Python client's `Watch().stream(read_namespaced_pod_log)` waits for ever, and is not waited for here.
"""

from __future__ import annotations

import secrets
import subprocess
import time

from benchmarks.linked import Link, linked, wait_for
from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place

GOAL = Goal("ours", "<=", 10)
SILENT_S = 60.0
MAXIMUM_ROUNDS = 3
PROGRAM = "import time\nfor _ in range(120):\n    print(time.time_ns(), flush=True)\n    time.sleep(0.2)"
SAID = "no word from the cluster"


def measure(place: Place, rounds: int) -> list[Sample]:
    with linked(place) as link:
        ours, peer = interleaved(min(rounds, MAXIMUM_ROUNDS), lambda: _ours(link), lambda: _peer(link), warm=0)
    return [Sample("stall", "kubectl logs -f", "s", GOAL, ours, peer)]


def _ours(link: Link) -> float:
    name = f"stall-{secrets.token_hex(3)}"
    started = time.monotonic()
    with link.cell(name, f"%%kubetrain --name {name} --cpus 100m\n{PROGRAM}") as (_, ran):
        time.sleep(1)
        silent = time.monotonic() - started
        with link.proxy.silent():
            time.sleep(15)
        arrivals = ran.result().arrivals
    return next((at_s - silent for at_s, text in arrivals if SAID in text), SILENT_S)


def _peer(link: Link) -> float:
    path = link.place.folder / "peer.log"
    with link.job(PROGRAM) as name:
        logs = link.logs(name, path)
        wait_for(path)
        began = time.monotonic()
        with link.proxy.silent():
            try:
                logs.wait(SILENT_S)
            except subprocess.TimeoutExpired:
                logs.kill()
            took_s = time.monotonic() - began
        logs.wait()
    path.unlink()
    return min(SILENT_S, took_s)
