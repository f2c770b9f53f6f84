"""The card of a job: of one that is followed here from what was heard, of any other from what its cluster keeps."""

from __future__ import annotations

import time
from dataclasses import replace

from kube_magics.backends.contract import Backend
from kube_magics.jobs import earlier, loop
from kube_magics.jobs.follow import Follower
from kube_magics.jobs.listening import Listener
from kube_magics.telemetry.card import Brought, Card, card
from kube_magics.telemetry.earlier import lasting
from kube_magics.telemetry.heard import Heard
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
    listener = Listener(backend, await backend.poll(name))
    await listener.read()
    return listened(backend, listener)


def listened(backend: Backend, listener: Listener) -> Card:
    """Without a request; on the loop."""
    state, heard = listener.state, listener.heard
    found = card(state, heard, time.time(), phase=_phase(state, heard), progress=listener.progress())
    return _compared(backend, found)


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
