"""What a job was made of, as far as it can be told by digests and versions: no paths, no values, no secrets. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kube_magics.spec import names
from kube_magics.telemetry.objects import part, rows, text

_SHA256 = re.compile(r"[0-9a-f]{64}")
SEEDS = ("PYTHONHASHSEED", "PL_GLOBAL_SEED", "RANDOM_SEED", "SEED")
"""Variables by which a seed is given: Python's own, Lightning's, and those that people give by --env."""
_SEED = re.compile(r"([a-z_][a-z0-9_.]*)=(-?[0-9]{1,20})", re.ASCII | re.IGNORECASE)
MOST_SEEDS = 64
LONGEST = 200
"""Characters of an image's name, or of a version."""


@dataclass(frozen=True)
class Made:
    """Unknown is None."""

    cell_sha256: str | None = None
    """Equal for equal cells with equal options, definitions, files and comparable values."""
    bundle_sha256: str | None = None
    """Of what travelled."""
    version: str | None = None
    """Of kube_magics, which made it."""
    image: str | None = None
    """As it was asked for."""
    image_digest: str | None = None
    """Of the image that ran: `sha256:…`."""
    seeds: tuple[tuple[str, int], ...] = ()
    """By variable, those that were given as one of `SEEDS`, and by function, those that the code sets."""


NOTHING = Made()


def made_of(job: Mapping[str, Any], status: Mapping[str, Any]) -> Made:
    """Of a `batch/v1` Job; `status` of its container."""
    annotations = part(job, "metadata", "annotations")
    first = ([{}, *rows(job, "spec", "template", "spec", "containers")])[:2][-1]
    digest = re.search(r"sha256:[0-9a-f]{64}$", text(status, "imageID"))
    variables = [(each.get("name"), each.get("value")) for each in rows(first, "env")]
    return Made(
        cell_sha256=sha256(annotations.get(names.ANNOTATION_CELL)),
        bundle_sha256=sha256(annotations.get(names.ANNOTATION_BUNDLE)),
        version=text(annotations, names.ANNOTATION_VERSION)[:LONGEST] or None,
        image=text(first, "image")[:LONGEST] or None,
        image_digest=digest[0] if digest else None,
        seeds=(*seeds(variables), *seeds_of(annotations.get(names.ANNOTATION_SEEDS))),
    )


def seeds(variables: Iterable[tuple[object, object]]) -> tuple[tuple[str, int], ...]:
    """Of a job's own variables those that are seeds, in their order."""
    found = {str(name): str(value) for name, value in variables if name in SEEDS}
    return tuple((name, int(value)) for name, value in found.items() if re.fullmatch("[0-9]{1,20}", value, re.ASCII))


def seeds_text(found: Iterable[tuple[str, int]]) -> str:
    """As they are kept: `SEED=7,numpy.random.seed=0`."""
    return ",".join(f"{name}={number}" for name, number in found)


def seeds_of(found: object) -> tuple[tuple[str, int], ...]:
    """Of what `seeds_text` has written, or anybody."""
    parts = found.split(",", MOST_SEEDS)[:MOST_SEEDS] if isinstance(found, str) else []
    return tuple((each[1], int(each[2])) for part in parts if (each := _SEED.fullmatch(part)))


def sha256(found: object) -> str | None:
    """Of what anybody may have written."""
    return found if isinstance(found, str) and _SHA256.fullmatch(found) else None
