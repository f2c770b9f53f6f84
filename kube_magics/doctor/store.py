"""The store of --artifacts, tried with a tiny object: written, read, removed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from kube_magics.artifacts.pieces import StoreError
from kube_magics.artifacts.store import at
from kube_magics.doctor.judging import notebook
from kube_magics.doctor.line import Line
from kube_magics.spec.quantities import human_seconds

PROBE = "probe"
CONTENT = b"kube_magics"


def lines(url: str) -> Sequence[Line]:
    """Blocks for as long as the store's own package does. Nothing of it stays, however it ends."""
    began = time.monotonic()
    try:
        _try(url)
    except StoreError as error:
        return [notebook.store(url, str(error), error.package, "")]
    return [notebook.store(url, None, None, human_seconds(time.monotonic() - began))]


def _try(url: str) -> None:
    place = at(url, f"doctor-{uuid.uuid4().hex}")
    try:
        place.begin()
        place.put(PROBE, [CONTENT])
        if (found := b"".join(place.read(PROBE))) != CONTENT:
            raise StoreError(f"{place}: what was read ({len(found)} bytes) is not what was written")
        place.remove(PROBE)
    finally:
        place.clear()
