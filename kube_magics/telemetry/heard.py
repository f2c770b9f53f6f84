"""What a job's runner has told so far, in as little memory as a card of it needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kube_magics.telemetry.made import sha256
from kube_magics.telemetry.stages import TOLD, Mark
from kube_magics.telemetry.usage import NOTHING, Usage, number

MOST_MARKS = 16
MOST_RESULTS = 256
MOST_VERSIONS = 64
LONGEST = 120
"""Characters of a name or a version."""


@dataclass(frozen=True)
class Result:
    """One value, or file, that the job sent back."""

    name: str
    """`@value`: of a function; `@file:PATH`, below the working folder."""
    sha256: str
    """Of its pickle, or its content."""
    size_bytes: int


@dataclass(frozen=True)
class Heard:
    """Of one attempt. Frozen, so that whoever draws it may do so in another thread than the one that listens."""

    marks: tuple[Mark, ...] = ()
    """The stages that have begun."""
    usage: Usage = NOTHING
    python: str | None = None
    versions: tuple[tuple[str, str], ...] = ()
    """Of the captured imports, by module."""
    results: tuple[Result, ...] = ()
    end: Mapping[str, Any] | None = None
    """The runner's last word."""
    ended_at: float | None = None
    """When that was heard, in seconds since the epoch."""

    def after(self, event: Mapping[str, Any], now: float | None = None) -> Heard:
        """With one more event; of those that tell nothing for a card, the same. `now`: it is told as it happens."""
        kind = event.get("e")
        if kind == "sample":
            return replace(self, usage=self.usage.after(event))
        if kind == "start":
            python = event.get("python")
            python = python[:LONGEST] if isinstance(python, str) else self.python
            return replace(
                self, usage=self.usage.after(event), python=python, versions=_versions(event.get("versions"))
            )
        if kind in ("result", "stored") and len(self.results) < MOST_RESULTS:
            found = _result(event)
            return replace(self, results=(*self.results, found)) if found else self
        if kind == "stage" and event.get("name") in TOLD and len(self.marks) < MOST_MARKS:
            return replace(self, marks=(*self.marks, Mark(event["name"], seconds(event.get("t")))))
        if kind == "end":
            return replace(self, end=event, ended_at=now)
        return self


def seconds(found: object) -> float | None:
    """Of an event: how long, or since the epoch; None: it does not tell, or no such number."""
    return number(found, 2.0**33)


def _versions(found: object) -> tuple[tuple[str, str], ...]:
    told = [*found.items()][:MOST_VERSIONS] if isinstance(found, Mapping) else []
    return tuple((name[:LONGEST], said[:LONGEST]) for name, said in told if isinstance(said, str))


def _result(event: Mapping[str, Any]) -> Result | None:
    """Of its last chunk, which has its digest; the job's exception is none."""
    name, digest, size = event.get("name"), sha256(event.get("sha256")), event.get("bytes")
    if not isinstance(name, str) or name == "@error" or digest is None or not isinstance(size, int):
        return None
    return Result(name[:LONGEST], digest, size)
