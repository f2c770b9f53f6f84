"""What a job's runner has told so far, in as little memory as a card of it needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kube_magics.telemetry.stages import TOLD, Mark
from kube_magics.telemetry.usage import NOTHING, Usage, number

MOST_MARKS = 16


@dataclass(frozen=True)
class Heard:
    """Of one attempt. Frozen, so that whoever draws it may do so in another thread than the one that listens."""

    marks: tuple[Mark, ...] = ()
    """The stages that have begun."""
    usage: Usage = NOTHING
    end: Mapping[str, Any] | None = None
    """The runner's last word."""
    ended_at: float | None = None
    """When that was heard, in seconds since the epoch."""

    def after(self, event: Mapping[str, Any], now: float | None = None) -> Heard:
        """With one more event; of those that tell nothing for a card, the same. `now`: it is told as it happens."""
        kind = event.get("e")
        if kind in ("start", "sample"):
            return replace(self, usage=self.usage.after(event))
        if kind == "stage" and event.get("name") in TOLD and len(self.marks) < MOST_MARKS:
            return replace(self, marks=(*self.marks, Mark(event["name"], seconds(event.get("t")))))
        if kind == "end":
            return replace(self, end=event, ended_at=now)
        return self


def seconds(found: object) -> float | None:
    """Of an event: how long, or since the epoch; None: it does not tell, or no such number."""
    return number(found, 2.0**33)
