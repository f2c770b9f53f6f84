r"""The line protocol between the runner and whoever reads its standard output. Pure: no I/O, imported on every system.

A line's first bytes tell its kind:

    0x1E + JSON object      an event (RFC 7464's mark), `"e"` is its name
    0x1F 0x32 ('2')         a line of the user's stderr
    0x1F 0x31 ('1')         a line of the user's stdout that itself begins with 0x1E or 0x1F
    0x1F 0x33 ('3') … 0x1F  a line of the user's stdout that ends with a carriage return, which container runtimes drop
    0x1F 0x34 ('4') … 0x1F  the same of stderr
    anything else           a line of the user's stdout, untouched

So nothing that a program prints can be taken for an event. Events stand at line boundaries only.

Events (a reader ignores names and keys that it does not know; null means unknown):

    start     v python host pid devices versions
              first. devices: [{index uuid name memory_bytes}], only if GPUs were asked for. versions: distribution
              versions of the captured imports. It comes again, complete, when the devices have been found, and when
              the program has introduced itself after steps that ran before it
    stage     name [t]
              starting | installing | fetching | running | collecting. t: Unix time; not of collecting, which begins
              where the program ends
    partial   s d
              bytes of stream s (1 stdout, 2 stderr) that have no newline yet, each byte once; the line that ends them
              carries only the rest. d: UTF-8, other bytes as surrogate escapes
    mark      l b
              totals so far, see `Totals`
    beat      (nothing else was said for 4 s)
    progress  step total text
              from report(), those that were given
    metric    step values
              from report(), step may be null; values by name: numbers, or "NaN", "Infinity", "-Infinity"
    sample    t dt cpu mem gpu [thin seen idle]
              arrays, one entry for each dt seconds; t: Unix time of the first. cpu: cores in use; mem: bytes; gpu: for
              each device an array of entries [utilization_percent, memory_used_bytes, memory_total_bytes, power_w,
              temperature_c], each of them may be null; an empty entry: the driver has lost the device. With thin=true a
              device has three: mean and peak of the interval, and the first two numbers of its last reading; seen and
              idle: for each device, how many readings knew its utilisation, and of them those below IDLE_PERCENT
    image     name i n d [sha256 bytes text note]
              a picture, PNG, in chunks as a result has them; name: its number. text: what stands for it where no
              picture can be shown; note: why it is smaller than it was, or (then bytes is 0) why it is not there
    result    name i n d [sha256 bytes]
              chunk i of n, base64; digest and size come with the last. Name `@error`: what chain.py makes of it;
              `@value`: what a function given to train() returned
    stored    name bytes sha256 at
              a result that is not in the log: file `at` of the job's folder in the store of --artifacts, its digest as
              `artifacts/pieces.py` defines it. at: null, in the job's own folder, which the reader has too
    files     lost count bytes too_large failed unmatched
              of the working folder. lost: [[path bytes]], the largest of `count` files that were written and do not
              come back. too_large: {path: bytes} and failed: {path: reason} of those of --returns-files that do not;
              unmatched: its globs that no file matches. Those that do come back are results named `@file:` + path
    error     type module message frames text crc exit [reason install]
              frames: as in chain.py. text: as on stderr, where too long without its middle; crc: CRC-32 of all of it.
              exit: code of a SystemExit. For a missing import install is the distribution that provides it, and reason
              "import" if it is a captured one; "bytecode": captured code is of another Python minor. Of a step before
              or after the program: reason as that of `end`, message and text are the last that it said
    end       code signal reason duration_s cpu_s peak_memory_bytes lines bytes results missing too_large [oom_kills]
              last. reason: completed | failed | signal | timeout | stopped | oom | import | bytecode | bundle | start,
              or that of the step that failed: install | fetch | collect. duration_s: of the program alone
"""

from __future__ import annotations

import sys
from binascii import a2b_base64, b2a_base64

from . import quickjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

VERSION = 1
IDLE_PERCENT = 5
"""A GPU below this utilisation is idle."""
MAX_EVENT_BYTES = 12 * 1024
"""A whole line of an event, newline included: below the 16 KiB at which container runtimes split lines."""
RESULT_LIMIT_BYTES = 1024 * 1024
"""Pickled size up to which a result travels through the log."""
HEARTBEAT_S = 4.0
"""A runner that has nothing to say says so this often."""
OWN_FAILURE = 70
"""Exit code where the program could not be run, and would not be by another attempt."""
TIMED_OUT = 124
FINAL_CODES = (OWN_FAILURE, TIMED_OUT)
"""No attempt of --retries follows these, whoever ends so."""

STDOUT = 1
STDERR = 2
EVENT_MARK = b"\x1e"
LINE_MARK = b"\x1f"
_STDERR_MARK = b"\x1f2"
_ESCAPED_STDOUT_MARK = b"\x1f1"
_RETURN_MARKS = {STDOUT: b"\x1f3", STDERR: b"\x1f4"}
_MARKS = (EVENT_MARK, LINE_MARK)

_PARTIAL_BYTES = 8 * 1024
_WORST_PARTIAL_BYTES = 1900  # each byte may need six characters


class Line:
    """One decoded line. kind: "out", "err", "event"; payload: the user's bytes, no newline (of an event: the line)."""

    __slots__ = ("event", "kind", "payload")

    def __init__(self, kind: str, payload: bytes, event: dict[str, Any] | None = None) -> None:
        self.kind = kind
        self.payload = payload
        self.event = event

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Line):
            return NotImplemented
        return (self.kind, self.payload, self.event) == (other.kind, other.payload, other.event)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Line({self.kind!r}, {self.payload!r}, {self.event!r})"


class CorruptResult(ValueError):
    """Chunks of a result that do not fit together: one is missing, doubled or changed."""


def encode_event(event: dict[str, Any]) -> bytes:
    """One event as a line. The caller keeps it within MAX_EVENT_BYTES."""
    return EVENT_MARK + quickjson.dumps(event).encode("ascii") + b"\n"


def encode_line(stream: int, payload: bytes) -> bytes:
    """One line of the user's, given without its newline, as it stands in the log, with newline."""
    if payload.endswith(b"\r"):
        return _RETURN_MARKS[stream] + payload + LINE_MARK + b"\n"
    if stream == STDERR:
        return _STDERR_MARK + payload + b"\n"
    if payload.startswith(_MARKS):
        return _ESCAPED_STDOUT_MARK + payload + b"\n"
    return payload + b"\n"


def encode_lines(stream: int, block: bytes) -> bytes:
    """`encode_line` for many lines at once: `block` ends with a newline. Costs a few copies, not a loop over lines,
    unless some end with a carriage return."""
    if b"\r\n" in block:
        return b"".join([encode_line(stream, line) for line in block[:-1].split(b"\n")])
    if stream == STDERR:
        return _STDERR_MARK + block[:-1].replace(b"\n", b"\n" + _STDERR_MARK) + b"\n"
    for mark in (LINE_MARK, EVENT_MARK):  # in this order: escaping puts a LINE_MARK in front
        if mark in block:
            block = block.replace(b"\n" + mark, b"\n" + _ESCAPED_STDOUT_MARK + mark)
    return _ESCAPED_STDOUT_MARK + block if block.startswith(_MARKS) else block


def decode(line: bytes) -> Line:
    """What one line (without its newline) is. Never fails: a broken event or an unknown mark is a line of stdout."""
    first = line[:1]
    if first == LINE_MARK:
        if line.startswith(_STDERR_MARK):
            return Line("err", line[2:])
        if line.startswith(_ESCAPED_STDOUT_MARK):
            return Line("out", line[2:])
        for stream, mark in _RETURN_MARKS.items():
            if line.startswith(mark) and line.endswith(b"\r" + LINE_MARK):
                return Line("err" if stream == STDERR else "out", line[2:-1])
    elif first == EVENT_MARK:
        try:
            event = quickjson.loads(line[1:].decode("utf-8"))
        except (ValueError, RecursionError):
            return Line("out", line)
        if isinstance(event, dict) and isinstance(event.get("e"), str):
            return Line("event", line, event)
    return Line("out", line)


def partial_events(stream: int, data: bytes) -> Iterator[bytes]:
    """`data`, which has no newline, as encoded partial events of at most MAX_EVENT_BYTES each."""
    at = 0
    while at < len(data):
        size = _PARTIAL_BYTES
        encoded = _partial(stream, data[at : at + size])
        if len(encoded) > MAX_EVENT_BYTES:
            size = _WORST_PARTIAL_BYTES
            encoded = _partial(stream, data[at : at + size])
        yield encoded
        at += size


def _partial(stream: int, data: bytes) -> bytes:
    return encode_event({"e": "partial", "s": stream, "d": data.decode("utf-8", "surrogateescape")})


def partial_bytes(event: dict[str, Any]) -> bytes:
    """The user's bytes in a partial event; of a malformed one, none."""
    text = event.get("d")
    try:
        return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else b""
    except UnicodeEncodeError:
        return b""


class Totals:
    """What the user has written: complete lines, and bytes without newlines, of both streams, partial bytes included.

    The runner counts what it sends, the reader what it gets; `mark` and `end` carry the runner's numbers, so that
    `missing` is the exact loss. The mark itself does not count.
    """

    __slots__ = ("bytes", "lines")

    def __init__(self, lines: int = 0, bytes_: int = 0) -> None:
        self.lines = lines
        self.bytes = bytes_

    def add(self, line: Line) -> None:
        if line.event is None:
            self.lines += 1
            self.bytes += len(line.payload)
        elif line.event["e"] == "partial":
            self.bytes += len(partial_bytes(line.event))

    def missing(self, event: dict[str, Any]) -> tuple[int, int]:
        """Lines and bytes that a mark or end event knows of and this count does not; (0, 0) if nothing was lost."""
        lines = event.get("l" if event.get("e") == "mark" else "lines")
        size = event.get("b" if event.get("e") == "mark" else "bytes")
        return (
            lines - self.lines if isinstance(lines, int) else 0,
            size - self.bytes if isinstance(size, int) else 0,
        )


def result_chunks(
    name: str, data: bytes, kind: str = "result", more: dict[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """A result (or what else is `kind`) as events of at most MAX_EVENT_BYTES once encoded; at least one, also for no
    bytes. `more` comes with the last."""
    last = {"sha256": _sha256(data), "bytes": len(data), **(more or {})}
    frame = {"e": kind, "name": name, "i": len(data), "n": len(data), "d": "", **last}
    room = (MAX_EVENT_BYTES - len(encode_event(frame))) // 4 * 3
    if room <= 0:
        raise ValueError(f"the name of a result is too long: {name[:40]}...")
    count = max(1, -(-len(data) // room))
    for index in range(count):
        part = data[index * room : (index + 1) * room]
        text = b2a_base64(part, newline=False).decode("ascii")
        event: dict[str, Any] = {"e": kind, "name": name, "i": index, "n": count, "d": text}
        if index == count - 1:
            event.update(last)
        yield event


class Assembler:
    """Puts results together again from their chunks, which arrive in order; several names may interleave."""

    def __init__(self) -> None:
        self._parts: dict[str, list[bytes]] = {}

    def add(self, event: dict[str, Any]) -> tuple[str, bytes] | None:
        """Take one result event; the name and bytes once a result is complete. Raises CorruptResult."""
        name, index, count = event.get("name"), event.get("i"), event.get("n")
        if not (isinstance(name, str) and isinstance(index, int) and isinstance(count, int)):
            raise CorruptResult("a result event without name or numbers")
        if index == 0:
            self._parts[name] = []  # a worker that was started again sends its results again
        parts = self._parts.get(name, [])
        if index != len(parts):
            self._parts.pop(name, None)
            raise CorruptResult(f"result {name}: chunk {len(parts) + 1} of {count} is missing")
        try:
            parts.append(a2b_base64(event["d"]))
        except (KeyError, TypeError, ValueError) as error:
            self._parts.pop(name, None)
            raise CorruptResult(f"result {name}: chunk {index + 1} of {count} is not readable") from error
        if index < count - 1:
            return None
        data = b"".join(self._parts.pop(name))
        if event.get("bytes") != len(data) or event.get("sha256") != _sha256(data):
            raise CorruptResult(f"result {name}: its bytes do not have the digest that was sent with them")
        return name, data


def _sha256(data: bytes) -> str:
    """By hashlib where something has loaded it: with OpenSSL that takes a runner 10 ms and 3 MB, at a job's end."""
    for name in ("_sha2", "_sha256") if "hashlib" not in sys.modules else ():  # since 3.12, and before
        try:
            return str(__import__(name).sha256(data).hexdigest())
        except (ImportError, AttributeError, ValueError):
            continue  # another interpreter, or one for which it is forbidden
    import hashlib

    return hashlib.sha256(data).hexdigest()
