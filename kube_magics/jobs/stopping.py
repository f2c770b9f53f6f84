"""A job is stopped, or deleted: by its backend, with its record here and what it has in a store."""

from __future__ import annotations

from contextlib import suppress

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.jobs import loop, records
from kube_magics.jobs.store import Store
from kube_magics.telemetry.snapshot import SUCCEEDED


async def stop(backend: Backend, name: str) -> str:
    """On the loop; what was done, as a sentence."""
    told = await backend.stop(name)
    state = None
    with suppress(errors.ClusterError):
        state = await backend.poll(name)
    if state is None or state.phase != SUCCEEDED:  # else the stop came too late, and there is something to fetch
        records.close_named(name, backend.address)
    return told


def delete(backend: Backend, name: str) -> None:
    """Not on the loop: a store may take long. Raises ResultError where it refuses; the job is deleted then."""
    store = None
    with suppress(errors.Forbidden):  # who may delete need not be one who may look
        state = loop.wait(backend.poll(name))
        store = Store.parse(state.artifacts or "", name, state.submission_id)
    loop.wait(backend.delete(name))
    records.close_named(name, backend.address)
    if store is not None and (why := store.clear()):
        what = f"Job {name} is deleted; its files at {store} are still there."
        raise errors.ResultError(what, said=why, hint="remove them where you may, or let them be")
