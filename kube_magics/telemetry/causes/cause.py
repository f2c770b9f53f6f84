"""A named reason, and what all who look for one need: the newest of some events, a condition in its own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kube_magics.telemetry.causes.evictions import AGAIN
from kube_magics.telemetry.happenings import when
from kube_magics.telemetry.objects import text

PROGRAMS = (
    *("exit", "signal", "gpu-memory", "no-gpu", "gpu-code", "nccl"),
    *("module", "shared-memory", "disk-full", "read-only", "home", "architecture"),
)
"""Kinds of ends that a program comes to by itself."""


@dataclass(frozen=True)
class Cause:
    """One named reason."""

    kind: str
    """For programs: image, start, mount, quota, limits, policy, unschedulable, scaling, queued, suspended, hidden, oom,
    deadline, stopped, evicted, deleted, node, device, restart, incomplete, refused, failed; and those of `PROGRAMS`."""
    sentence: str
    said: str | None = None
    """The cluster's own words."""
    fix: str | None = None
    """What to type next; NAME is the job's."""
    hopeless: bool = False
    """Waiting will not help: the job should be given up."""
    exit_code: int | None = None
    """Of a container that ended by itself or by a signal (128 more than its number)."""

    @property
    def is_the_programs(self) -> bool:
        """It says how the program ended, not what made it."""
        return self.kind in PROGRAMS

    def fix_of(self, job: str) -> str | None:
        """What to type next of the job of this name."""
        return re.sub(r"\bNAME\b", job, self.fix) if self.fix else None


WAS_STOPPED = Cause("stopped", "It was stopped.", fix=AGAIN)
"""By a user, with what kube_magics types for it."""


def newest(events: Sequence[Mapping[str, Any]], *reasons: str) -> Mapping[str, Any] | None:
    """Of the events with one of these reasons."""
    found = [event for event in events if text(event, "reason") in reasons]
    # The server sorts events by name; of equal times the later one in the list counts.
    return max(enumerate(found), key=lambda pair: (when(pair[1]), pair[0]))[1] if found else None


def concerning(events: Sequence[Mapping[str, Any]], uid: str) -> list[Mapping[str, Any]]:
    """Those of the object `uid`, of events that may be of several."""
    return [event for event in events if text(event, "involvedObject", "uid") in ("", uid)]


def quoted(condition: Mapping[str, Any] | None) -> str | None:
    """Reason and message of a condition."""
    return ": ".join(filter(None, (text(condition, "reason"), text(condition, "message")))) or None
