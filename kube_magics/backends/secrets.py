"""Are the Secrets of `--secret` there? Asked before the Job is made, by users who may look.

What is asked for is a Secret's metadata alone: it names the keys (`managedFields`) and holds none of the content, which
never comes here. Most users may not even do that (hub-config/rbac/user-role.yaml gives no right to Secrets): then the
pod's status tells what is missing.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kube_magics import errors
from kube_magics.cluster.client import METADATA, METADATA_LIST, Client
from kube_magics.spec.environment import Secret
from kube_magics.telemetry.objects import part, rows, text

MOST_NAMED = 5
UNKNOWN = (errors.Forbidden, errors.Rejected)
"""No right to look, or a server that cannot give metadata alone: nothing is known."""


async def check(client: Client, namespace: str, wanted: Sequence[Secret]) -> None:
    """Raises NotFound for the first Secret, or key of one, that is not there."""
    await asyncio.gather(*(_check(client, namespace, secret) for secret in dict.fromkeys(wanted)))


async def _check(client: Client, namespace: str, wanted: Secret) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        found = await client.get(f"{path}/{wanted.name}", accept=METADATA)
    except UNKNOWN:
        return
    except errors.NotFound as absent:
        raise await _absent(client, path, wanted, absent) from absent
    has = keys(found)
    if wanted.key is not None and has and wanted.key not in has:
        raise errors.NotFound(
            f"--secret {wanted}: the Secret {wanted.name} has no key {wanted.key}; it has {_few(has)}.",
            hint=_typed(Secret(wanted.name, _meant(wanted.key, has) or "KEY", wanted.variable)),
        )


async def _absent(client: Client, path: str, wanted: Secret, absent: errors.NotFound) -> errors.NotFound:
    """Which Secrets there are instead."""
    try:
        listed = rows(await client.get(path, accept=METADATA_LIST), "items")
    except errors.ClusterError:
        listed = []
    there = sorted(text(found, "metadata", "name") for found in listed)
    near = _meant(wanted.name, there)
    others = f"; there are {_few(there)}" if there else ""
    ask = f"kubectl create secret generic {wanted.name} --from-literal={wanted.key or 'KEY'}=…   (in a terminal)"
    return errors.NotFound(
        f"--secret {wanted}: there is no Secret {wanted.name} in this namespace{others}.",
        said=absent.said,
        hint=_typed(Secret(near, wanted.key, wanted.variable)) if near else ask,
    )


def keys(secret: Mapping[str, Any]) -> list[str]:
    """The names of its keys, as the API server keeps account of who has set them; empty: unknown."""
    entries = rows(secret, "metadata", "managedFields")
    named = {name for entry in entries for name in part(entry, "fieldsV1", "f:data")}
    return sorted(name.removeprefix("f:") for name in named if name.startswith("f:"))


def _meant(word: str, known: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, known, 1)), None)


def _few(names: Iterable[str]) -> str:
    found = list(names)
    more = len(found) - MOST_NAMED
    return ", ".join(found[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _typed(secret: Secret) -> str:
    return f"--secret {secret}"
