"""`nvidia-smi`, where NVML itself cannot be had: what it prints, and what if it does not answer.

One process that prints once a second costs 0.02 % of a core, one that is started every second a hundred times as much
(measured on an H200, driver 580.159.04).
"""

from __future__ import annotations

import os
import select
import time

from .nvml import UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .nvml import Reading

PATIENCE_S = 10.0
ROUND_S = 0.05
"""Lines of one round follow each other within this."""
LATE_S = 5.0
"""A device that has not been told of for so long is not there any more."""
FIELDS = "index,uuid,name,utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu"
COMMAND = ["nvidia-smi", "--query-gpu=" + FIELDS, "--format=csv,noheader,nounits", "--loop=1"]


class Smi:
    """`nvidia-smi --loop=1`, started again when it ends. Raises OSError where it is not there or knows no device."""

    def __init__(self, strangers: set[int]) -> None:
        """`strangers`: see `Gpus`."""
        self._strangers = strangers
        self._pid = 0
        self._pipe = -1
        self._stuck = 0
        """One that did not answer; killed, it may still hang in the driver."""
        self._told: dict[str, tuple[float, list[str]]] = {}
        """By UUID: when, and the row."""
        self._listen()
        self._order = sorted(self._told, key=lambda uuid: int(self._told[uuid][1][0]))
        if not self._order:
            raise OSError("nvidia-smi knows no device")

    def devices(self) -> list[dict[str, Any]]:
        rows = [self._told[uuid][1] for uuid in self._order]
        return [
            {"index": int(row[0]), "uuid": row[1], "name": row[2], "memory_bytes": _mebibytes(row[5])} for row in rows
        ]

    def read(self, chosen: list[int]) -> list[Reading]:
        """As NVML's; unknown where a device is not told of any more."""
        self._listen()
        late = time.monotonic() - LATE_S
        told = [self._told[self._order[at]] for at in chosen]
        return [_reading(row) if when > late else UNKNOWN for when, row in told]

    def _listen(self) -> None:
        """Take what was said since the last time, or wait for it."""
        if not self._pid and not self._start():
            return
        patience_s, said = PATIENCE_S, b""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while poll.poll(patience_s * 1000):
            patience_s, chunk = ROUND_S, os.read(self._pipe, 65536)
            if not chunk:
                self._end()
                break
            said += chunk
        if not said and self._pid:
            self._end()
        now = time.monotonic()
        for row in _rows(said.decode("utf-8", "replace")):
            self._told[row[1]] = (now, row)

    def _start(self) -> bool:
        """Unless the last one has not gone yet. The supervisor reaps it."""
        if self._stuck and os.path.exists(f"/proc/{self._stuck}"):
            return False
        self._strangers.discard(self._stuck)
        self._pipe, write_end = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, write_end, 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        try:
            self._pid = os.posix_spawnp(COMMAND[0], COMMAND, os.environ, file_actions=actions)
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(write_end)
        self._strangers.add(self._pid)
        return True

    def _end(self) -> None:
        os.close(self._pipe)
        self._stuck, self._pid = self._pid, 0
        try:
            os.kill(self._stuck, 9)
        except OSError:
            return  # it has ended by itself


def _rows(said: str) -> list[list[str]]:
    """Of `0, GPU-…, NVIDIA H200, 34, 1024, 143771, 76.41, 31`; memory in MiB; `[N/A]` where unknown."""
    rows = [[field.strip() for field in line.split(",")] for line in said.splitlines()]
    return [row for row in rows if len(row) == 8 and row[0].isdigit()]


def _reading(row: list[str]) -> Reading:
    return [_number(row[3]), _mebibytes(row[4]), _mebibytes(row[5]), _number(row[6]), _number(row[7])]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _mebibytes(text: str) -> int | None:
    number = _number(text)
    return None if number is None else int(number) * 1024 * 1024
