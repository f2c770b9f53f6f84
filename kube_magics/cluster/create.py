"""Objects of any kind, created as kubectl does it: the cluster says under which path its kinds are."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from kube_magics import errors
from kube_magics.cluster.client import Client

IN_THE_ROLE = ("Job", "ConfigMap")
"""What hub-config/rbac/user-role.yaml lets a user create."""


async def create(client: Client, namespace: str, body: Mapping[str, Any]) -> str:
    """Create one object, in its own namespace if it names one; `job.batch/NAME`, as kubectl calls it.

    Unknown fields are refused, as kubectl does: a typo would be dropped in silence.
    """
    version, kind = body["apiVersion"], body["kind"]
    resource = await _resource(client, version, kind)
    inside = f"/namespaces/{body['metadata'].get('namespace') or namespace}" if resource["namespaced"] else ""
    path = f"{_base(version)}{inside}/{resource['name']}"
    try:
        made = await client.post(path, body, {"fieldValidation": "Strict"})
    except errors.Forbidden as error:
        if kind not in IN_THE_ROLE:
            error.hint = (
                f"the Role of a kube_magics user allows Jobs and ConfigMaps: for a {kind} ask your administrator"
            )
        raise
    except errors.Conflict as error:
        delete = f"%kube delete {body['metadata'].get('name')}" if kind == "Job" else f"delete that {kind}"
        error.hint = f"{delete}, or give this one another name"
        raise
    group = version.partition("/")[0] if "/" in version else ""
    named = resource.get("singularName") or kind.lower()
    return f"{named}.{group}/{made['metadata']['name']}" if group else f"{named}/{made['metadata']['name']}"


def _base(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


async def _resource(client: Client, version: str, kind: str) -> Mapping[str, Any]:
    try:
        listed = (await client.get(_base(version)))["resources"]
    except errors.NotFound as error:
        known = "apiVersion: batch/v1 for a Job, v1 for a ConfigMap"
        raise errors.NotFound(f"The cluster has no apiVersion {version}.", said=error.said, hint=known) from error
    found: dict[str, Mapping[str, Any]] = {each["kind"]: each for each in listed if "/" not in each["name"]}
    if kind not in found:
        close = difflib.get_close_matches(kind, list(found), 1, cutoff=0.5) or sorted(found)[:5]
        raise errors.NotFound(f"The cluster has no {kind} in {version}.", hint=f"kind: {' or '.join(close)}")
    return found[kind]
