"""What the user's processes tell the runner through the FIFO: their introduction, and what report() is called with.

Anyone in the container can write there, so nothing is passed on as it came; and report() may be called a thousand
times a second, so what is over budget is thinned: the newest always gets through.
"""

from __future__ import annotations

import os

from . import protocol, quickjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READ_BYTES = 64 * 1024
MAX_EVENT_BYTES = 4096
BURST_BYTES = 64 * 1024
"""So much may come at once..."""
REFILL_BYTES_S = 60.0
"""...and so much each second afterwards: under half of telemetry's 0.5 MB an hour."""
RETRY_S = 1.0
MOST_PICTURES = 100
"""Announced at once. Who announces waits until it is taken: only threads and strangers come to more than one."""
KEYS = {"progress": ("step", "total", "text"), "metric": ("step", "values")}


class Messages:
    """The reading end of the FIFO, and the events that wait to be sent."""

    def __init__(self, fd: int) -> None:
        self.hello: dict[str, Any] | None = None
        self.pictures: list[dict[str, Any]] = []
        """Announced, and not taken yet."""
        self._fd = fd
        self._rest = b""
        self._waiting: list[dict[str, Any]] = []
        self._thinned: dict[str, dict[str, Any]] = {}
        self._budget = float(BURST_BYTES)
        self._filled: float | None = None

    def read(self, now: float) -> None:
        if self._filled is None:
            self._filled = now
        while True:
            try:
                data = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._rest = self._rest[-MAX_EVENT_BYTES:]
            for line in lines:
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            event = quickjson.loads(line.decode())
        except (ValueError, RecursionError):
            return
        name = event.get("e") if isinstance(event, dict) else None
        if name == "hello" and self.hello is None:
            self.hello = event
        elif name == "picture" and len(self.pictures) < MOST_PICTURES:
            self.pictures.append(event)
        elif isinstance(name, str) and name in KEYS:
            clean = {"e": name, **{key: event[key] for key in KEYS[name] if key in event}}
            if len(protocol.encode_event(clean)) <= MAX_EVENT_BYTES:
                self._add(clean)

    def _add(self, event: dict[str, Any]) -> None:
        """Queue it; over budget, it takes the place of the one of its kind that waits for better times."""
        if self._budget > 0:
            self._budget -= len(protocol.encode_event(event))
            self._waiting.append(event)
            return
        older = self._thinned.pop(event["e"], {})
        if isinstance(older.get("values"), dict) and isinstance(event.get("values"), dict):
            event["values"] = {**older["values"], **event["values"]}
        self._thinned[event["e"]] = event

    def due(self, now: float) -> float:
        if self._waiting:
            return now
        return now + RETRY_S if self._thinned else float("inf")

    def take(self, now: float) -> list[dict[str, Any]]:
        """The events that may be sent now."""
        if self._filled is not None:
            self._budget = min(BURST_BYTES, self._budget + (now - self._filled) * REFILL_BYTES_S)
            self._filled = now
        if self._budget > 0 and self._thinned:
            thinned, self._thinned = self._thinned, {}
            for event in thinned.values():
                self._add(event)
        waiting, self._waiting = self._waiting, []
        return waiting

    def rest(self) -> list[dict[str, Any]]:
        """All that waits, at the end."""
        rest = [*self._waiting, *self._thinned.values()]
        self._waiting, self._thinned = [], {}
        return rest
