"""What the stages of this user's last jobs took, by image and cluster: in the state folder, a small file an image.

stages/DIGEST.json    {"image": "team/torch:1", "jobs": {"digits-x7k2p": {"pulling image": 72.3, "starting": 1.9}}}
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kube_magics.backends.jobfolder import read_json, state_folder, write_atomically
from kube_magics.telemetry.card import Card
from kube_magics.telemetry.earlier import ALIKE, NOTHING, Earlier, took

MOST_JOBS = 20
"""The newest, of an image."""


def note(address: str, card: Card) -> None:
    """Of a job that is over. What cannot be kept is not missed: a later job is told that nothing is known."""
    image, times = card.made.image, took(card.stages)
    if image is None or not times or not card.over:
        return
    path = _path(address, image)
    jobs = {name: kept for name, kept in _jobs(path).items() if name != card.name} | {card.name: times}
    newest = dict([*jobs.items()][-MOST_JOBS:])
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, json.dumps({"image": image, "jobs": newest}))


def known(address: str, image: str | None) -> Earlier:
    """Of the jobs with `image` at the backend of `address`."""
    if image is None:
        return NOTHING
    found: dict[str, list[float]] = {}
    for times in _jobs(_path(address, image)).values():
        for stage, seconds in times.items() if isinstance(times, Mapping) else ():
            if stage in ALIKE and isinstance(seconds, int | float) and 0 <= seconds < math.inf:
                found.setdefault(stage, []).append(float(seconds))
    return Earlier(found)


def _jobs(path: Path) -> Mapping[str, Any]:
    jobs = (read_json(path) or {}).get("jobs")
    return jobs if isinstance(jobs, dict) else {}


def _path(address: str, image: str) -> Path:
    name = hashlib.sha256(f"{address}\n{image}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return state_folder() / "stages" / f"{name}.json"
