"""The job's GPUs: found and read once a second in a thread of their own, and told in few words.

By NVML, else by nvidia-smi, else not at all. Both can hang for seconds on a sick driver, so the last reading is
remembered, and the runner goes on.
"""

from __future__ import annotations

import os
import threading
import time

from . import protocol
from .nvml import LOST, UNKNOWN, Nvml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .nvml import Reading
    from .smi import Smi

INTERVAL_S = 1.0
STALE_S = 5.0
"""A reading that is older says nothing of now: the driver hangs."""


class Gpus(threading.Thread):
    """Reads the job's devices once a second, in the background. `devices` is None until they have been looked for."""

    def __init__(self, strangers: set[int]) -> None:
        """`strangers`: the processes below the runner that are none of the job's, in which nvidia-smi is kept."""
        super().__init__(name="gpus", daemon=True)
        self.devices: list[dict[str, Any]] | None = None
        self._latest: list[Reading] = []
        self._read_at = 0.0
        self._taken: list[list[Reading]] = []
        self._strangers = strangers
        self._stop = threading.Event()

    def run(self) -> None:
        source = self._source()
        try:
            found = source.devices() if source else []
            chosen = _of_this_job(found)
            self.devices = [found[at] for at in chosen]
            while source and not self._stop.wait(INTERVAL_S):
                self._latest, self._read_at = source.read(chosen), time.monotonic()
        except (OSError, ValueError):
            self._latest = []
            self.devices = self.devices or []

    def latest(self, now: float) -> list[Reading]:
        """Of each device; nothing before the first."""
        return self._latest if now - self._read_at < STALE_S else [UNKNOWN] * len(self._latest)

    def take(self, now: float) -> None:
        """Keep the latest reading for the next batch."""
        readings = self.latest(now)
        if readings:
            self._taken.append(readings)

    def batch(self) -> dict[str, Any]:
        """What was taken since the last one, as a `sample` event tells it."""
        by_device = [list(readings) for readings in zip(*self._taken)]
        self._taken = []
        if len(by_device) < 2:
            return {"gpu": by_device}
        busy = [[reading[0] for reading in readings if reading and reading[0] is not None] for readings in by_device]
        return {
            "gpu": [thinned(readings) for readings in by_device],
            "thin": True,
            "seen": [len(each) for each in busy],
            "idle": [sum(percent < protocol.IDLE_PERCENT for percent in each) for each in busy],
        }

    def stop(self) -> None:
        self._stop.set()

    def _source(self) -> Nvml | Smi | None:
        try:
            return Nvml()
        except (OSError, AttributeError):
            return self._second_source()

    def _second_source(self) -> Smi | None:
        try:
            from .smi import Smi

            return Smi(self._strangers)
        except (OSError, ImportError):  # ImportError: the program has removed our files
            return None


def thinned(readings: list[Reading]) -> list[Reading]:
    """Mean and peak of each column, unknown where no reading knows; and of the last reading what a card shows."""
    mean: Reading = []
    peak: Reading = []
    for column in zip(*[reading for reading in readings if reading] or [UNKNOWN]):
        known = [value for value in column if value is not None]
        mean.append(round(sum(known) / len(known)) if known else None)
        peak.append(max(known) if known else None)
    return [mean, peak, readings[-1][:2] or LOST]


def _of_this_job(devices: list[dict[str, Any]]) -> list[int]:
    """A container is shown its own only; a job on this machine is told which are its own, by UUID."""
    own = (os.environ.get("CUDA_VISIBLE_DEVICES") or "").split(",")
    return [at for at, device in enumerate(devices) if device["uuid"] in own] or list(range(len(devices)))
