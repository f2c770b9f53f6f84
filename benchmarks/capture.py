"""capture: what finding and packing the values of a cell costs over the bare pickle of these values.

A notebook of 500 names and 2 GB of data; the cell uses three of them, once small (1.3 MB together), once large
(160 MB, which travel beside the bundle).

ours    from the cell's text to all that a submit hands over: the names found, the values pickled, digested for
        re-attaching and for the other side's check, the bundle zipped
peer    `pickle.dumps((a, b, c), protocol=5)` of the same three values in the same process

In turns, in one process. `capture-memory` is by how much the process's highest memory grows in each, in a fresh process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.measure import Goal, Sample

OVER = Goal("over", "<=", 50)
MEMORY = Goal("ratio", "<=", 1.1)
"""Ours may take what the pickle takes: bounded by what travels, not by what the notebook has."""

_NOTEBOOK = """
import json, pickle, resource, sys, time
import numpy as np
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def cell(source):
    shell.run_cell(source, store_history=True).raise_error()
cell("import numpy as np")
for n in range(160):
    cell(f"a{n} = {n}\\nb{n} = list(range({n}))\\ndef f{n}(x):\\n    return a{n} + x")
for n in range(20):
    cell(f"block{n} = np.zeros(12_500_000)")
cell("config = {'rate': 0.1, 'layers': [64, 64]}")
cell("small, labels = np.ones(150_000), np.ones(100_000, dtype='u1')")
cell("large, rows = np.ones((1000, 18_750)), [(n, str(n)) for n in range(100_000)]")
from kube_magics.cells.bundle import build
from kube_magics.cells.capture import capture
from kube_magics.magics import notebook as notebooks
CELLS = {"small": "score = small.sum() + labels.sum() + len(config)", "large": "score = large.sum() + len(rows) + len(config)"}
def ours(shape):
    captured = capture(f"%%kubetrain\\n{CELLS[shape]}\\n", notebooks.read(shell))
    bundle = build(captured, {}, with_data=shape == "small")
    return captured.data.parts(), bundle
def peer(shape):
    names = ("small", "labels", "config") if shape == "small" else ("large", "rows", "config")
    return pickle.dumps(tuple(shell.user_ns[name] for name in names), protocol=5)
def took(side, shape):
    began = time.perf_counter()
    made = side(shape)
    return 1000 * (time.perf_counter() - began)
"""
_TIMES = """
for shape in CELLS:
    rounds = [(took(ours, shape), took(peer, shape)) for _ in range(1 + int(sys.argv[1]))][1:]
    print(json.dumps([shape, *zip(*rounds)]))
"""
_MEMORY = """
took(ours, "small")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
took({"ours": ours, "peer": peer}[sys.argv[1]], "large")
print(json.dumps((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6))
"""


def measure(rounds: int) -> list[Sample]:
    found = []
    for line in _run(_TIMES, str(rounds)):
        shape, ours, peer = json.loads(line)
        name = "capture" if shape == "small" else "capture-large"
        found.append(Sample(name, "pickle.dumps of the same values", "ms", OVER, ours, peer))
    times = min(rounds, 3)  # it does not vary
    grown = {side: [float(_run(_MEMORY, side)[0]) for _ in range(times)] for side in ("ours", "peer")}
    return [
        *found,
        Sample("capture-memory", "pickle.dumps of the same values", "MB", MEMORY, grown["ours"], grown["peer"]),
    ]


def _run(program: str, *arguments: str) -> Sequence[str]:
    command = [sys.executable, "-c", _NOTEBOOK + program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
