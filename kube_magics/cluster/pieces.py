"""What a log is read as: blocks of whole lines, and what stands between two."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """Lines may be missing here; how many, if any, only the runner's own count tells."""

    why: str
    sure: bool = False
    """They are missing: nothing was read at all."""


@dataclass(frozen=True)
class Outage:
    """Nothing can be read for a while: nothing is lost by that yet."""

    lasted_s: float
    over: bool = False
    """It can be read again."""


@dataclass(frozen=True)
class Attempt:
    """Here begins the log of another pod of the same job."""

    number: int
    """From 1 on."""
    of: int
    """How many there may be."""
    before: str = ""
    """How the one before ended, as the cluster says it; empty: it does not."""

    @property
    def heading(self) -> str:
        """What stands above its log."""
        return f"attempt {self.number} of {self.of}"


Piece = bytes | Gap | Outage | Attempt
"""A block of whole lines, or what stands between two."""
