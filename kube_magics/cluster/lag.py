"""How far behind its writing a log is read: from when on the rest is fetched without following."""

from __future__ import annotations

import time

from kube_magics.cluster.position import unix_time

BEHIND_S = 0.4
"""Lag at which the rest is fetched without following: a third of the CPU here, two thirds on node and API server.
Sooner than a second: the lines of the position's own second are fetched once more."""


class Lag:
    """Of one log. The clocks of reader and node may differ, so only its growth counts."""

    def __init__(self, behind_s: float = BEHIND_S) -> None:
        self._behind_s = behind_s
        self._least_s = float("inf")
        self._looked_at = 0.0

    def has_grown(self, last: bytes) -> bool:
        """Whether it is more than it was at least, by the stamp of the `last` line."""
        now = time.time()
        written = unix_time(last)
        if written is None or now - self._looked_at < self._behind_s / 2:
            return False
        self._looked_at = now
        lag_s = now - written
        self._least_s = min(self._least_s, lag_s)
        return lag_s - self._least_s > self._behind_s
