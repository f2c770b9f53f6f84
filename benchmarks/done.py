"""done: from the last thing that the program prints to having what it was for.

ours    from the clock that the cell's last statement prints to the clock that the notebook's next cell, sent along
        with it, reads once it has the returned value
peer    from the clock that a plain Job's last statement prints to the exit of `kubectl wait --for=condition=complete`,
        started before; kubectl's user has no value then, only the knowledge that there is one

The node is this machine: both clocks are one.
"""

from __future__ import annotations

import secrets
import time

from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place, plain_job

GOAL = Goal("ratio", "<=", 0.02)
RUN_S = 1.0
"""Long enough for kubectl's `wait` to be there before the end."""
PROGRAM = f"import time\ntime.sleep({RUN_S:g})\nprint(time.time_ns(), flush=True)"
CELL = f"%%kubetrain --returns score\nimport time\ntime.sleep({RUN_S:g})\nscore = 0.97\nprint('last:', time.time_ns())"
NEXT = "assert score == 0.97\nimport time\nprint('value:', time.time_ns())\ndel score"


def measure(place: Place, rounds: int) -> list[Sample]:
    ours, peer = interleaved(rounds, lambda: _ours(place), lambda: _peer(place))
    return [Sample("done", "kubectl wait --for=condition=complete", "ms", GOAL, ours, peer)]


def _ours(place: Place) -> float:
    requests = [place.kernel.send(CELL), place.kernel.send(NEXT)]
    first, second = (place.kernel.finish(request) for request in requests)
    if first.error or second.error:
        raise RuntimeError(f"{first.message}{second.message}\n{first.traceback}")
    place.quiet()
    return (_clock(second.stdout, "value:") - _clock(first.stdout, "last:")) / 1e6


def _clock(printed: str, mark: str) -> int:
    return next(int(line.removeprefix(mark)) for line in printed.splitlines() if line.startswith(mark))


def _peer(place: Place) -> float:
    name = f"peer-{secrets.token_hex(3)}"
    place.check("create", f"--filename={place.write(plain_job(name, place.image, PROGRAM))}")
    place.wait("--for=condition=complete", f"job/{name}")
    ended = time.time_ns()
    printed = int(place.check("logs", f"job/{name}"))
    place.quiet()
    return (ended - printed) / 1e6
