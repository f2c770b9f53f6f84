"""What keeps a job from being submitted once more as its cluster has it, as far as its state tells. Pure."""

from __future__ import annotations

from kube_magics.telemetry.snapshot import INCOMPLETE, Snapshot


def hindrance(state: Snapshot) -> str:
    """Half a sentence behind "because"; empty: nothing is known to be in the way."""
    if state.phase == INCOMPLETE:
        return "its files never arrived: run its cell again"
    return ""
