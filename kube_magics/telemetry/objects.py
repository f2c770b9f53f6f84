"""Reading the cluster's objects without trusting them: what is missing or of another kind reads as empty.

An object may come from any tool and any version; a key that is not there must not end a cell that waits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

GPU = re.compile(r"(?:^|[/.])gpu(?:$|[./])|/mig-|/gaudi$", re.IGNORECASE)
"""In a resource's name: nvidia.com/gpu, nvidia.com/gpu.shared, nvidia.com/mig-1g.5gb, gpu.intel.com/i915."""

_MAPPING = (dict, Mapping)
"""Asked of thousands of objects, a hundred times of each: a dict, and None, are known as such in a tenth of the time.
Therefore the three below do not call each other, too."""


def part(found: Any, *keys: str) -> Mapping[str, Any]:
    """The mapping below `keys`; empty where there is none."""
    for key in keys:
        if found is None or not isinstance(found, _MAPPING):
            return {}
        found = found.get(key)
    return {} if found is None or not isinstance(found, _MAPPING) else found


def rows(found: Any, *keys: str) -> list[Mapping[str, Any]]:
    """The list of mappings below `keys`; what is none is left out."""
    for key in keys:
        if found is None or not isinstance(found, _MAPPING):
            return []
        found = found.get(key)
    return [row for row in found if isinstance(row, _MAPPING)] if isinstance(found, (list, tuple)) else []


def text(found: Any, *keys: str) -> str:
    """The string below `keys`; "" where there is none."""
    for key in keys:
        if found is None or not isinstance(found, _MAPPING):
            return ""
        found = found.get(key)
    return found if isinstance(found, str) else ""


def true_condition(found: Any, *kinds: str) -> Mapping[str, Any] | None:
    """A condition of these types that is True; by type, never by position."""
    for row in rows(found, "status", "conditions"):
        if row.get("status") == "True" and row.get("type") in kinds:
            return row
    return None


def gpus(quantities: Mapping[str, Any]) -> int:
    """The devices among `requests`, `limits` or `allocatable`, whatever their vendor calls them."""
    return sum(int(count) for name, count in quantities.items() if GPU.search(name) and str(count).isdecimal())


def last_word(terminated: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The runner's, from the termination message of its container; None: there is none."""
    try:
        said = json.loads(text(terminated, "message"))
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.get("e") == "end" else None
