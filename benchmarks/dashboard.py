"""dashboard-…: 2,000 jobs in a JupyterLab, 20 of which change a second; and what they cost the API server.

ours    `%kube dashboard` in a Chromium
peer    of the page: a cell that shows an HTML table of as many jobs anew every two seconds, as one that polls does;
        of all else: `kubectl get jobs -o json` of the same jobs every two seconds, or as soon as the one before has ended

In the page, by Chromium's own trace:

dashboard-paint     milliseconds from the first message that brings the jobs to the frame that shows them
dashboard-frame     milliseconds that 95 of 100 frames take at most, where a frame is asked for all the time
dashboard-longest   the longest of them
dashboard-rows      row nodes in the page

Of the API server, which counts what it is asked and what it sends: an HTTP server that has what one would have ready.

dashboard-bytes           bytes for one change
dashboard-busy-bytes      megabytes in a minute of changes
dashboard-busy-cpu        seconds of processor time of the kernel, or of kubectl, in that minute
dashboard-idle-bytes      megabytes in a minute in which nothing changes
dashboard-idle-cpu        seconds of processor time in that minute
dashboard-idle-requests   requests in that minute, but for the watches
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import CannotRun
from tests.api.manyjobs import ManyJobs, many_jobs
from tests.browser.crowd import CHANGES_A_SECOND, COUNT, START_S, Crowd, crowd
from tests.browser.lab import why_not
from tests.browser.trace import animate, marks_when, traced

FRAMES_S, MINUTE_S, EVERY_S, SETTLE_S = 15.0, 60.0, 2.0, 2.0
MAXIMUM_ROUNDS = 3
"""Each of both sides takes five minutes."""
DATA_BYTES = 200_000
"""Of the message that brings the jobs; no other one is as long."""
TABLE = f"""\
import random, time
from IPython.display import HTML, display
keys = "name status why gpus created took node notebook".split()
jobs = [{{key: f"{{key}} {{number}}" for key in keys}} for number in range({COUNT})]
shown = display(HTML(""), display_id=True)
while True:
    for job in random.sample(jobs, {int(CHANGES_A_SECOND * EVERY_S)}):
        job["status"] = f"status {{random.random()}}"
    cells = ("".join(f"<td>{{job[key]}}</td>" for key in keys) for job in jobs)
    shown.update(HTML("<table>" + "".join(f"<tr>{{each}}</tr>" for each in cells) + "</table>"))
    time.sleep({EVERY_S})
"""
OURS, PEER = ("%kube dashboard", ".km-row", 1), (TABLE, ".jp-OutputArea tr", COUNT)
TABLES, POLLS = "an HTML table, made anew every 2 s", "kubectl get jobs -o json every 2 s"


@dataclass(frozen=True)
class Seen:
    """Of one page."""

    paint_ms: float
    frame_ms: float
    longest_ms: float
    rows: float


@dataclass(frozen=True)
class Cost:
    """Of one minute."""

    sent_mb: float
    cpu_s: float
    requests: float
    changes: float

    @property
    def change_bytes(self) -> float:
        return 1e6 * self.sent_mb / self.changes


@dataclass(frozen=True)
class Side:
    """All that is measured of one."""

    seen: Seen
    busy: Cost
    idle: Cost


def measure(rounds: int) -> list[Sample]:
    """Raises CannotRun where there is no browser, or no kubectl."""
    if reason := why_not() or (None if shutil.which("kubectl") else "kubectl is not installed"):
        raise CannotRun(reason)
    with many_jobs(COUNT) as jobs:
        ours, peer = interleaved(min(rounds, MAXIMUM_ROUNDS), lambda: _ours(jobs), lambda: _peer(jobs), warm=0)

    def sample(name: str, unit: str, goal: Goal, of: Callable[[Side], float], beside: str = POLLS) -> Sample:
        return Sample(f"dashboard-{name}", beside, unit, goal, [of(each) for each in ours], [of(each) for each in peer])

    return [
        sample("paint", "ms", Goal("ours", "<=", 1000), lambda side: side.seen.paint_ms, TABLES),
        sample("frame", "ms", Goal("ours", "<=", 33), lambda side: side.seen.frame_ms, TABLES),
        sample("longest", "ms", Goal("ratio", "<=", 1), lambda side: side.seen.longest_ms, TABLES),
        sample("rows", "nodes", Goal("ours", "<=", 300), lambda side: side.seen.rows, TABLES),
        sample("bytes", "bytes", Goal("ratio", "<=", 0.5), lambda side: side.busy.change_bytes),
        sample("busy-bytes", "MB", Goal("ratio", "<=", 0.5), lambda side: side.busy.sent_mb),
        sample("busy-cpu", "s", Goal("ratio", "<=", 0.5), lambda side: side.busy.cpu_s),
        sample("idle-bytes", "MB", Goal("ratio", "<=", 0.001), lambda side: side.idle.sent_mb),
        sample("idle-cpu", "s", Goal("ratio", "<=", 0.05), lambda side: side.idle.cpu_s),
        sample("idle-requests", "requests", Goal("ours", "<=", 0), lambda side: side.idle.requests),
    ]


def _ours(jobs: ManyJobs) -> Side:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, crowd(Path(folder), jobs, OURS[0]) as found:

        def wait() -> None:
            found.lab.page.wait_for_timeout(1000 * MINUTE_S)

        return Side(_seen(found, jobs, OURS), *_minutes(jobs, wait, lambda: found.kernel_holds.cpu_s))


def _peer(jobs: ManyJobs) -> Side:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with crowd(Path(folder), jobs, PEER[0]) as found:
            seen = _seen(found, jobs, PEER)
        config = jobs.kubeconfig(Path(folder, "kubeconfig"))
        return Side(seen, *_minutes(jobs, lambda: _poll(config), _of_children))


def _seen(found: Crowd, jobs: ManyJobs, shows: tuple[str, str, int]) -> Seen:
    _, selector, least = shows
    page = found.lab.page
    marks_when(page, "shown", selector, least)
    with traced(page) as first:
        found.show()
        page.wait_for_function(f"document.querySelectorAll('{selector}').length >= {least}", timeout=1000 * START_S)
        page.wait_for_timeout(1000)
    jobs.rate = CHANGES_A_SECOND
    with traced(page) as later:
        animate(page, FRAMES_S)
        page.wait_for_timeout(1000 * FRAMES_S)
    jobs.rate = 0.0
    took = sorted(after - before for before, after in pairwise(later.frames()))
    rows = page.locator(selector).count()
    return Seen(first.shown_after("shown", DATA_BYTES), took[int(0.95 * (len(took) - 1))], took[-1], rows)


def _minutes(jobs: ManyJobs, wait: Callable[[], None], cpu_s: Callable[[], float]) -> tuple[Cost, Cost]:
    """One with changes and one without any."""
    found = []
    for rate in (CHANGES_A_SECOND, 0.0):
        jobs.rate = rate
        time.sleep(SETTLE_S)
        jobs.asked.clear()
        sent, changes, cpu, began = jobs.sent_bytes, jobs.changes, cpu_s(), time.monotonic()
        wait()
        of_it = MINUTE_S / (time.monotonic() - began)  # the last poll is waited for
        sent_mb, asked = (jobs.sent_bytes - sent) / 1e6, sum(not each.watch for each in jobs.asked)
        turned = jobs.changes - changes
        found.append(Cost(of_it * sent_mb, of_it * (cpu_s() - cpu), of_it * asked, of_it * turned))
    busy, idle = found
    return busy, idle


def _poll(kubeconfig: Path) -> None:
    """For a minute."""
    command = ["kubectl", f"--kubeconfig={kubeconfig}", f"--cache-dir={kubeconfig.parent}", "get", "jobs", "-o", "json"]
    until = time.monotonic() + MINUTE_S
    while (began := time.monotonic()) < until:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        time.sleep(max(0.0, min(until, began + EVERY_S) - time.monotonic()))


def _of_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
