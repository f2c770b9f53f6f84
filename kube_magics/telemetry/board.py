"""All jobs of one place as rows for a table that is kept elsewhere, and what changes of them, by versions. Pure.

Whoever has version N and is given a delta since N has the delta's version; whoever has another one needs the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kube_magics.telemetry import cardwords
from kube_magics.telemetry.card import Card
from kube_magics.telemetry.rerun import hindrance
from kube_magics.telemetry.snapshot import INCOMPLETE, PENDING, RUNNING, SUSPENDED, Snapshot
from kube_magics.telemetry.sparkline import sparkline
from kube_magics.telemetry.stages import stages

Row = dict[str, Any]
_EXPLAINED = (PENDING, INCOMPLETE, SUSPENDED, "failed")
"""Phases whose cause is told in the table."""
LIVE = (PENDING, RUNNING, SUSPENDED, INCOMPLETE)

LONGEST_IDENTITY = 200
"""Characters; anybody may have written a submission's id on a Job."""


USE_POINTS = 8
"""Of the small curve of a job's GPUs."""


@dataclass(frozen=True)
class Doing:
    """What a job is at, by its runner's and its own words: known of those that somebody here follows or looks into."""

    stage: str = ""
    progress: str = ""
    gpu_percent: float | None = None
    """How busy its GPUs are, all of them together."""
    gpu_curve: str = ""
    """The same, lately."""


UNHEARD = Doing()


@dataclass(frozen=True)
class Delta:
    """What is new."""

    version: int
    since: int | None
    """The version that it goes on from; None: it is all there is."""
    rows: tuple[Row, ...] = ()
    gone: tuple[str, ...] = ()
    """Names."""

    def json(self) -> dict[str, Any]:
        """For the table."""
        return {"version": self.version, "since": self.since, "rows": list(self.rows), "gone": list(self.gone)}


@dataclass
class Board:
    """The rows as they are now, in no order: who shows them sorts them."""

    mine: Callable[[str | None], bool] = lambda _: False
    """Whether the submission of this id is this user's."""
    version: int = 0
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    doing: Mapping[str, Doing] = field(default_factory=dict)

    def hear(self, found: Mapping[str, Doing]) -> Delta | None:
        """What jobs are at, of all that are heard."""
        names = found.keys() | self.doing.keys()
        changed = {name for name in names if found.get(name) != self.doing.get(name)} & self.snapshots.keys()
        self.doing = found
        return self.take({name: self.snapshots[name] for name in changed})

    def take(self, changes: Mapping[str, Snapshot | None]) -> Delta | None:
        """Jobs by name, None for one that is gone; None where that changes nothing that is shown."""
        changed, gone = [], []
        for name, state in changes.items():
            if state is None:
                if self.snapshots.pop(name, None) is not None:
                    del self.rows[name]
                    gone.append(name)
                continue
            fresh = row(state, self.doing.get(name, UNHEARD), mine=self.mine(state.submission_id))
            self.snapshots[name] = state
            if self.rows.get(name) != fresh:
                self.rows[name] = fresh
                changed.append(fresh)
        if not changed and not gone:
            return None
        self.version += 1
        return Delta(self.version, self.version - 1, tuple(changed), tuple(gone))

    def whole(self) -> Delta:
        """All of it."""
        return Delta(self.version, None, tuple(self.rows.values()))

    def newest_first(self) -> list[Snapshot]:
        """As `%kube jobs` has them."""
        return sorted(self.snapshots.values(), key=lambda each: each.created_at or 0, reverse=True)


def doing(card: Card) -> Doing:
    """Of a job that is heard here."""
    curves = [device.utilization_percent.points for device in card.usage.devices]
    points = [_mean([each for each in together if each is not None]) for together in zip(*curves, strict=False)]
    return Doing(
        stage=next((each.name for each in card.stages if each.state == "now"), ""),
        progress=cardwords.progress(card),
        gpu_percent=points[-1] if points else None,
        gpu_curve=sparkline(points[-USE_POINTS:], 100.0),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def row(state: Snapshot, doing: Doing = UNHEARD, *, mine: bool = False) -> Row:
    """One job; times in seconds since the epoch, what is unknown None."""
    cause = state.cause if state.phase in _EXPLAINED else None
    return {
        "name": state.name,
        "status": state.phase,
        "shown": state.status,
        "live": state.phase in LIVE,
        "why": " ".join(filter(None, (cause.sentence, cause.said))) if cause else "",
        "stage": doing.stage or _stage(state),
        "progress": doing.progress,
        "gpus": state.gpus,
        "gpu_percent": doing.gpu_percent,
        "gpu_curve": doing.gpu_curve,
        "created_at": state.created_at,
        "started_at": state.started_at,
        "finished_at": state.finished_at,
        "node": state.node or "",
        "notebook": state.notebook or "",
        "cell": state.label or "",
        "mine": mine,
        "pods": state.pods,
        "identity": identity(state),
        "no_rerun": hindrance(state),
    }


def _stage(state: Snapshot) -> str:
    """As far as the cluster alone knows it: not what its runner is at."""
    if state.phase != PENDING:
        return ""
    found = stages(state, (), phase=state.phase, duration_s=None, ended_at=None, now=state.created_at or 0.0)
    return next((each.name for each in found if each.state == "now"), "")


def identity(state: Snapshot) -> str:
    """Another job of the same name has another one."""
    return (state.uid or state.submission_id or str(state.created_at or ""))[:LONGEST_IDENTITY]
