"""Who hears what a job says of itself, and keeps none of its output: for a look at a job that nobody follows here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import Attempt, Backend, Piece
from kube_magics.jobs.blocks import parts
from kube_magics.jobs.screen import STDERR, STDOUT
from kube_magics.runner import protocol
from kube_magics.telemetry.heard import Heard
from kube_magics.telemetry.progress import Meter, Progress
from kube_magics.telemetry.pulling import pull_of
from kube_magics.telemetry.snapshot import Snapshot


class Listener:
    """Of the job of `state`. To be used on the loop."""

    def __init__(self, backend: Backend, state: Snapshot) -> None:
        self.heard = Heard()
        """What its runner has told, of the newest attempt."""
        self._backend = backend
        self._state = state
        self._events: Sequence[Mapping[str, Any]] = ()
        self._meter = Meter()
        self._deaf = False
        """Its log is at its end, or could not be followed to it."""

    @property
    def state(self) -> Snapshot:
        """As it was seen last."""
        found = self._state
        return found if found.pull is not None else replace(found, pull=pull_of(found.pod_uid, self._events))

    def progress(self) -> Progress | None:
        """How far it is; None: it has not said."""
        found = self._meter.reading(time.monotonic())
        over = self.heard.end is not None or self._state.over
        return replace(found, eta_s=None) if found is not None and over else found

    def see(self, state: Snapshot) -> None:
        """Its state, as somebody else sees it: counts where it hears nothing of it any more."""
        if self._deaf:
            self._state = state

    async def read(self) -> None:
        """All that is kept of its log."""
        await asyncio.gather(self._look_back(), self._hear_all(self._backend.log(self._state.name)))

    async def follow(self) -> None:
        """That, and what comes, until the job is over."""
        await asyncio.gather(self._look_back(), self._hear_all(self._backend.follow(self._state.name), live=True))

    async def _hear_all(
        self, pieces: AsyncIterator[Snapshot | Piece] | AsyncIterator[Piece], *, live: bool = False
    ) -> None:
        with suppress(errors.KubeMagicsError):  # a right that is missing, which costs what only the log tells
            async for piece in pieces:
                self._take(piece, time.time() if live else None)
        self._deaf = True

    async def _look_back(self) -> None:
        """To what the image's pull took, of which only events tell."""
        with suppress(errors.KubeMagicsError):
            self._events = (await self._backend.events(self._state.name))[0]

    def _take(self, piece: Snapshot | Piece, now: float | None = None) -> None:
        if isinstance(piece, Snapshot):
            self._state = piece
        elif isinstance(piece, Attempt):
            self.heard, self._meter = Heard(), Meter()
        elif isinstance(piece, bytes):
            for each in parts(piece, ours=self._state.ours):
                if isinstance(each, tuple):
                    self._meter.output(*each, time.monotonic())
                else:
                    self._hear(each, now)

    def _hear(self, event: dict[str, Any], now: float | None) -> None:
        self.heard = self.heard.after(event, now)
        if event["e"] == "partial":
            stream = STDERR if event.get("s") == STDERR else STDOUT
            self._meter.output(stream, protocol.partial_bytes(event), time.monotonic())
        else:
            self._meter.event(event, time.monotonic())
