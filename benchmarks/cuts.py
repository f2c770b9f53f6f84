"""cuts: lines lost or doubled, of a job that prints 20,000 a second while its link is cut 200 times, by chance.

ours    the log file of a `%%kubetrain` cell, whose last line is the pod's own SHA-256 of all lines before it
peer    one file of `kubectl logs --follow`, started again with `--since-time` of its end whenever it has ended, as a
        person's script does it

The node rotates this log every ten seconds. What it takes while nobody is connected only users get back who may read the
node's files (`nodes/proxy`), as the user of `cuts` may. The one of `cuts-unsaid` may not: there the number is how far
what the log says about its own losses is from the truth; kubectl says nothing.
"""

from __future__ import annotations

import random
import secrets
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.linked import Link, linked
from benchmarks.measure import Goal, Sample
from benchmarks.place import CannotRun, Place
from tests.faults.counting import cell, counted, tallied
from tests.faults.nodes import NotHere, may_read_nodes

GOAL = Goal("ours", "<=", 0)
PEER = "kubectl logs -f --since-time, again"
CUTS, RATE, SECONDS = 200, 20_000, 120
TIMEOUT_S = 300.0
ENDS_WITHIN_S = 5.0
"""A kubectl whose connection was cut."""


def measure(place: Place, rounds: int, cuts: int = CUTS, seconds: int = SECONDS) -> list[Sample]:
    """One round, whatever was asked: seven minutes, and what must not happen at all needs no median."""
    with linked(place) as link:
        try:
            with may_read_nodes(place.namespace, place.cluster):
                lost = _ours(link, cuts, seconds)
        except NotHere as error:
            raise CannotRun(str(error)) from error
        unsaid = _ours(link, cuts, seconds, unsaid=True)
        peer = _peer(link, cuts, seconds)
    return [
        Sample("cuts", PEER, "lines lost or doubled", GOAL, [lost], [peer], max),
        Sample("cuts-unsaid", PEER, "lines lost without a word or doubled", GOAL, [unsaid], [peer], max),
    ]


def _pauses(cuts: int, seconds: int) -> list[float]:
    """The same for both sides; together nine tenths of the job's time at most, nearly always."""
    rng = random.Random(1)
    return [rng.uniform(0.1, 1.5) * seconds / cuts for _ in range(cuts)]


def _ours(link: Link, cuts: int, seconds: int, *, unsaid: bool = False) -> float:
    name, lines = f"cuts-{secrets.token_hex(3)}", RATE * seconds
    with link.cell(name, cell(name, lines, RATE), TIMEOUT_S) as (path, ran):
        for pause_s in _pauses(cuts, seconds):
            time.sleep(pause_s)
            if ran.done():
                raise RuntimeError(f"the job was over before all cuts were made: {ran.result()}")
            link.proxy.cut()
        if (done := ran.result()).error:
            raise RuntimeError(f"the cell failed: {done}")
    found = tallied(path, lines)
    if not found.lost and not found.doubled and not counted(path, lines).same:
        raise RuntimeError(f"{path.name} has all lines, and not in the order that the pod printed")
    path.unlink()
    return float((found.unsaid if unsaid else found.lost) + found.doubled)


def _peer(link: Link, cuts: int, seconds: int) -> float:
    path, lines = link.place.folder / "peer.log", RATE * seconds
    with link.job(cell("peer", lines, RATE).partition("\n")[2]) as name:
        logs = link.logs(name, path)
        for pause_s in _pauses(cuts, seconds):
            time.sleep(pause_s)
            link.proxy.cut()
            logs = _again(link, name, path, logs)
        while not _over(link, name):
            logs = _again(link, name, path, logs)
        _ended(logs)
    found = tallied(path, lines)
    path.unlink()
    return float(found.lost + found.doubled)


def _again(link: Link, name: str, path: Path, logs: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """The next one, once this one has ended."""
    if not _ended(logs, kill=False):
        return logs
    return link.logs(name, path, f"--since-time={datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")


def _ended(logs: subprocess.Popen[bytes], *, kill: bool = True) -> bool:
    """Whether it does by itself, within a while."""
    try:
        logs.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        if kill:
            logs.kill()
            logs.wait()
        return False
    return True


def _over(link: Link, name: str) -> bool:
    here = f"--namespace={link.place.namespace.name}"
    pods = link.place.namespace.admin.get("pods", f"--selector=job-name={name}", here)["items"]
    return all(pod["status"]["phase"] in ("Succeeded", "Failed") for pod in pods)
