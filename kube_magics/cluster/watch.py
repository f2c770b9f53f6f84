"""State without polling: list once, then watch, for ever and through every break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from kube_magics import errors
from kube_magics.cluster.client import Client, refusal

PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
SERVER_TIMEOUT_S = 300
"""The server ends each watch after this; it is opened again from where it was."""


@dataclass(frozen=True)
class Listed:
    """Everything that matches now: what is not in it does not exist."""

    items: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Changed:
    """One object was ADDED, MODIFIED or DELETED."""

    type: str
    object: Mapping[str, Any]


async def watch(client: Client, path: str, params: Mapping[str, str]) -> AsyncIterator[Listed | Changed]:
    """Yield `Listed`, then every change; a new `Listed` whenever changes may have been missed.

    Ends never. A connection that breaks is opened again with a growing pause; Forbidden, Unauthorized and NotFound are
    raised, since waiting does not mend them.
    """
    version: str | None = None
    pause_s = PAUSE_S
    while True:
        try:
            if version is None:
                found = await client.get(path, params)
                version = found["metadata"]["resourceVersion"]
                yield Listed(tuple(found.get("items", ())))
            async for event in _events(client, path, {**params, "resourceVersion": version}):
                pause_s = PAUSE_S
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield Changed(event["type"], event["object"])
        except errors.Gone:
            version = None
        except (errors.Unreachable, errors.Rejected):
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


async def _events(client: Client, path: str, params: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
    asked = {**params, "watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(SERVER_TIMEOUT_S)}
    async with client.stream(path, asked) as content:
        tail = b""
        # Not readline(): an object may be larger than any buffer limit.
        async for data in content.iter_any():
            *lines, tail = (tail + data).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    # 410 comes as HTTP 200 and an ERROR event.
                    status = event["object"]
                    raise refusal(int(status.get("code") or 500), str(status.get("message")), status)
                yield event
