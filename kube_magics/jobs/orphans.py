"""Jobs of this user whose submit was cut off: a kernel was killed, a connection never came back.

What is whole goes on and is this user's own from now on. What is not whole never ran and never will: it is deleted.
"""

from __future__ import annotations

import asyncio

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.jobs import loop, records
from kube_magics.jobs.records import Record
from kube_magics.jobs.store import Store
from kube_magics.telemetry.snapshot import INCOMPLETE, Snapshot

_cleared: set[str] = set()


def clear_once(backend: Backend) -> None:
    """In the background, when this process first speaks to a backend."""
    if backend.address not in _cleared:
        _cleared.add(backend.address)
        loop.start(clear(backend))
        loop.start(asyncio.to_thread(records.sweep))


async def clear(backend: Backend) -> list[str]:
    """Look after all submits here that were cut off; names of what was deleted."""
    _cleared.add(backend.address)
    found = [each for each in records.opened() if each.address == backend.address and _cut_off(each)]
    return [record.name for record in found if await _deleted(backend, record)]


async def settled(backend: Backend, record: Record, state: Snapshot) -> bool:
    """Whether the job of a record is there as a whole; else it is deleted, or its submit goes on."""
    if state.phase != INCOMPLETE:
        if not record.arrived:
            records.arrived(record, state.uid if records.is_proven(record, state) else None)
        return True
    if _cut_off(record):
        await backend.delete(record.name)
        await _forget(record)
    return False


async def missing(record: Record) -> None:
    """There is no job of this record: what its submit has left elsewhere is removed, if that was cut off."""
    if _cut_off(record):
        await _forget(record)


def _cut_off(record: Record) -> bool:
    return not record.arrived and not records.in_work(record)


async def _forget(record: Record) -> None:
    records.drop(record)
    store = Store.noted(record.artifacts)
    if store is not None:
        await asyncio.to_thread(store.clear)


async def _deleted(backend: Backend, record: Record) -> bool:
    try:
        state = await backend.poll(record.name)
        if records.is_of(record, state):
            return not await settled(backend, record, state)
    except errors.NotFound:
        pass
    except errors.KubeMagicsError:
        return False  # the next client asks again
    await missing(record)
    return False
