"""What makes a job heavy: its largest values, modules and files, by name, and what to use instead of sending them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kube_magics.cells.capture import Capture
from kube_magics.errors import SubmitError
from kube_magics.spec.quantities import human_bytes


@dataclass(frozen=True)
class Part:
    """Something that travels and has a size."""

    name: str
    "a name of the notebook, or a path"
    kind: Literal["data", "module", "file"]
    size_bytes: int
    "before packing"

    def __str__(self) -> str:
        return f"{self.name} ({human_bytes(self.size_bytes)})"


def largest(capture: Capture, number: int = 5) -> tuple[Part, ...]:
    """The parts that take the most bytes, the largest first."""
    parts = [Part(each.name, "data", each.size_bytes) for each in capture.travels if each.size_bytes is not None]
    parts += [Part(each.path, "module", len(each.data)) for each in capture.cargo.modules]
    parts += [Part(each.path, "file", len(each.data)) for each in capture.cargo.files]
    return tuple(sorted(parts, key=lambda part: -part.size_bytes)[:number])


def too_large(capture: Capture, packed_bytes: int, limit_bytes: int) -> SubmitError:
    """The error for a job that is too large to travel: its largest parts, and what to use instead."""
    parts = largest(capture)
    named = f"; the largest: {', '.join(map(str, parts))}" if parts else ""
    return SubmitError(
        f"What the job takes along is {human_bytes(packed_bytes)} packed; {human_bytes(limit_bytes)} can travel with a"
        f" job{named}.",
        hint="\n".join(dict.fromkeys(_INSTEAD[part.kind] for part in parts[:2])) or _INSTEAD["data"],
    )


_INSTEAD = {
    "data": "--artifacts URL carries large values; or make or load the data inside the cell",
    "module": "a .kubeignore file keeps modules back; or put the package into the image (--image)",
    "file": "--volume CLAIM:/data for data that stays; or name fewer files, or keep some back by a .kubeignore file",
}
