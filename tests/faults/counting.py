"""A job whose log proves itself: numbered lines, and at the end the SHA-256 of all that it printed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

LOST = re.compile(rb"\[kube_magics: ([0-9,]+) lines \([0-9,]+ bytes\) were lost between the pod and here")
_LINE = re.compile(rb"^(\d{7}) \.*$", re.MULTILINE)
_CELL = """\
%%kubetrain --name {name} --cpus 100m --memory 200Mi {options}
import hashlib, sys, time
out, digest, began = sys.stdout.buffer, hashlib.sha256(), time.monotonic()
for start in range(0, {lines}, {block}):
    lines = b"".join(b"%07d %s\\n" % (n, b"." * (n % {width})) for n in range(start, min(start + {block}, {lines})))
    digest.update(lines)
    out.write(lines)
    out.flush()
    time.sleep(max(0.0, began + start / {rate} - time.monotonic()))
print(digest.hexdigest(), {lines} / (time.monotonic() - began))"""


def cell(name: str, lines: int, rate: int, options: str = "", width: int = 90) -> str:
    """A cell that prints `lines` lines, `rate` a second, of 9 to `width` + 9 bytes."""
    block = max(1, rate // 50)
    return _CELL.format(name=name, lines=lines, rate=rate, options=options, width=width, block=block)


@dataclass(frozen=True)
class Counted:
    """What a log file holds of such a job."""

    lost: int
    doubled: int
    same: bool
    """Its SHA-256 is the one that the pod printed."""
    rate: float
    """Lines a second, as the pod measured it."""


def counted(path: Path, lines: int) -> Counted:
    """Raises ValueError if the job's own last line did not come."""
    text, _, last = path.read_bytes().removesuffix(b"\n").rpartition(b"\n")
    said, rate = last.split()
    numbers = [int(line[:7]) for line in text.split(b"\n")]
    different = set(numbers)
    return Counted(
        lost=len(set(range(lines)) - different),
        doubled=len(numbers) - len(different),
        same=hashlib.sha256(text + b"\n").hexdigest() == said.decode("ascii"),
        rate=float(rate),
    )


@dataclass(frozen=True)
class Tally:
    """What a log file holds of such a job, whole or not."""

    lost: int
    doubled: int
    said: int
    """Lines that it says itself are lost."""

    @property
    def unsaid(self) -> int:
        """By how many lines that is wrong."""
        return abs(self.lost - self.said)


def tallied(path: Path, lines: int) -> Tally:
    text = path.read_bytes()
    numbers = _LINE.findall(text)
    different = len(set(numbers))
    said = sum(int(count.replace(b",", b"")) for count in LOST.findall(text))
    return Tally(lost=lines - different, doubled=len(numbers) - different, said=said)
