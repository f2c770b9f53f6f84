"""`python -m benchmarks [NAME…] [--rounds N] [--output PATH]`: measure, print the table, write `results.json`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import (
    capture,
    card,
    cuts,
    dashboard,
    done,
    first_line,
    follow_20,
    list_2000,
    load,
    log_rate,
    neighbour,
    notebook_flood,
    resume,
    runner_line,
    runner_start,
    sampler,
    stall,
    submit_warm,
    why,
)
from benchmarks.measure import RESULTS, ROUNDS, Sample, table, write
from benchmarks.place import CannotRun, Place, place

ALONE: dict[str, Callable[[int], list[Sample]]] = {
    "load": load.measure,
    "capture": capture.measure,
    "card": card.measure,
    "notebook-flood": notebook_flood.measure,
    "runner-line": runner_line.measure,
    "sampler": sampler.measure,
    "list-2000": list_2000.measure,
    "dashboard": dashboard.measure,
}
ON_THE_CLUSTER: dict[str, Callable[[Place, int], list[Sample]]] = {
    "submit-warm": submit_warm.measure,
    "first-line": first_line.measure,
    "first-line-large": first_line.measure_large,
    "done": done.measure,
    "log-rate": log_rate.measure,
    "runner-start": runner_start.measure,
    "resume": resume.measure,
    "stall": stall.measure,
    "cuts": cuts.measure,
    "follow-20": follow_20.measure,
    "why": why.measure,
    "neighbour": neighbour.measure,
}
NAMES = (*ALONE, *ON_THE_CLUSTER)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition(": ")[2])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; without one: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each side, in turns (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="default: benchmarks/results.json")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    samples: list[Sample] = []
    for found in measure([name for name in NAMES if name in (asked.names or NAMES)], asked.rounds):
        # Each as soon as it is there: a run that is interrupted keeps what it has.
        write([sample.row for sample in found], asked.output)
        samples += found
    print(table(samples))
    return 0


def measure(names: Sequence[str], rounds: int) -> Iterator[list[Sample]]:
    """Benchmark after benchmark; on stderr how long each took, and why this machine cannot run it."""
    with contextlib.ExitStack() as exits:
        found: Place | None = None
        for name in names:
            began = time.monotonic()
            try:
                if name in ALONE:
                    yield ALONE[name](rounds)
                else:
                    found = found or exits.enter_context(place())
                    yield ON_THE_CLUSTER[name](found, rounds)
            except CannotRun as error:
                print(f"{name} was not measured: {error}", file=sys.stderr)
            else:
                print(f"{name}: measured in {time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
