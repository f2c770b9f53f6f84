"""The download of a pod's image, from the events of its node. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kube_magics.telemetry.happenings import when
from kube_magics.telemetry.objects import text

# kubelet, pkg/kubelet/images/image_manager.go: the size is told since Kubernetes 1.30.
_PULLED = re.compile(r"Successfully pulled image .* in (?P<took>[0-9a-zµ.]+)")
_SIZE = re.compile(r"Image size: (?P<bytes>\d{1,15}) bytes")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")


@dataclass(frozen=True)
class Pull:
    """One download. Unknown is None."""

    began_at: float | None = None
    """Seconds since the epoch, as is the other."""
    ended_at: float | None = None
    took_s: float | None = None
    """As the node measured it."""
    size_bytes: int | None = None


def pull_of(pod_uid: str | None, events: Sequence[Mapping[str, Any]] | None) -> Pull | None:
    """Of the pod's image; None: it was there already, or nothing is known of it."""
    own = [event for event in events or () if text(event, "involvedObject", "uid") in ("", pod_uid or "")]
    began = [event for event in own if text(event, "reason") == "Pulling"]
    ended = [(event, found) for event in own if (found := _PULLED.search(text(event, "message")))]
    if not began and not ended:
        return None
    event, found = ended[-1] if ended else (None, None)
    size = _SIZE.search(text(event, "message"))
    return Pull(
        began_at=_at(text(began[0], "firstTimestamp") or when(began[0])) if began else None,
        ended_at=_at(when(event)) if event else None,
        took_s=_seconds(found["took"]) if found else None,
        size_bytes=int(size["bytes"]) if size else None,
    )


def _at(stamp: str) -> float | None:
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None


def _seconds(duration: str) -> float | None:
    """Of Go's `1m2.5s`."""
    parts = _DURATION.findall(duration)
    try:
        return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None
    except ValueError:
        return None
