"""What somebody may ask of a job in the dashboard, and what is answered. The functions block: not for the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.jobs import cards, followed, listing, rerun
from kube_magics.jobs.job import Job
from kube_magics.jobs.listening import Listener
from kube_magics.jobs.overview import Overview
from kube_magics.jobs.screen import Screen
from kube_magics.runner.images import Picture
from kube_magics.telemetry.board import identity
from kube_magics.telemetry.card import NOTHING
from kube_magics.verbs import describe, ending, events, manifest, nodes, pods
from kube_magics.verbs.door import Door
from kube_magics.widgets.card import card_html

LOG_LINES = 1000
"""Of a log that is there already."""
LOG_EVERY_S = 0.25
CARD_EVERY_S = 1.0


def _described(backend: Backend, name: str) -> str:
    return describe.described(backend, name, Door()).text()


def _happened(backend: Backend, name: str) -> str:
    return events.of(backend, name).text()


def _written(backend: Backend, name: str) -> str:
    return manifest.of(backend, name).text()


def _nodes(backend: Backend, _: str) -> str:
    return nodes.of(backend).text()


def _stopped(backend: Backend, name: str) -> str:
    return Job(backend, name).stop()


def _deleted(backend: Backend, name: str) -> str:
    return ending.removed(Job(backend, name), backend)


Asked = Callable[[Backend, str], str]
LOOKS: Mapping[str, Asked] = {
    "describe": _described,
    "pods": pods.of,
    "events": _happened,
    "yaml": _written,
    "nodes": _nodes,
}
DEEDS: Mapping[str, Asked] = {"stop": _stopped, "delete": _deleted, "rerun": rerun.said}
"""Only to the job that was shown."""


async def checked(backend: Backend, name: str, shown: str) -> None:
    """Raises Conflict where the job of that name is not the one that was shown."""
    if identity(await backend.poll(name)) != shown:
        raise errors.Conflict(
            f"{name} is another job by now than the one that was shown: it was left alone.",
            hint=f"%kube describe {name}",
        )


async def show(backend: Backend, seen: Overview, name: str, shown: Callable[[str], None]) -> None:
    """A job's card as HTML each time that it is another one, until the job is over or gone.

    While it is shown, what the job says is heard: its row in the table has that too.
    """
    first = seen.board.snapshots.get(name)
    if first is None:
        return
    async with AsyncExitStack() as near:
        listener: Listener | None = None
        before = ""
        while (now := seen.board.snapshots.get(name)) is not None and identity(now) == identity(first):
            follower = followed.find(backend, now)
            if follower is not None:
                found = cards.followed(backend, follower, NOTHING)
            elif now.over:
                found = await cards.looked(backend, name)
            else:
                if listener is None:
                    listener = await near.enter_async_context(seen.near(backend, name))
                listener.see(now)
                found = cards.listened(backend, listener)
            if (fresh := card_html(found)) != before:
                before = fresh
                shown(fresh)
            if now.over:
                return
            await asyncio.sleep(CARD_EVERY_S)


async def read(backend: Backend, name: str, shown: Callable[[str], None]) -> None:
    """The end of a job's log, then what comes, until it is over."""
    one = (await backend.sources(name)).in_turn
    screen = Screen(f"kube-magics logs {name} shows them", tail=LOG_LINES)
    work = asyncio.ensure_future(
        listing.follow(backend, name, screen) if one else listing.follow_all(backend, name, lambda _: True, screen)
    )
    try:
        while not work.done():
            await asyncio.wait([work], timeout=LOG_EVERY_S)
            pieces = screen.take(last=work.done())
            if text := "".join("" if isinstance(piece, Picture) else piece[1] for piece in pieces):
                shown(text)
        await work
    finally:
        work.cancel()
