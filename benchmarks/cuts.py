"""cuts: lines lost or doubled, of a job that prints 20,000 a second while its link is cut 200 times, by chance.

ours    the log file of a `%%kubetrain` cell, whose last line is the pod's own SHA-256 of all lines before it
peer    one file of `kubectl logs --follow`, started again with `--since-time` of its end whenever it has ended, as a
        person's script does it

The node rotates this log every ten seconds. What it takes while nobody is connected only users get back who may read the
node's files (`nodes/proxy`); neither side may here.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.linked import Link, linked
from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place
from tests.faults.counting import cell, counted

GOAL = Goal("ours", "<=", 0)
CUTS, RATE, SECONDS = 200, 20_000, 220
LINES = RATE * SECONDS
MAXIMUM_ROUNDS = 1
TIMEOUT_S = 900.0


def measure(place: Place, rounds: int, cuts: int = CUTS, lines: int = LINES) -> list[Sample]:
    with linked(place) as link:
        sides = (lambda: _ours(link, cuts, lines), lambda: _peer(link, cuts, lines))
        ours, peer = interleaved(min(rounds, MAXIMUM_ROUNDS), *sides, warm=0)
    return [Sample("cuts", "kubectl logs -f --since-time, again", "lines lost or doubled", GOAL, ours, peer, max)]


def _cut(link: Link, cuts: int, over: Callable[[], bool]) -> None:
    rng = random.Random(1)
    for _ in range(cuts):
        time.sleep(rng.uniform(0.1, 1.8) * SECONDS / CUTS)
        if over():
            raise RuntimeError("the job was over before all cuts were made")
        link.proxy.cut()


def _ours(link: Link, cuts: int, lines: int) -> float:
    name = f"cuts-{secrets.token_hex(3)}"
    with link.cell(name, cell(name, lines, RATE), TIMEOUT_S) as (path, ran):
        _cut(link, cuts, ran.done)
        ran.result()
    wrong = _wrong(path, lines)
    if not wrong and not counted(path, lines).same:
        raise RuntimeError(f"{path.name} has all lines, and not in the order that the pod printed")
    path.unlink()
    return wrong


def _peer(link: Link, cuts: int, lines: int) -> float:
    path = link.place.folder / "peer.log"
    with link.job(cell("peer", lines, RATE).partition("\n")[2]) as name:
        logs = link.logs(name, path)
        rng = random.Random(1)
        for _ in range(cuts):
            time.sleep(rng.uniform(0.1, 1.8) * SECONDS / CUTS)
            link.proxy.cut()
            if logs.poll() is not None:
                logs = link.logs(name, path, f"--since-time={datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        logs.wait(TIMEOUT_S)
    wrong = _wrong(path, lines)
    path.unlink()
    return wrong


def _wrong(path: Path, lines: int) -> float:
    """Lines lost, and lines doubled."""
    found = re.findall(rb"^(\d{7}) \.*$", path.read_bytes(), re.MULTILINE)
    different = len(set(found))
    return float(lines - different + len(found) - different)
