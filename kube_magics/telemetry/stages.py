"""The stages of a job, with the seconds that each took: by the cluster until its container started, then by its runner.

The cluster tells whole seconds, and its nodes' clocks need not be this machine's: what would be negative is nothing.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kube_magics.spec.quantities import human_bytes, human_seconds
from kube_magics.telemetry.snapshot import SUCCEEDED, SUSPENDED, Snapshot

QUEUED, SCHEDULED, PULLING, STARTING, RUNNING, DONE = (
    "queued",
    "scheduled",
    "pulling image",
    "starting",
    "running",
    "done",
)
AHEAD = (QUEUED, SCHEDULED, STARTING, RUNNING, DONE)
"""Those that every job comes to. Whether an image must be pulled, or something installed, is seen when it happens."""
TOLD = ("installing", "fetching", "rendezvous", RUNNING, "collecting")
"""Those that the runner tells."""
SIGNS = {"over": "✓", "now": "●", "ahead": "○"}
ENDS = (DONE, "failed", "stopped", "gone")
"""The last stage, by how it went."""
SILENT_S = 10.0
"""A runner announces its program within seconds: of a container that runs for longer the log cannot be read."""


@dataclass(frozen=True)
class Mark:
    """A stage begins."""

    name: str
    at: float | None = None
    """Seconds since the epoch; None: nobody has told."""


@dataclass(frozen=True)
class Stage:
    """One stage of a job."""

    name: str
    state: str
    """`over`, `now`, `ahead`."""
    seconds: float | None = None
    """What it took, or has taken so far. Unknown is None."""
    whole: bool = False
    """These are whole seconds, cut off: 0 is less than one."""
    note: str = ""

    @property
    def sign(self) -> str:
        """Repeats, for the eye, what `state` says, and how it ended."""
        return "✗" if self.name in ENDS[1:] else SIGNS[self.state]

    @property
    def took(self) -> str:
        """The seconds, for people; empty where there is nothing to say."""
        if self.state == "ahead" or self.name in ENDS:
            return ""
        if self.seconds is None:
            return "unknown"
        if self.whole and self.seconds < 10:
            return f"{self.seconds:.0f} s" if self.seconds >= 1 else "under 1 s"
        return human_seconds(self.seconds)


def stages(
    state: Snapshot,
    told: Sequence[Mark],
    *,
    phase: str,
    duration_s: float | None,
    ended_at: float | None,
    now: float,
) -> tuple[Stage, ...]:
    """From what the cluster knows and what the runner has `told`.

    `phase` is the job's, which its runner may tell before the cluster. `duration_s`: of the program, as the runner
    measured it.
    """
    over = phase in (SUCCEEDED, *ENDS)
    marks = [*_of_cluster(state), *_of_runner(state, told, now)]
    if duration_s is not None:
        marks = [*_ended_after(marks, duration_s)]
    if over:
        marks.append(Mark(DONE if phase == SUCCEEDED else phase, ended_at))
    found = [_over(state, mark, following) for mark, following in pairwise(marks)]
    if over and duration_s is not None:
        found = [Stage(RUNNING, "over", duration_s) if stage.name == RUNNING else stage for stage in found]
    if marks:
        last = marks[-1]
        seconds = None if over or last.at is None else max(0.0, now - last.at)
        found.append(Stage(last.name, "over" if over else "now", seconds, _whole(last), _size(state, last)))
    reached = max((AHEAD.index(mark.name) for mark in marks if mark.name in AHEAD), default=-1)
    ahead = () if over or phase == SUSPENDED else AHEAD[reached + 1 :]
    return (*found, *(Stage(name, "ahead") for name in ahead))


def _ended_after(marks: Sequence[Mark], duration_s: float) -> Iterator[Mark]:
    """What follows the program and does not tell since when begins with the program's end."""
    ended_at = None
    for mark in marks:
        yield Mark(mark.name, ended_at if mark.at is None else mark.at)
        if mark.name == RUNNING and mark.at is not None:
            ended_at = mark.at + duration_s


def _of_cluster(state: Snapshot) -> Iterator[Mark]:
    if state.queued_at is not None:
        yield Mark(QUEUED, state.queued_at)
    if state.scheduled_at is not None or (state.scheduled and state.queued_at is not None):
        yield Mark(SCHEDULED, state.scheduled_at)
    pull = state.pull
    if pull is not None and pull.began_at is not None:
        yield Mark(PULLING, pull.began_at)
    if state.started or (pull is not None and pull.ended_at is not None):
        yield Mark(STARTING, pull.ended_at if pull and pull.ended_at is not None else state.started_at)


def _of_runner(state: Snapshot, told: Sequence[Mark], now: float) -> Iterator[Mark]:
    silent = state.over or (state.started_at is not None and now - state.started_at > SILENT_S)
    if told or not state.started or (state.ours and not silent):
        yield from told
    else:
        # Nobody tells when a program without our runner begins: with its container.
        yield Mark(RUNNING, state.started_at)


def _over(state: Snapshot, mark: Mark, following: Mark) -> Stage:
    seconds = None if mark.at is None or following.at is None else max(0.0, following.at - mark.at)
    whole = _whole(mark) or _whole(following)
    if mark.name == PULLING and state.pull and state.pull.took_s is not None:
        seconds, whole = state.pull.took_s, False
    return Stage(mark.name, "over", seconds, whole, _size(state, mark))


def _whole(mark: Mark) -> bool:
    return mark.at is not None and float(mark.at).is_integer()


def _size(state: Snapshot, mark: Mark) -> str:
    pull = state.pull
    return human_bytes(pull.size_bytes) if mark.name == PULLING and pull and pull.size_bytes else ""
