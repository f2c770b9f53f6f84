"""Rounds, medians, goals, the table and `results.json`."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

RESULTS = Path(__file__).with_name("results.json")
ROUNDS = 20
"""Each side, taken in turns, so that a busy minute of the machine meets both."""


@dataclass(frozen=True)
class Goal:
    """What one number must reach."""

    what: str
    """`ratio` (ours / peer), `ours`, or `over` (ours - peer)."""
    sign: str
    """`<=` or `>=`."""
    limit: float

    def met(self, ours: float, peer: float) -> bool:
        value = ours if self.what == "ours" else ours - peer if self.what == "over" else ours / peer
        return value <= self.limit if self.sign == "<=" else value >= self.limit

    def text(self, unit: str) -> str:
        """`ratio <= 0.2`, `ours <= 60 ms`, `ours - peer <= 60 ms`."""
        said = "ours - peer" if self.what == "over" else self.what
        return f"{said} {self.sign} {self.limit:g}" + ("" if self.what == "ratio" else f" {unit}")


@dataclass(frozen=True)
class Row:
    """One number of `results.json`."""

    name: str
    ours: float
    """Median of the rounds (of what must not happen: the worst), in `unit`."""
    peer: float
    peer_name: str
    unit: str
    ratio: float | None
    """ours / peer; None: peer is 0."""
    goal: str
    met: bool
    rounds: int


@dataclass(frozen=True)
class Sample:
    """All measurements of one number."""

    name: str
    peer_name: str
    unit: str
    goal: Goal
    ours: Sequence[float]
    peer: Sequence[float]
    of: Callable[[Sequence[float]], float] = statistics.median
    """What stands for all rounds; `max` where one bad round is one too many."""

    @property
    def row(self) -> Row:
        ours, peer = self.of(self.ours), self.of(self.peer)
        return Row(
            name=self.name,
            ours=rounded(ours),
            peer=rounded(peer),
            peer_name=self.peer_name,
            unit=self.unit,
            ratio=rounded(ours / peer) if peer else None,
            goal=self.goal.text(self.unit),
            met=self.goal.met(ours, peer),
            rounds=len(self.ours),
        )


def interleaved(rounds: int, ours: Callable[[], T], peer: Callable[[], T], warm: int = 1) -> tuple[list[T], list[T]]:
    """Ours, peer, ours, peer …; the first `warm` rounds fill caches on both sides and do not count."""
    pairs = [(ours(), peer()) for _ in range(warm + rounds)][warm:]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def rounded(value: float) -> float:
    """Four digits: more is noise."""
    return float(f"{value:.4g}")


HEADINGS = ("name", "ours", "peer", "unit", "ratio", "goal", "", "rounds", "half of ours within", "peer is")


def table(samples: Iterable[Sample]) -> str:
    """For people: a line a number, with the middle half of our measurements."""
    lines = [HEADINGS]
    for sample in samples:
        row = sample.row
        numbers = (f"{row.ours:g}", f"{row.peer:g}", row.unit, "-" if row.ratio is None else f"{row.ratio:g}")
        met = "met" if row.met else "MISSED"
        lines.append((row.name, *numbers, row.goal, met, str(row.rounds), _middle(sample.ours), row.peer_name))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _middle(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "-"
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{rounded(low):g} to {rounded(high):g}"


def write(rows: Sequence[Row], path: Path = RESULTS) -> None:
    """Rows of this run, and those of benchmarks that it left out, as they were."""
    fresh = {row.name: asdict(row) for row in rows}
    kept = {row["name"]: row for row in json.loads(path.read_text("utf-8"))} if path.exists() else {}
    path.write_text(json.dumps(list({**kept, **fresh}.values()), indent=2) + "\n", "utf-8")
