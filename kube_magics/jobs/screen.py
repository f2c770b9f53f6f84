"""What of a job's output reaches the notebook: enough to follow, never so much that it breaks the notebook.

jupyter_server drops a kernel's output for good past 1 MB/s or 1,000 messages/s, and a notebook with tens of megabytes
of output no longer opens. So: batches, 200 kB/s, 1 MB in all, then the tail; what is skipped is counted and said. The
log file has everything. Pictures count for themselves, see `runner/images.py`.
"""

from __future__ import annotations

import codecs
import threading
import time
from binascii import crc32
from collections import deque

from kube_magics.runner.images import Picture

BATCH_S = 0.125
"""Between writes: 8 Hz; a flush per line costs five hundred times a batched one."""
RATE_BYTES_S = 200_000
TOTAL_BYTES = 1_000_000
TAIL_BYTES = 20_000
"""Shown at the end when the total was reached before."""

STDOUT, STDERR, WAITS = 1, 2, 3
"""The job's own two, and why it does not run yet, in our words: a card has them too."""
TRACEBACK = (b"Traceback (most recent call last):\n", b"  + Exception Group Traceback", b'  File "')
"""How Python begins to show an exception, a group, a syntax error."""
HOLD_S = 2.0
"""A traceback waits this long for the runner's word that it is the job's own end: then the exception that is raised
in the notebook shows it, and it is not shown twice."""


MOST_WAITING_BYTES = 8 << 20
"""Where nothing is left out, whoever reads slowly slows down who fetches it."""
CROWDED_S = 0.05
"""Between two looks at whether it has caught up."""
CAUGHT_UP_S = 0.4
"""Without a new line after this, a log has been read to its end."""
CATCH_UP_S = 10.0


class Screen:
    """Filled by the loop, emptied by the cell's own thread; bounded."""

    def __init__(self, log_name: str, *, tail: int | None = None, limited: bool = True) -> None:
        """`tail`: of the lines that are there already, only so many are shown; then what comes. `limited` False: all of
        it is shown, as in a terminal."""
        self._tail = tail
        self._limited = limited
        self._begun_at = 0.0
        self._added_at = 0.0
        self._log_name = log_name
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._pending: deque[tuple[int, bytes] | Picture | str] = deque()
        """The job's output, its pictures, and what is said of it here."""
        self._pending_bytes = 0
        self._skipped_lines = 0
        self._shown_bytes = 0
        self._credit_bytes = float(RATE_BYTES_S)
        self._credited_at = time.monotonic()
        self._held: list[bytes] = []
        self._held_at = 0.0
        self._decoders = {s: codecs.getincrementaldecoder("utf-8")("replace") for s in (STDOUT, STDERR, WAITS)}

    def add(self, stream: int, data: bytes) -> None:
        """Queue `data` (whole lines, or a piece of one) of the user's `stream`."""
        with self._lock:
            if stream == STDERR and self._holds(data):
                self._held_at = self._held_at if self._held else time.monotonic()
                self._held.append(data)
                return
            self._release()
            self._queue(stream, data)
        self._news.set()

    def picture(self, picture: Picture) -> None:
        """Queue a picture behind what was added before. They have a budget of their own, and are never skipped."""
        self._append(picture)

    def note(self, text: str) -> None:
        """Queue a line in our words, for stderr: never skipped, as a flood after an outage would have it."""
        self._append(text)

    def drop_traceback(self, crc: object) -> None:
        """The text of this CRC-32 is raised as an exception: what is held of it need not be shown."""
        with self._lock:
            if crc32(b"".join(self._held)) == crc:
                self._held = []
            self._release()

    def _holds(self, data: bytes) -> bool:
        if not self._held:
            return data.startswith(TRACEBACK)
        # The end of the notebook's own patience ends this too, whether anyone takes what there is or not.
        return time.monotonic() - self._held_at <= HOLD_S

    def _release(self) -> None:
        held, self._held = self._held, []
        for data in held:
            self._queue(STDERR, data)

    def _append(self, piece: Picture | str) -> None:
        with self._lock:
            self._release()
            self._pending.append(piece)
        self._news.set()

    def _queue(self, stream: int, data: bytes) -> None:
        self._pending.append((stream, data))
        self._pending_bytes += len(data)
        if self._tail is not None:
            self._added_at = time.monotonic()
            self._begun_at = self._begun_at or self._added_at
            self._keep(self._tail)
        if not self._limited:
            return
        # What waits when the job ends is shown all at once: it must fit into what is left of the total.
        limit = max(TAIL_BYTES, min(RATE_BYTES_S, TOTAL_BYTES - self._shown_bytes))
        while self._pending_bytes > limit and self._pending:
            self._drop(limit)

    @property
    def crowded(self) -> bool:
        """More waits than should: whoever adds to it should wait, too."""
        return not self._limited and self._tail is None and self._pending_bytes > MOST_WAITING_BYTES

    def wait(self, timeout_s: float) -> bool:
        """Until there is something to take, or the time is over."""
        return self._news.wait(timeout_s)

    def wake(self) -> None:
        """Let a waiting reader look again."""
        self._news.set()

    def take(self, *, last: bool = False) -> list[tuple[int, str] | Picture]:
        """What may be written now, in order: pictures, and text as (stream, text), neighbours of one stream joined;
        `last`: all that is left."""
        with self._lock:
            self._news.clear()
            now = time.monotonic()
            if self._tail is not None and not last and not self._has_caught_up(now):
                return []
            self._tail = None
            if self._held and (last or now - self._held_at > HOLD_S):
                self._release()
            self._credit_bytes = min(RATE_BYTES_S, self._credit_bytes + (now - self._credited_at) * RATE_BYTES_S)
            self._credited_at = now
            if not last and (self._full() or not self._pending):
                return []
            taken: list[tuple[int, str] | Picture] = []
            if self._skipped_lines:
                taken.append((STDERR, f"[{self._skipped_lines:,} lines are not shown here: {self._log_name}]\n"))
                self._skipped_lines = 0
            while self._pending and (last or not self._limited or self._credit_bytes > 0):
                piece = self._pending.popleft()
                if not isinstance(piece, tuple):
                    taken.append((STDERR, piece) if isinstance(piece, str) else piece)
                    continue
                stream, data = piece
                self._pending_bytes -= len(data)
                self._credit_bytes -= len(data)
                self._shown_bytes += len(data)
                taken.append((stream, self._decoders[stream].decode(data)))
            if self._full() and not last:
                text = f"[more output than a notebook holds: it goes on in {self._log_name}; its tail comes here]\n"
                taken.append((STDERR, text))
            if self._pending:
                self._news.set()
        return _joined(taken)

    def _has_caught_up(self, now: float) -> bool:
        """What was there comes at once, what is new in its own time; a program that never pauses is not waited for."""
        return now - self._added_at > CAUGHT_UP_S or now - self._begun_at > CATCH_UP_S

    def _keep(self, lines: int) -> None:
        """Drop what stands before the last `lines` lines."""
        over = sum(piece[1].count(b"\n") for piece in self._pending if isinstance(piece, tuple)) - lines
        while over > 0:
            piece = self._pending.popleft()
            if not isinstance(piece, tuple):
                continue
            stream, data = piece
            self._pending_bytes -= len(data)
            found = data.count(b"\n")
            rest = b"\n".join(data.split(b"\n", over)[over:]) if found > over else b""
            self._skipped_lines += min(found, over)
            over -= found
            if rest:
                self._pending.appendleft((stream, rest))
                self._pending_bytes += len(rest)

    def _full(self) -> bool:
        return self._limited and self._shown_bytes >= TOTAL_BYTES

    def _drop(self, limit: int) -> None:
        """Drop the oldest pending lines, down to `limit` bytes; pictures and notes between them stay."""
        stay: list[Picture | str] = []
        while not isinstance(piece := self._pending.popleft(), tuple):
            stay.append(piece)
        stream, data = piece
        self._pending_bytes -= len(data)
        over = self._pending_bytes + len(data) - limit
        if over < len(data):
            # Keep the newest whole lines of this block.
            cut = data.find(b"\n", max(over - 1, 0)) + 1 or len(data)
            rest = data[cut:]
            self._skipped_lines += data.count(b"\n", 0, cut)
            if rest:
                self._pending.appendleft((stream, rest))
                self._pending_bytes += len(rest)
        else:
            self._skipped_lines += data.count(b"\n")
        self._pending.extendleft(reversed(stay))


def _joined(pieces: list[tuple[int, str] | Picture]) -> list[tuple[int, str] | Picture]:
    joined: list[tuple[int, str] | Picture] = []
    for piece in pieces:
        before = joined[-1] if joined else None
        if isinstance(piece, tuple) and isinstance(before, tuple) and before[0] == piece[0]:
            joined[-1] = (piece[0], before[1] + piece[1])
        else:
            joined.append(piece)
    return joined
