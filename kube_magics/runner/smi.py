"""`nvidia-smi`, where NVML itself cannot be had: what it prints, and what if it does not answer.

One process that prints once a second costs 0.02 % of a core, one that is started every second a hundred times as much
(measured on an H200, driver 580.159.04). What it prints beside numbers, as people have shown it:

- `[N/A]` (before driver 470 `[Not Supported]`), `[Unknown Error]`: unknown;
- `[GPU is lost]` in each field that it asks the device for, after which it exits with an error (its own words over
  NVIDIA's mock of the library: NVIDIA/k8s-test-infra, tests/e2e/go; seen in a log once a second from the moment that a
  device fell off the bus), or `[GPU requires reset]`;
- of a GPU with MIG, in a container: `[N/A]` as utilisation, `[Insufficient Permissions]` as memory
  (Stability-AI/StableSwarmUI, issue 388, an A100 with driver 535); to who may, the memory of all that share it. Of its
  MIG devices no query tells anything;
- instead of rows `No devices were found`, `NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA
  driver`, `Failed to initialize NVML: Driver/library version mismatch`, `Field "mig.mode.current" is not a valid field
  to query.` (before driver 450), and, whatever others there are, `Unable to determine the device handle for GPU
  0000:02:00.0: GPU is lost.  Reboot the system to recover this GPU`.
"""

from __future__ import annotations

import os
import select
import time

from .nvml import LOST, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .nvml import Reading

PATIENCE_S = 10.0
ROUND_S = 0.05
"""Lines of one round follow each other within this."""
LATE_S = 5.0
"""A device that has not been told of for so long is not there any more."""
PAUSE_S = 10.0
"""Between two starts."""
FIELDS = "index,uuid,name,utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu"
MIG = ",mig.mode.current"
GONE = ("[GPU is lost]", "[GPU requires reset]")


class Smi:
    """`nvidia-smi --loop=1`, started again when it ends. Raises OSError where it is not there or knows no device."""

    def __init__(self, strangers: set[int]) -> None:
        """`strangers`: see `Gpus`."""
        self._strangers = strangers
        self._pid = 0
        self._pipe = -1
        self._fields = FIELDS + MIG
        self._not_before = 0.0
        self._stuck = 0
        """One that did not answer; killed, it may still hang in the driver."""
        self._told: dict[str, tuple[float, list[str]]] = {}
        """By UUID: when, and the row."""
        self._listen()
        if self._fields == FIELDS:
            self._ask_again()
        self._order = sorted(self._told, key=lambda uuid: int(self._told[uuid][1][0]))
        if not self._order:
            raise OSError("nvidia-smi knows no device")

    def _ask_again(self) -> None:
        """For less, once the first one has been reaped."""
        until = time.monotonic() + PATIENCE_S
        while not self._told and time.monotonic() < until:
            time.sleep(ROUND_S)
            self._listen()

    def devices(self) -> list[dict[str, Any]]:
        rows = [self._told[uuid][1] for uuid in self._order]
        return [
            {
                "index": int(row[0]),
                "uuid": _text(row[1]),
                "name": _name(row),
                "memory_bytes": (_reading(row) or UNKNOWN)[2],
            }
            for row in rows
        ]

    def read(self, chosen: list[int]) -> list[Reading]:
        """As NVML's; unknown where a device is not told of any more, unless it was lost."""
        self._listen()
        late = time.monotonic() - LATE_S
        told = [self._told[self._order[at]] for at in chosen]
        readings = [(when, _reading(row)) for when, row in told]
        return [reading if when > late or reading == LOST else UNKNOWN for when, reading in readings]

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
            self._told[self._who(row)] = (now, row)
        if b"not a valid field" in said:
            self._fields, self._not_before = FIELDS, 0.0

    def _who(self, row: list[str]) -> str:
        """A lost device may not even tell its UUID; its place among the others it keeps while nvidia-smi runs."""
        if _text(row[1]):
            return row[1]
        return next((uuid for uuid, (_, before) in self._told.items() if before[0] == row[0]), row[0])

    def _start(self) -> bool:
        """Unless the last one has not gone yet, or was started just now. The supervisor reaps it."""
        now = time.monotonic()
        if now < self._not_before or (self._stuck and os.path.exists(f"/proc/{self._stuck}")):
            return False
        self._not_before = now + PAUSE_S
        self._strangers.discard(self._stuck)
        self._pipe, write_end = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, write_end, 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        try:
            command = ["nvidia-smi", "--query-gpu=" + self._fields, "--format=csv,noheader,nounits", "--loop=1"]
            self._pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
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
    """Of `0, GPU-…, NVIDIA H200, 34, 1024, 143771, 76.41, 31, Disabled`; memory in MiB."""
    rows = [[field.strip() for field in line.split(",")] for line in said.splitlines()]
    return [row for row in rows if len(row) in (8, 9) and row[0].isdigit()]


def _reading(row: list[str]) -> Reading:
    if any(field in GONE for field in row):
        return LOST
    if _shared(row):
        return UNKNOWN
    return [_number(row[3]), _mebibytes(row[4]), _mebibytes(row[5]), _number(row[6]), _number(row[7])]


def _shared(row: list[str]) -> bool:
    """It is divided by MIG: its numbers are not the job's."""
    return row[8:] == ["Enabled"]


def _name(row: list[str]) -> str | None:
    name = _text(row[2])
    return f"{name} MIG" if name and _shared(row) else name


def _text(field: str) -> str | None:
    return None if field.startswith("[") else field


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _mebibytes(text: str) -> int | None:
    number = _number(text)
    return None if number is None else int(number) * 1024 * 1024
