"""first-line, first-line-large: from the wish to run something to the first line that it prints.

ours    from sending the cell to the kernel to the arrival of the message that holds the cell's own first line, as a
        front end gets it; the kernel has run a job before. `large`: with 1 MiB of captured bytes and `--shm`
peer    from the start of `kubectl create --filename` of a plain Job of the same image that prints the same, through
        `kubectl wait --for=condition=Ready` of its pod, to the first line out of `kubectl logs --follow`. The same Job
        for `large`: what kubectl's user has without moving any data

`wait` is repeated while it finds no pod yet, as a script does it.
"""

from __future__ import annotations

import secrets
import time

from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place, messages, plain_job

GOAL = Goal("ratio", "<=", 0.5)
GOAL_LARGE = Goal("ratio", "<=", 0.85)
LARGE_BYTES = 1 << 20
LINE = "the job's first line"
PROGRAM = f"import time\nprint({LINE!r}, flush=True)\ntime.sleep(30)"
TIMEOUT_S = 60.0


def measure(place: Place, rounds: int) -> list[Sample]:
    cell = f"%%kubetrain\nprint({LINE!r})\n"
    ours, peer = interleaved(rounds, lambda: _ours(place, cell), lambda: _peer(place))
    return [Sample("first-line", "kubectl create + wait + logs -f", "ms", GOAL, ours, peer)]


def measure_large(place: Place, rounds: int) -> list[Sample]:
    place.kernel.run(f"import os\ndata = os.urandom({LARGE_BYTES})")
    cell = f"%%kubetrain --shm 64Mi\nsize = len(data)\nprint({LINE!r})\n"
    ours, peer = interleaved(rounds, lambda: _ours(place, cell), lambda: _peer(place))
    return [Sample("first-line-large", "kubectl create + wait + logs -f", "ms", GOAL_LARGE, ours, peer)]


def _ours(place: Place, cell: str) -> float:
    client = place.kernel.client  # started before, where this is its first use
    began = time.perf_counter()
    took, seen = 0.0, ""
    for message in messages(client, cell, TIMEOUT_S):
        if message["msg_type"] == "stream":
            seen += message["content"]["text"]
            if not took and f"{LINE}\n" in seen:
                took = time.perf_counter() - began
        elif message["msg_type"] == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))
    assert took, seen
    place.quiet()
    return 1000 * took


def _peer(place: Place) -> float:
    name = f"peer-{secrets.token_hex(3)}"
    path = place.write(plain_job(name, place.image, PROGRAM))
    began = time.perf_counter()
    place.check("create", f"--filename={path}")
    place.wait("--for=condition=Ready", "pod", f"--selector=job-name={name}")
    logs = place.start_kubectl("logs", "--follow", f"job/{name}")
    assert logs.stdout
    line = logs.stdout.readline()
    took = time.perf_counter() - began
    assert line.decode().rstrip("\n") == LINE, line
    logs.kill()
    logs.communicate()
    place.quiet()
    return 1000 * took
