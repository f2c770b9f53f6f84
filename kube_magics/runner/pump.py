"""The user's two streams into the one log: every byte once, in order, by lines, and cheaply.

Lines are handled by blocks as they are read, never one by one. A program that writes fast is read at most every
`PACE_S`, so that a block holds many lines (2 us of processor time a line and less, at 100,000 lines a second); one that
writes now and then is read at once.
"""

from __future__ import annotations

import fcntl
import os

from . import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .logcopy import LogCopy
    from .output import Output

READ_BYTES = 64 * 1024
PIPE_BYTES = 1024 * 1024
"""Room for what a fast program writes while it is not read; without it, pacing would make the program wait."""
F_SETPIPE_SZ = 1031
TAIL_BYTES = 256 * 1024
"""Bytes without a newline that are kept until they are due as partial events; more than this is sent at once."""
KEPT_BYTES = 8 * 1024
"""Of what a step says for the case that it fails."""
PARTIAL_AFTER_S = 0.5
PARTIAL_EVERY_S = 0.25
TORN_S = 0.02
"""The rest of a line that a program writes at once has been read by then."""
MARK_LINES = 10_000
MARK_S = 5.0
PACE_S = 0.005
WINDOW_S = 0.05
BURST_READS = 16
"""So many reads within a window are done at once, further ones wait: both streams of a burst keep their order."""
STALLED_S = 60.0
"""At the end, a log that takes nothing for so long is given up: the exit code must not wait for it for ever."""
NEVER = float("inf")


class Stream:
    """One pipe of the user's program, and what it has sent since its last newline."""

    def __init__(self, fd: int, number: int) -> None:
        self.fd = fd
        self.number = number
        self.open = True
        self.tail: list[bytes] = []
        self.tail_bytes = 0
        self.tail_since = 0.0
        self.partly_sent = False
        self.kept: bytes | None = None
        """The last of what it sent, where that is not for the log."""
        os.set_blocking(fd, False)
        try:
            fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            return  # not Linux, or beyond this user's share: slower, not wrong

    def due(self) -> float:
        """When its tail should travel as a partial event."""
        if not self.tail:
            return NEVER
        return self.tail_since if self.partly_sent else self.tail_since + PARTIAL_AFTER_S

    def waits(self, now: float) -> bool:
        """Whether it has something that was meant to be seen before what the other stream brings now: a progress bar,
        a prompt; not the first half of a line that is only being read."""
        return bool(self.tail) and (now > self.tail_since + TORN_S or b"\r" in self.tail[-1])

    def take_tail(self) -> bytes:
        tail = b"".join(self.tail)
        self.tail = []
        self.tail_bytes = 0
        return tail

    def close(self) -> None:
        if self.open:
            self.open = False
            os.close(self.fd)


class Pump:
    """Moves bytes from the streams to the output, with marks, partial events and heartbeats in between."""

    def __init__(self, output: Output, out: int, err: int, now: float) -> None:
        self.output = output
        self.streams = {out: Stream(out, protocol.STDOUT), err: Stream(err, protocol.STDERR)}
        self.totals = protocol.Totals()
        self._marked = protocol.Totals()
        self._last_mark = now
        self._last_write = now
        self._last_partial = 0.0
        self._window = now
        self._reads = 0
        self._paced_until = 0.0
        self.copy: LogCopy | None = None
        """What the user's program writes goes there too."""

    def take(self, out: int, err: int, *, step: bool) -> None:
        """The pipes of the next process. A step is none of the user's: what it prints is for people, so it stands in
        the log as stderr; its own stderr is kept back, see `kept`."""
        self.streams = {
            out: Stream(out, protocol.STDERR if step else protocol.STDOUT),
            err: Stream(err, protocol.STDERR),
        }
        if step:
            self.streams[err].kept = b""

    def kept(self, now: float) -> str:
        """The last lines that a step kept back; they go into the log too."""
        for stream in self.streams.values():
            if stream.kept:
                whole = stream.kept if stream.kept.endswith(b"\n") else stream.kept + b"\n"
                stream.kept = None
                self._feed(stream, whole, now)
                return whole.decode("utf-8", "replace")
        return ""

    def readable(self, now: float) -> list[int]:
        """The pipes that should be read now, in this order."""
        if self.output.full or now < self._paced_until:
            return []
        return [stream.fd for stream in self._in_order() if stream.open]

    def _in_order(self) -> list[Stream]:
        """Of two that are ready, one that has begun a line goes first: a progress bar ends, then a line is printed."""
        return sorted(self.streams.values(), key=lambda stream: not (stream.tail or stream.partly_sent))

    @property
    def open(self) -> bool:
        return any(stream.open for stream in self.streams.values())

    def read(self, fd: int, now: float) -> int:
        """Take what a pipe holds, up to its size; how many bytes that was. Notes its end."""
        stream = self.streams[fd]
        taken = 0
        while stream.open and taken < PIPE_BYTES and not self.output.full:
            try:
                data = os.read(fd, READ_BYTES)
            except BlockingIOError:
                break
            if not data:
                stream.close()
                break
            taken += len(data)
            self._feed(stream, data, now)
            if len(data) < READ_BYTES // 2:
                break
        self._pace(now)
        return taken

    def settle(self, now: float) -> bool:
        """Send on what has been written until now, also what has no newline yet; False: its reader is too slow."""
        for stream in self._in_order():
            if stream.open:
                self.read(stream.fd, now)
            if self.output.full:
                return False
            if stream.tail:
                self._send_partial(stream, now)
        return True

    def _pace(self, now: float) -> None:
        if now - self._window > WINDOW_S:
            self._window = now
            self._reads = 0
        self._reads += 1
        if self._reads > BURST_READS:
            self._paced_until = now + PACE_S

    def _feed(self, stream: Stream, data: bytes, now: float) -> None:
        if stream.kept is not None:
            stream.kept = (stream.kept + data)[-KEPT_BYTES:]
            return
        end = data.rfind(b"\n") + 1
        if end:
            block = data if end == len(data) else data[:end]
            if stream.tail:
                block = stream.take_tail() + block
            stream.partly_sent = False
            lines = block.count(b"\n")
            self.totals.lines += lines
            self.totals.bytes += len(block) - lines
            for other in self.streams.values():
                if other is not stream and other.waits(now):
                    self._send_partial(other, now)
            self._write(protocol.encode_lines(stream.number, block), now)
            if self.copy:
                self.copy.write(stream.number, block)
            self._mark_if_due(now)
            data = data[end:]
        if data:
            if not stream.tail:
                stream.tail_since = now
            stream.tail.append(data)
            stream.tail_bytes += len(data)
            if stream.tail_bytes > TAIL_BYTES:
                self._send_partial(stream, now)

    def _send_partial(self, stream: Stream, now: float) -> None:
        tail = stream.take_tail()
        stream.partly_sent = True
        self.totals.bytes += len(tail)
        if self.copy:
            self.copy.piece(stream.number, tail)
        for encoded in protocol.partial_events(stream.number, tail):
            self._write(encoded, now)

    def end_copy(self, now: float) -> None:
        """What could not be written there is said in the log."""
        copy, self.copy = self.copy, None
        if copy:
            copy.close()
        if copy and copy.problem:
            self.say(copy.problem, now)

    def say(self, text: str, now: float) -> None:
        """A line of our own, at the end: it counts as the user's, on stderr."""
        said = f"[kube_magics: {text}]\n".encode()
        if any(stream.partly_sent and stream.number == protocol.STDERR for stream in self.streams.values()):
            said = b"\n" + said
        lines = said.count(b"\n")
        self.totals.lines += lines
        self.totals.bytes += len(said) - lines
        self._write(protocol.encode_lines(protocol.STDERR, said), now)
        if self.copy:
            self.copy.write(protocol.STDERR, said)

    def _mark_if_due(self, now: float) -> None:
        if self.totals.lines - self._marked.lines >= MARK_LINES or now >= self._mark_due():
            self._marked = protocol.Totals(self.totals.lines, self.totals.bytes)
            self._last_mark = now
            self.event({"e": "mark", "l": self.totals.lines, "b": self.totals.bytes}, now)

    def _write(self, data: bytes, now: float) -> None:
        self.output.write(data)
        self._last_write = now

    def event(self, event: dict[str, Any], now: float) -> None:
        self._write(protocol.encode_event(event), now)

    def due(self, now: float) -> float:
        """When `tick` or a pipe that waits has something to do, if nothing else happens before."""
        partial = min(stream.due() for stream in self.streams.values())
        if partial != NEVER:
            partial = max(partial, self._last_partial + PARTIAL_EVERY_S)
        paced = self._paced_until if now < self._paced_until and not self.output.full else NEVER
        return min(partial, paced, self._last_write + protocol.HEARTBEAT_S, self._mark_due())

    def _mark_due(self) -> float:
        behind = self.totals.lines > self._marked.lines or self.totals.bytes > self._marked.bytes
        return self._last_mark + MARK_S if behind else NEVER

    def tick(self, now: float) -> None:
        """Whatever the clock asks for: partial events, a mark, a heartbeat."""
        if now >= self._last_partial + PARTIAL_EVERY_S:
            for stream in self.streams.values():
                if now >= stream.due():
                    self._send_partial(stream, now)
                    self._last_partial = now
        self._mark_if_due(now)
        if now - self._last_write >= protocol.HEARTBEAT_S:
            self.event({"e": "beat"}, now)

    def finish(self, clock: Callable[[], float]) -> list[int]:
        """The program has ended: take what its pipes still hold, send what has no newline. Then comes `close`.

        One pipe's worth each: a grandchild that goes on writing does not hold the end. Gives the inodes of the pipes
        that others still hold open.
        """
        held = []
        for stream in self._in_order():
            left = 2 * PIPE_BYTES
            while stream.open and left > 0:
                taken = self.read(stream.fd, clock())
                left -= taken
                if self.output.full:
                    if not self.output.drain(STALLED_S, clock):
                        break
                elif not taken:
                    break
            if stream.open and not self.output.full:
                held.append(os.fstat(stream.fd).st_ino)
            if stream.tail:
                self._send_partial(stream, clock())
        return held

    def close(self) -> None:
        """Let the pipes go; who still writes to them is told by a signal."""
        for stream in self.streams.values():
            stream.close()
