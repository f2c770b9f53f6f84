"""Which attempt of a job is followed, and whether another one may follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube_magics.backends.contract import Attempt
from kube_magics.runner.protocol import FINAL_CODES
from kube_magics.telemetry.snapshot import succeeded

MOST_SAID = 200
"""Characters of an exception's message."""


class Retries:
    """Of one job; without `--retries` there is nothing to tell."""

    def __init__(self) -> None:
        self.now: Attempt | None = None
        """None: the job is tried once only."""
        self.failed: Mapping[str, Any] | None = None
        """The last word of the attempt that is followed, where it need not be the job's."""

    @property
    def another(self) -> bool:
        """Whether a failure of what runs now need not be the end of the job."""
        return self.now is not None and self.now.number < self.now.of

    def goes_on(self, end: Mapping[str, Any]) -> bool:
        """Whether the cluster makes another attempt after this last word, unless somebody has stopped the job."""
        return self.another and not succeeded(end) and end.get("code") not in FINAL_CODES

    def ended(self, end: Mapping[str, Any], error: Mapping[str, Any] | None) -> str | None:
        """What is said of an attempt after which the job goes on; None: whether it does will be seen."""
        assert self.now is not None
        self.failed = end
        if end.get("reason") == "stopped":
            return None
        return f"{self.now.heading} failed ({_how(end, error or {})}): the cluster tries again after a pause"

    def begin(self, attempt: Attempt) -> list[str]:
        """What stands above the log of `attempt`, by lines."""
        before, told = self.now, self.failed is not None and self.failed.get("reason") != "stopped"
        self.now, self.failed = attempt, None
        if attempt.number == 1:
            return []
        why = f": {attempt.before}" if attempt.before else "."
        ended = [] if before is None or told else [f"{before.heading} ended{why}"]
        return [*ended, attempt.heading]


def _how(end: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    if error and error.get("exit") is None and end.get("reason") == "failed":
        said = next(iter(str(error.get("message") or "").splitlines()), "")[:MOST_SAID]
        return f"{error.get('type')}: {said}" if said else str(error.get("type"))
    if end.get("reason") == "oom":
        return "killed at its memory limit"
    return f"signal {end['signal']}" if end.get("signal") else f"exit code {end.get('code')}"
