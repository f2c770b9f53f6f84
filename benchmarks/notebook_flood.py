"""notebook-flood-*: 100,000 lines a second for a minute, from one cell into a JupyterLab that a real browser has open.

rate      lines a second that the program could print: a reader that does not keep up makes it wait
messages  from the kernel into the page, a second, in the five seconds that had most of them
notices   of the server, that it drops output
wrong     what the page does not show at the end: that the cell has ended, the last line
answer    the longest that the page took to do anything, seconds
page      what the browser's process of the page grew by, MB
kernel    what the kernel's process grew by, MB
saved     the notebook in its file, MB; of a page that saves no more: the output that it holds

ours    a `%%kubetrain` cell on this machine, where a log comes as fast as it is written
peer    the same lines by `print` in a cell, which is what tools do that copy a log into the notebook. For a sixth of
        the time: after longer there is no page left to ask
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import CannotRun
from tests.browser.flood import Flooded, flood
from tests.browser.lab import why_not

SECONDS, PEER_SECONDS = 60.0, 10.0
MAXIMUM_ROUNDS = 1
"""Three minutes, and six million lines are a median by themselves."""
PEER = "print in the cell"


def measure(rounds: int, seconds: float = SECONDS, peer_seconds: float = PEER_SECONDS) -> list[Sample]:
    """Raises CannotRun where there is no browser."""
    if reason := why_not():
        raise CannotRun(reason)
    sides = (
        lambda: _flood(f"%%kubetrain --name flood-{secrets.token_hex(3)}", seconds),
        lambda: _flood("", peer_seconds),
    )
    ours, peer = interleaved(min(rounds, MAXIMUM_ROUNDS), *sides, warm=0)

    def sample(what: str, unit: str, goal: Goal, of: Callable[[Flooded], float]) -> Sample:
        worst = min if goal.sign == ">=" else max
        return Sample(f"notebook-flood-{what}", PEER, unit, goal, [of(f) for f in ours], [of(f) for f in peer], worst)

    return [
        sample("rate", "lines/s", Goal("ours", ">=", 95_000), lambda f: f.lines_s),
        sample("messages", "messages/s", Goal("ours", "<=", 20), lambda f: f.messages_s),
        sample("notices", "notices", Goal("ours", "<=", 0), lambda f: len(f.notices)),
        sample("wrong", "wrong at the end", Goal("ours", "<=", 0), lambda f: len(f.missing)),
        sample("answer", "s", Goal("ours", "<=", 0.5), lambda f: f.answer_s),
        sample("page", "MB", Goal("ours", "<=", 100), lambda f: f.page_mb),
        sample("kernel", "MB", Goal("ours", "<=", 50), lambda f: f.kernel_mb),
        sample("saved", "MB", Goal("ours", "<=", 2), lambda f: f.saved_bytes / 1e6),
    ]


def _flood(magic: str, seconds: float) -> Flooded:
    with tempfile.TemporaryDirectory(prefix="kube-magics-bench-", ignore_cleanup_errors=True) as folder:
        return flood(Path(folder), magic, seconds)
