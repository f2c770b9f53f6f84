"""Credentials that were found on the way: where, and why the job does not start. What they look like: `spec`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from kube_magics.errors import CaptureError
from kube_magics.spec.credentials import reference


@dataclass(frozen=True)
class Finding:
    """A string that must not travel."""

    place: str
    'where it is: `cfg["db"]["password"]`, `Line 3`'
    kind: str
    "what it looks like: a GitHub token"
    names: tuple[str, ...]
    "what --capture may be given to let it travel, the most likely first"


def refuse(findings: Iterable[Finding], allowed: Collection[str]) -> None:
    """Raises CaptureError for the first finding that no name in `allowed` lets travel."""
    for finding in findings:
        if not set(finding.names) & set(allowed):
            name = next(iter(finding.names), "")
            alarm = f"--capture {name}" if name else "give it a name, and --capture that"
            raise CaptureError(
                f"{finding.place} looks like {finding.kind}: credentials do not travel.",
                hint=f"{reference(name)}; if it is none: {alarm}",
            )
