"""How much of a container's log has been delivered, and where an answer of the API goes on from there.

`sinceTime` is cut to whole seconds and filters line by line in file order. So a position is a second, how many lines
from that second on were delivered, and their checksum: ask again from that second, pass that many, compare. Where they
differ (the log was rotated, a clock was set back), the last delivered line and a ring of recent ones say what is new.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter

RING_BYTES = 1 << 20

_SECOND = 19  # len("2026-11-23T21:00:00")
_STAMPED = re.compile(rb"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})((?:\.[0-9]+)?)(Z|[+-][0-9]{2}:[0-9]{2})(?: |$)")
_key = itemgetter(slice(_SECOND))


def stamped(line: bytes) -> bool:
    """Whether `line` starts with a timestamp; what does not is a remark of the node's, not a line of the log."""
    return _STAMPED.match(line) is not None


def unix_time(line: bytes) -> float | None:
    """The timestamp of `line` in seconds since the epoch; None: it has none."""
    stamp = _stamp(line)
    return None if stamp is None else stamp[0] + float(b"0." + stamp[1])


def _stamp(line: bytes) -> tuple[int, bytes] | None:
    """(whole seconds since the epoch, digits of the fraction): comparable, unlike the text across time zones."""
    match = _STAMPED.match(line)
    if match is None:
        return None
    try:
        whole = datetime.fromisoformat((match[1] + match[3]).decode("ascii"))
    except ValueError:
        return None
    return int(whole.timestamp()), match[2][1:].ljust(9, b"0")


@dataclass
class Count:
    """Lines, and the CRC-32 of them with their timestamps, in order."""

    lines: int = 0
    crc: int = 0

    def add(self, block: bytes, lines: int) -> None:
        """Whole lines."""
        self.lines += lines
        self.crc = zlib.crc32(block, self.crc)


class Position:
    """How much of a log has been delivered."""

    def __init__(self) -> None:
        self.last = b""
        """The last delivered line, timestamp included."""
        self.remarks: list[bytes] = []
        """Lines without a timestamp that `take` met: the node's own words."""
        self._second = b""
        self._zone = b"Z"
        self._epoch = 0
        self._latest = Count()
        """Delivered lines from `_second` on."""
        self._before: Count | None = None
        """The same from the second before. stdout and stderr of a container are stamped before they are put in order,
        so right after a second has begun, lines of the one before may still follow; later (None) they cannot."""
        self._ring: deque[bytes] = deque()
        self._ring_bytes = 0

    def take(self, raw: bytes) -> bytes:
        """Account for `raw` (whole lines with timestamps) as delivered; returns it without the timestamps."""
        lines = raw.count(b"\n")
        start = raw.rfind(b"\n", 0, -1) + 1
        second = raw[start : start + _SECOND]
        if second == self._second and raw.startswith(second) and raw.count(b"\n" + second) == lines - 1:
            # Nearly every block under load; the other way costs more a line.
            self.last = raw[start:-1]
            self._add(raw, lines)
        else:
            raw = b"".join(self._account(raw))
        self._remember(raw)
        # A fifth of what a regular expression costs: under a flood this is most of the work on a line.
        return b"\n".join([line.partition(b" ")[2] for line in raw.split(b"\n")])

    def since(self) -> dict[str, str]:
        """The query that asks for everything from this position's second on."""
        if not self.last:
            return {}
        if self._before is None:
            return {"sinceTime": (self._second + self._zone).decode("ascii")}
        return {"sinceTime": datetime.fromtimestamp(self._epoch - 1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

    def expected(self) -> Count:
        """What the answer to `since` begins with, if the log still holds it."""
        return self._before or self._latest

    def passed_by(self, line: bytes) -> bool:
        """Whether `line` is of a later second than anything delivered."""
        stamp = _stamp(line)
        return stamp is not None and stamp[0] > self._epoch

    def new_in(self, text: bytes) -> tuple[bytes, bool]:
        """(what of `text` was not delivered, whether the last delivered line stands in it).

        `text` is a whole answer to `since`, which does not begin with `expected`.
        """
        at = self._after_last(text)
        if at:
            return text[at:], True
        known = Counter(b"".join(self._ring).split(b"\n"))
        newest = _stamp(self.last) or (0, b"")
        fresh = []
        for line in text.split(b"\n")[:-1]:
            stamp = _stamp(line)
            if stamp is None:
                self.remarks.append(line)
            elif known[line] > 0:
                known[line] -= 1
            elif stamp >= newest:
                # Older ones were delivered before the ring begins: an answer that broke off early brings them again.
                fresh.append(line + b"\n")
        return b"".join(fresh), False

    def rebase(self, text: bytes) -> None:
        """Count anew: everything in `text` is delivered now, and the log begins with it from its second on."""
        stamp, match = _stamp(self.last), _STAMPED.match(self.last)
        assert stamp is not None
        assert match is not None
        self._epoch, self._second, self._zone = stamp[0], match[1], match[3]
        self._latest, self._before = Count(), None
        for block, lines, _ in _seconds(text):
            found = _stamp(block)
            if found is not None and found[0] >= self._epoch:
                self._latest.add(block, lines)

    def _account(self, raw: bytes) -> Iterator[bytes]:
        for block, lines, last in _seconds(raw):
            match, stamp = _STAMPED.match(last), _stamp(last)
            if match is None or stamp is None:
                self.remarks.append(block)
                continue
            self.last = last
            if match[1] != self._second and self._is_straggler(stamp[0]):
                assert self._before is not None
                self._before.add(block, lines)
            else:
                if match[1] != self._second:
                    self._begin(match[1], match[3], stamp[0])
                self._add(block, lines)
            yield block

    def _is_straggler(self, epoch: int) -> bool:
        return self._before is not None and epoch == self._epoch - 1

    def _begin(self, second: bytes, zone: bytes, epoch: int) -> None:
        if epoch > self._epoch:
            self._before = self._latest if epoch == self._epoch + 1 else Count()
        else:
            # The node's clock was set back. The count will not fit, and the last line decides (`new_in`).
            self._before = None
        self._latest = Count()
        self._second, self._zone, self._epoch = second, zone, epoch

    def _add(self, block: bytes, lines: int) -> None:
        self._latest.add(block, lines)
        if self._before is not None:
            if self.last[_SECOND : _SECOND + 1] == b"." and self.last[_SECOND + 1 : _SECOND + 2] != b"0":
                self._before = None  # a tenth of a second has passed
            else:
                self._before.add(block, lines)

    def _remember(self, raw: bytes) -> None:
        self._ring.append(raw[-RING_BYTES:])
        self._ring_bytes += len(self._ring[-1])
        while self._ring_bytes - len(self._ring[0]) >= RING_BYTES:
            self._ring_bytes -= len(self._ring.popleft())

    def _after_last(self, text: bytes) -> int:
        """Where in `text` the last delivered line ends; 0: it is not there."""
        line = b"\n" + self.last + b"\n"
        recent = b"".join(self._ring)
        found, ends = len(text) + 2, []
        while (found := (b"\n" + text).rfind(line, 0, found - 1)) >= 0:
            end = found + len(line) - 1
            if recent.endswith(text[:end]) or text[:end].endswith(recent):
                return end
            ends.append(end)
        # After a clock was set back the two agree only in their last line.
        return ends[0] if ends else 0


def _seconds(raw: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Runs of lines that begin with the same second: (block, lines, last line)."""
    for _, run in itertools.groupby(raw.split(b"\n")[:-1], _key):
        lines = list(run)
        yield b"\n".join(lines) + b"\n", len(lines), lines[-1]


class Resume:
    """Passes what was delivered already at the beginning of a reopened log."""

    def __init__(self, position: Position) -> None:
        self._position = position
        self._expected = position.expected()
        self._seen = Count()
        self._held: list[bytes] = []
        self.settled = self._expected.lines == 0
        """Everything delivered before has been passed."""
        self.torn = False
        """The log does not go on where we left it."""

    def feed(self, raw: bytes) -> bytes:
        """Add whole raw lines; returns what of them is new: nothing before `settled`, nothing when `torn`."""
        if self.settled:
            return raw
        self._held.append(raw)
        if self.torn:
            return b""
        missing = self._expected.lines - self._seen.lines
        lines = raw.count(b"\n")
        cut = len(raw) if lines <= missing else _after_lines(raw, missing)
        self._seen.add(raw[:cut], min(lines, missing))
        if self._seen == self._expected:
            self.settled = True
            self._held.clear()
            return raw[cut:]
        last = raw[raw.rfind(b"\n", 0, -1) + 1 : -1]
        # Fewer lines than expected, and a later one already: the missing ones will not come.
        self.torn = lines >= missing or self._position.passed_by(last)
        return b""

    def text(self) -> bytes:
        """All that was fed, while it is not settled."""
        return b"".join(self._held)


def _after_lines(data: bytes, count: int) -> int:
    at = 0
    for _ in range(count):
        at = data.index(b"\n", at) + 1
    return at
