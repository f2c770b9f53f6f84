"""The followers of this process: a job has one, however many cells and `Job`s look at it."""

from __future__ import annotations

from weakref import WeakValueDictionary

from kube_magics.backends.contract import Backend
from kube_magics.jobs import cards, earlier, loop
from kube_magics.jobs.follow import Follower
from kube_magics.telemetry.card import NOTHING
from kube_magics.telemetry.snapshot import Snapshot

_known: WeakValueDictionary[tuple[str, str], Follower] = WeakValueDictionary()
"""By the backend's address and the job's name; while it follows, or a `Job` has it."""


def begin(backend: Backend, follower: Follower) -> None:
    """Let `follower` run on the loop."""
    _known[backend.address, follower.name] = follower
    loop.start(_follow(backend, follower))


async def _follow(backend: Backend, follower: Follower) -> None:
    await follower.run()
    earlier.note(backend.address, cards.followed(backend, follower, NOTHING))


def find(backend: Backend, state: Snapshot) -> Follower | None:
    """The follower of the job of `state`; None: there is none, or it could not go on."""
    follower = _known.get((backend.address, state.name))
    if follower is None or follower.outcome.failure is not None:
        return None
    seen = follower.outcome.snapshot
    same = seen is None or (seen.uid, seen.submission_id) == (state.uid, state.submission_id)
    return follower if same else None
