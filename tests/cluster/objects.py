"""All that stands in a namespace, of every kind that the API server itself names: not of those that one thinks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .namespaces import Namespace

_ITS_OWN = ("events", "events.events.k8s.io")
"""The cluster's diary: nobody makes it and nobody can hold it back; it goes after an hour."""


@dataclass(frozen=True)
class Object:
    name: str
    """With its kind, as kubectl says it: `job.batch/digits`."""
    uid: str
    labels: Mapping[str, str] = field(repr=False)
    owners: tuple[str, ...] = field(repr=False)
    """Their uids."""


def objects(space: Namespace) -> list[Object]:
    """What an administrator sees there."""
    kinds = space.admin("api-resources", "--namespaced", "--verbs=list", "--output=name", "--cached").stdout.split()
    asked = ",".join(kind for kind in kinds if kind not in _ITS_OWN)
    found = space.admin.get(asked, f"--namespace={space.name}")["items"]
    return [
        Object(
            name=_name(each),
            uid=each["metadata"]["uid"],
            labels=each["metadata"].get("labels") or {},
            owners=tuple(owner["uid"] for owner in each["metadata"].get("ownerReferences") or ()),
        )
        for each in found
    ]


def _name(found: Mapping[str, Mapping[str, str]]) -> str:
    group, slash, _ = str(found["apiVersion"]).partition("/")
    kind = str(found["kind"]).lower()
    return f"{kind}.{group}/{found['metadata']['name']}" if slash else f"{kind}/{found['metadata']['name']}"
