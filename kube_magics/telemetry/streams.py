"""A job's output, cut into the lines that a screen would show one after the other: as many as are worth a look. Pure.

A program may write a hundred megabytes a second. Of what is too much to look at its newest is kept, so that the last
line is always seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LOOK_BYTES = 4096
"""Kept of what could not be looked at, of each stream."""
RATE_BYTES_S = 32 * 1024
"""Looked at, over time; twice that at once."""
_ENDS = re.compile(rb"[\r\n]")


class Streams:
    """Bytes in, lines out: (text, whether it replaces another on the screen, or is replaced)."""

    def __init__(self) -> None:
        self._rest = {1: b"", 2: b""}
        self._returned = {1: False, 2: False}
        """The last line ended with a carriage return."""
        self._credit = 2.0 * RATE_BYTES_S
        self._credited_at: float | None = None

    def add(self, stream: int, data: bytes, now: float) -> Iterator[tuple[str, bool]]:
        """Take `data`; the whole lines that may be looked at now."""
        found = self._rest[stream] + data if len(data) <= LOOK_BYTES else data[-LOOK_BYTES:]
        since = now - (now if self._credited_at is None else self._credited_at)
        self._credit = min(2.0 * RATE_BYTES_S, self._credit + max(0.0, since) * RATE_BYTES_S)
        self._credited_at = now
        if self._credit < len(found):
            self._rest[stream] = found[-LOOK_BYTES:]
            return
        self._credit -= len(found)
        yield from self._whole(stream, found)

    def waiting(self, stream: int) -> Iterator[tuple[str, bool]]:
        """The whole lines that were not looked at when they came."""
        yield from self._whole(stream, self._rest[stream])

    def unfinished(self, stream: int) -> tuple[str, bool]:
        """What is no whole line yet: it comes again with its rest."""
        return _text(self._rest[stream]), self._returned[stream]

    def _whole(self, stream: int, found: bytes) -> Iterator[tuple[str, bool]]:
        found = found.replace(b"\r\n", b"\n")
        at = 0
        for end in _ENDS.finditer(found):
            returned = end[0] == b"\r"
            if returned and end.end() == len(found):
                break  # a newline may follow, and then it replaces nothing
            if end.start() > at:
                yield _text(found[at : end.start()]), returned or self._returned[stream]
            self._returned[stream] = returned
            at = end.end()
        self._rest[stream] = found[at:][-LOOK_BYTES:]


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")
