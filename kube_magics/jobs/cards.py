"""The card of a job: of one that is followed here from what was heard, of any other from what its cluster keeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import Attempt, Backend
from kube_magics.jobs import earlier, loop
from kube_magics.jobs.follow import Follower
from kube_magics.runner import protocol
from kube_magics.telemetry.card import Brought, Card, card
from kube_magics.telemetry.earlier import lasting
from kube_magics.telemetry.heard import Heard
from kube_magics.telemetry.pulling import pull_of
from kube_magics.telemetry.snapshot import FAILED, PENDING, SUCCEEDED, Snapshot, succeeded


def followed(backend: Backend, follower: Follower, brought: Brought) -> Card:
    """Without a request; from any thread."""
    outcome, heard = follower.outcome, follower.heard
    state = outcome.snapshot or Snapshot(follower.name, backend.namespace, PENDING)
    found = card(state, heard, time.time(), phase=_phase(state, heard), progress=follower.progress(), brought=brought)
    return _compared(backend, found)


def asked(backend: Backend, name: str) -> Card:
    """With the requests that it takes. Raises NotFound, and what else the cluster says of its jobs."""
    return loop.wait(looked(backend, name))


async def looked(backend: Backend, name: str) -> Card:
    """As `asked`, on the loop."""
    state, heard = await _ask(backend, name)
    return _compared(backend, card(state, heard, time.time(), phase=_phase(state, heard)))


def _compared(backend: Backend, found: Card) -> Card:
    """With what is known of earlier jobs, where that matters."""
    if lasting(found.stages) is None:
        return found
    return replace(found, earlier=earlier.known(backend.address, found.made.image))


def _phase(state: Snapshot, heard: Heard) -> str:
    """Its runner, which only heard a signal, cannot know who stopped it; the cluster may."""
    if heard.end is None or heard.end.get("reason") == "stopped" or state.over:
        return state.phase
    return SUCCEEDED if succeeded(heard.end) else FAILED


async def _ask(backend: Backend, name: str) -> tuple[Snapshot, Heard]:
    state, pull, heard = await asyncio.gather(backend.poll(name), _events(backend, name), _listen(backend, name))
    return replace(state, pull=pull_of(state.pod_uid, pull)), heard if state.ours else Heard()


async def _events(backend: Backend, name: str) -> list[Mapping[str, Any]]:
    with suppress(errors.KubeMagicsError):  # a right that is missing, which costs the card the image's size
        return (await backend.events(name))[0]
    return []


async def _listen(backend: Backend, name: str) -> Heard:
    """All that its runner has told, as far as its log is kept and may be read."""
    heard = Heard()
    with suppress(errors.KubeMagicsError):
        async for piece in backend.log(name):
            if isinstance(piece, Attempt):
                heard = Heard()
            for line in piece.split(b"\n") if isinstance(piece, bytes) else ():
                event = protocol.decode(line).event if line.startswith(protocol.EVENT_MARK) else None
                heard = heard.after(event) if event else heard
    return heard
