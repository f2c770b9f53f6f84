"""A cell that prints as much as it can be made to, and what it does to the notebook in which it runs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.browser.lab import Lab, lab
from tests.held import held

RATE = 100_000
"""Lines a second."""
START_S = 60.0
PATIENCE_S = 15.0
"""With a page, after the last line was printed."""
ANSWER_S = 15.0
EVERY_S = 0.5
BEFORE = "{load}import os\nopen({pid!r}, 'w').write(str(os.getpid()))"
_PROGRAM = """\
import json, time
began, number = time.monotonic(), 0
while number < {lines} and time.monotonic() - began < {seconds} * 1.2:
    for _ in range(1000):
        print(f"{{number:08d}} loss 0.123456 accuracy 0.98765")
        number += 1
    time.sleep(max(0.0, began + number / {rate} - time.monotonic()))
took_s = time.monotonic() - began
print("the last line")
with open({told!r}, "w") as file:
    json.dump([number, took_s], file)
"""


@dataclass(frozen=True)
class Flooded:
    """What came of it."""

    lines_s: float
    """That the program could print: whoever reads slowly makes it wait."""
    messages_s: float
    """From the kernel into the page, in the five seconds that had most of them."""
    notices: list[str]
    """The server's words on output that it has dropped."""
    missing: list[str]
    """What the page should show at the end, and does not."""
    answer_s: float
    """The longest that the page took to do anything."""
    page_mb: float
    kernel_mb: float
    """What both have grown to at most, less what they were before."""
    saved_bytes: int
    """Of the notebook; where the page could not save it any more: of the output that it holds."""


def flood(folder: Path, magic: str, seconds: float) -> Flooded:
    """A cell in a JupyterLab that prints `RATE` lines a second for `seconds`; `magic` is its first line, if any."""
    pid, told = folder / "pid", folder / "told"
    program = _PROGRAM.format(lines=int(RATE * seconds), seconds=seconds, rate=RATE, told=str(told))
    load = "%load_ext kube_magics\n" if magic else ""
    cells = [BEFORE.format(load=load, pid=str(pid)), f"{magic}\n{program}" if magic else program]
    environment = {"KUBE_MAGICS_BACKEND": "local", "KUBE_MAGICS_STATE": str(folder / "state")}
    with lab(folder, cells, environment) as found:
        found.run_all()
        if not found.ended(1, START_S):
            raise RuntimeError("the first cell does not end")
        return _watched(
            found, int(pid.read_text("ascii")), told, seconds, ["end of the cell", "the last line", *_last_words(magic)]
        )


def _last_words(magic: str) -> Sequence[str]:
    return [f"job {name} done in" for name in re.findall(r"--name (\S+)", magic)]


def _watched(found: Lab, kernel: int, told: Path, seconds: float, expected: Sequence[str]) -> Flooded:
    renderer = found.renderer()
    before = held(renderer).memory_mb, held(kernel).memory_mb
    most, answer_s, began = before, 0.0, time.monotonic()
    while not told.exists() or not told.stat().st_size:
        if time.monotonic() - began > 3 * seconds + START_S:
            raise TimeoutError(f"the program still prints after {3 * seconds + START_S:g} s")
        answer_s = max(answer_s, found.answers(ANSWER_S))
        most = max(most[0], held(renderer).memory_mb), max(most[1], held(kernel).memory_mb)
        time.sleep(EVERY_S)
    lines, took_s = json.loads(told.read_text("ascii"))
    ended = found.ended(2, PATIENCE_S)
    answer_s = max(answer_s, found.answers(ANSWER_S))
    most = max(most[0], held(renderer).memory_mb), max(most[1], held(kernel).memory_mb)
    shown = found.text() + "\nend of the cell" if ended else ""
    return Flooded(
        lines_s=lines / took_s,
        messages_s=found.traffic.most_a_second(began),
        notices=found.traffic.notices,
        missing=[each for each in expected if each not in shown],
        answer_s=answer_s,
        page_mb=most[0] - before[0],
        kernel_mb=most[1] - before[1],
        saved_bytes=found.save(ANSWER_S) or found.traffic.stream_bytes,
    )
