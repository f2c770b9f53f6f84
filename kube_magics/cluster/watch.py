"""State without polling: list once, then watch, for ever and through every break."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

import aiohttp

from kube_magics import errors
from kube_magics.cluster.absence import Absence
from kube_magics.cluster.client import Client
from kube_magics.cluster.pieces import Outage
from kube_magics.cluster.refusals import refusal

PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
SERVER_TIMEOUT_S = 120.0
"""The server ends each watch after this, and it is opened again from where it was."""
SILENCE_S = 5.0
"""Then the link is asked, and known to be away three seconds later; a connection that has died alone is noticed by
TCP's own questions (`connections.KEEPALIVE`), and 20 s will do for what nobody waits for."""
GRACE_S = 10.0
OPEN_TIMEOUT_S = 30.0
POLL_S = 2.0
"""For who may list and not watch."""
REFUSALS = 10
"""In a row, of credentials and rights that were accepted before: half a minute."""
PAGE = 250
"""Objects of one answer: thousands of Jobs that have their code in them are a hundred megabytes."""
_INITIAL_END = "k8s.io/initial-events-end"
Keep = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""What is kept of an object, of which there may be thousands."""


@dataclass(frozen=True)
class Listed:
    """Everything that matches now: what is not in it does not exist."""

    items: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Changed:
    """One object was ADDED, MODIFIED or DELETED."""

    type: str
    object: Mapping[str, Any]


class _Silent(errors.Unreachable):
    """Nothing comes any more, on no connection."""


async def watch(
    client: Client,
    path: str,
    params: Mapping[str, str],
    *,
    pause_s: float = PAUSE_S,
    server_s: float = SERVER_TIMEOUT_S,
    grace_s: float = GRACE_S,
    poll_s: float = POLL_S,
    ask_s: float | None = SILENCE_S,
    keep: Keep = dict,
    without: bytes | None = None,
) -> AsyncGenerator[Listed | Changed | Outage, None]:
    """Yield `Listed`, then every change; a new `Listed` whenever changes may have been missed; outages that last.

    Ends never. A connection that breaks, is silent or refused for a moment is opened again with a growing pause; so is
    one that is refused for want of rights or credentials which had been enough: for half a minute. Who may list and not
    watch, or watch and not list, is served by what they may. NotFound, an invalid request and what else was refused
    from the first are raised, since waiting does not mend them. `without`: what is left out of lists (`Client.get`).
    `ask_s`: of silence, until the link is asked; None: it never is, and an idle watch costs the server no request.
    """
    at = _At(server_s, grace_s, poll_s, ask_s, keep, without)
    patience, absence = _Patience(), Absence(client.link)
    while True:
        absence.waited, silent_s = False, None
        try:
            async with aclosing(_once(client, path, params, at, patience)) as found:
                async for change in found:
                    for said in absence.over():
                        yield said
                    if change is not None:
                        yield change
        except errors.Gone:
            at.version = None
        except errors.KubeMagicsError as error:
            if not patience.bears(error):
                raise
            silent_s = _silent_s(client, error)
        if silent_s is not None:
            async with aclosing(absence.lasts(silent_s)) as outage:
                async for said in outage:
                    yield said
        if not absence.waited:
            await asyncio.sleep(min(pause_s * 2**at.vain, LONGEST_PAUSE_S))
        at.vain = min(at.vain + 1, 10)


@dataclass
class _At:
    """Where a watch goes on, and its limits."""

    server_s: float
    grace_s: float
    poll_s: float
    ask_s: float | None
    keep: Keep
    without: bytes | None
    version: str | None = None
    """None: from a new list."""
    vain: int = 0
    """Attempts since the last event."""


async def _once(
    client: Client, path: str, params: Mapping[str, str], at: _At, patience: _Patience
) -> AsyncGenerator[Listed | Changed | None, None]:
    """Until the server ends it, or it breaks; None once the server has answered."""
    if at.version is None:
        found, at.version = await listed(client, path, params, at.keep, at.without)
        patience.listed = True
        yield found
    async with AsyncExitStack() as stack:
        try:
            content = await _opened(stack, client, path, {**params, "resourceVersion": at.version}, at.server_s)
        except errors.Forbidden:
            if patience.opened:
                raise
            await asyncio.sleep(at.poll_s)
            at.version, at.vain = None, 0
            return
        patience.opened = True
        yield None
        events = await stack.enter_async_context(aclosing(_events(client, content, at.server_s + at.grace_s, at.ask_s)))
        async for event in events:
            at.vain, patience.refusals = 0, 0
            at.version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                yield Changed(event["type"], at.keep(event["object"]))


async def listed(
    client: Client, path: str, params: Mapping[str, str], keep: Keep = dict, without: bytes | None = None
) -> tuple[Listed, str]:
    """Everything that matches now, and its version. Either of the rights to list and to watch will do."""
    items: list[Mapping[str, Any]] = []
    page = {**params, "limit": str(PAGE)}
    try:
        while True:
            found = await client.get(path, page, without=without)
            items += map(keep, found.get("items") or ())
            if not (token := found["metadata"].get("continue")):
                return Listed(tuple(items)), str(found["metadata"]["resourceVersion"])
            page["continue"] = token
    except errors.Forbidden as refused:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                return await _listed_by_watch(client, path, params, keep)
        except (errors.Forbidden, errors.Rejected, TimeoutError):
            raise refused from None


async def _listed_by_watch(client: Client, path: str, params: Mapping[str, str], keep: Keep) -> tuple[Listed, str]:
    """https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists, of Kubernetes 1.32 and later."""
    items: list[Mapping[str, Any]] = []
    async with AsyncExitStack() as stack:
        asked = {**params, "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        content = await _opened(stack, client, path, asked, OPEN_TIMEOUT_S)
        events = await stack.enter_async_context(aclosing(_events(client, content, OPEN_TIMEOUT_S)))
        async for event in events:
            if event["type"] != "BOOKMARK":
                items.append(keep(event["object"]))
            elif _INITIAL_END in (event["object"]["metadata"].get("annotations") or {}):
                return Listed(tuple(items)), str(event["object"]["metadata"]["resourceVersion"])
    raise errors.Unreachable("The watch's answer broke off.")


def _silent_s(client: Client, error: errors.KubeMagicsError) -> float | None:
    """How long nothing had come when the watch was given up; None: it is no matter of the link's."""
    if isinstance(error, _Silent):
        return time.monotonic() - client.link.heard
    return 0.0 if isinstance(error, (errors.Unreachable, errors.Rejected)) else None


@dataclass
class _Patience:
    """With a server that refuses."""

    listed: bool = False
    """Once, as it was asked."""
    opened: bool = False
    refusals: int = 0

    def bears(self, error: errors.KubeMagicsError) -> bool:
        """Whether it may pass by itself."""
        if isinstance(error, errors.Unreachable):
            return True
        if isinstance(error, errors.Rejected):
            return error.passes
        self.refusals += 1
        if isinstance(error, errors.Forbidden):
            # By an API server that has just started, and has not read yet who has which rights.
            return self.opened and self.refusals <= REFUSALS
        # A token that is renewed just now; a log-in program that needs the network which is away.
        passes = isinstance(error, (errors.Unauthorized, errors.ConfigError))
        return passes and self.listed and self.refusals <= REFUSALS


async def _opened(
    stack: AsyncExitStack, client: Client, path: str, params: Mapping[str, str], server_s: float
) -> aiohttp.StreamReader:
    asked = {**params, "watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(max(1, int(server_s)))}
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            return await stack.enter_async_context(client.stream(path, asked))
    except TimeoutError as error:
        raise _Silent("The watch was not answered.") from error


async def _events(
    client: Client, content: aiohttp.StreamReader, silence_s: float, ask_s: float | None = SILENCE_S
) -> AsyncGenerator[dict[str, Any], None]:
    parts: list[bytes] = []
    # Not readline(): an object may be larger than any buffer limit.
    while data := await _data(client, content, silence_s, ask_s):
        first, newline, rest = data.partition(b"\n")
        if not newline:
            parts.append(data)
            continue
        *lines, tail = rest.split(b"\n")
        for line in (b"".join((*parts, first)), *lines):
            yield _event(line)
        parts = [tail]


async def _data(client: Client, content: aiohttp.StreamReader, silence_s: float, ask_s: float | None) -> bytes:
    # The server ends a watch by itself: silence beyond that is a dead link.
    waited_s = 0.0
    while waited_s < silence_s:
        patience_s = min(silence_s if ask_s is None else ask_s, silence_s - waited_s)
        try:
            async with asyncio.timeout(patience_s):
                return await content.readany()
        except TimeoutError:
            if data := content.read_nowait(-1):
                return data
        waited_s += patience_s
        if ask_s is not None and not await client.link.alive():
            raise _Silent("The watch's link is silent.")
    raise errors.Unreachable("The watch's connection has died.")


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
        kind, found = event["type"], event["object"]
        if kind != "ERROR":
            found["metadata"]["resourceVersion"]
            return dict(event)
    except (ValueError, KeyError, TypeError) as error:
        raise errors.Unreachable(
            "The watch's answer is garbled.", said=line[:200].decode("utf-8", "replace")
        ) from error
    # 410 comes as HTTP 200 and an ERROR event.
    raise refusal(int(found.get("code") or 500), str(found.get("message")), found)
