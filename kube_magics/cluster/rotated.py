"""What a node's log rotation has put aside, read from the node's own files, where the user has the right to them.

The API gives the current file alone. A node also serves `/var/log/pods` through `nodes/proxy`: a mighty right, which
nobody should be given for this (`--log-to` needs none). Without it nothing is asked twice, and the runner's count says
exactly what is missing.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import zlib
from collections.abc import AsyncGenerator, Iterator, Sequence

from kube_magics import errors
from kube_magics.cluster.client import ANSWER_TIMEOUT_S, Client
from kube_magics.cluster.position import unix_time

_NAME = re.compile(rb'href="(\d+)\.log(\.[0-9-]+)(\.gz)?"')
PIECE_BYTES = 64 << 10
"""No buffer is larger: glibc keeps for a thread twice what it was ever given back in one piece, for good."""
GZIP = 16 + zlib.MAX_WBITS
ROTATION_S = 10.0
"""The kubelet looks this often whether a log has to be rotated."""


class Rotated:
    """Of one container."""

    def __init__(self, client: Client, node: str, folder: str) -> None:
        """`folder`: `NAMESPACE_POD_UID/CONTAINER`."""
        self._client = client
        self._folder = f"/api/v1/nodes/{node}/proxy/logs/pods/{folder}/"
        self._refused = False
        self.reached = False
        """The last `since` found where it was to begin: what it yielded is all there was."""
        self.tail = b""
        """What the files end with after their last newline, with its timestamp: the next file has the rest."""

    async def since(self, last: bytes, before: bytes) -> AsyncGenerator[bytes, None]:
        """Blocks of whole lines, as the API gives them, from behind the line `last` (empty: from the first) up to the
        line `before`, which the current file has (empty: to the end). Raises Unreachable."""
        self.reached, self.tail = not last, b""
        lines = await self._behind(last)
        tail = None
        while tail is None:
            block, tail = await asyncio.to_thread(_block, lines, before)
            if block:
                yield block
        self.tail = tail

    async def _behind(self, last: bytes) -> Iterator[bytes]:
        """The lines behind `last`, or all there are where no file has it; sets `reached`."""
        files: list[Iterator[bytes]] = []
        for name in reversed(await self._names()):
            try:
                pieces = await self._pieces(name)
            except (errors.Forbidden, errors.NotFound):
                # Put away, or compressed and so renamed, since they were listed.
                continue
            if last:
                entries = _entries(pieces, name)
                if await asyncio.to_thread(_passed, entries, last):
                    self.reached = True
                    files.insert(0, entries)
                    break
            files.insert(0, _entries(pieces, name))
        return _lines(itertools.chain.from_iterable(files))

    async def _pieces(self, name: str) -> list[bytes]:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S), self._client.stream(self._folder + name, {}) as content:
                return [piece async for piece in content.iter_chunked(PIECE_BYTES)]
        except TimeoutError:
            raise errors.Unreachable("The node's file of a log does not come.") from None

    async def _names(self) -> list[str]:
        """Of the last start of the container, oldest first."""
        if self._refused:
            return []
        try:
            listing = await self._client.get(self._folder, accept="*/*")
        except (errors.Forbidden, errors.NotFound, errors.Rejected) as refused:
            self._refused = not (isinstance(refused, errors.Rejected) and refused.passes)
            return []
        found = sorted(
            {(int(start), stamp.decode(), packed.decode()) for start, stamp, packed in _NAME.findall(listing)}
        )
        return [f"{start}.log{stamp}{packed}" for start, stamp, packed in found if start == found[-1][0]]


def _block(lines: Iterator[bytes], before: bytes) -> tuple[bytes, bytes | None]:
    """(the next whole lines, what comes after the last of all; None: there is more)."""
    found: list[bytes] = []
    size = 0
    for line in lines:
        if before and line == before + b"\n":
            return b"".join(found), b""
        if not line.endswith(b"\n"):
            return b"".join(found), line
        found.append(line)
        size += len(line)
        if size >= PIECE_BYTES:
            return b"".join(found), None
    return b"".join(found), b""


def _passed(entries: Iterator[bytes], last: bytes) -> bool:
    """Take the entries up to those of the line `last`; False: they do not have it, and all are taken."""
    return any(line == last + b"\n" for line in _lines(entries))


def _lines(entries: Iterator[bytes]) -> Iterator[bytes]:
    """A container's log as the API shows it: `TIME CONTENT`, parts of a line joined; the last may have no newline."""
    parts: list[bytes] = []
    for entry in entries:
        stamp, _, rest = entry.partition(b" ")
        _, _, rest = rest.partition(b" ")
        tag, _, content = rest.partition(b" ")
        if not tag:
            continue
        parts += (content,) if parts else (_nanoseconds(stamp), b" ", content)
        if tag.startswith(b"F"):
            yield b"".join((*parts, b"\n"))
            parts = []
    if parts:
        yield b"".join(parts)


def _entries(pieces: Sequence[bytes], name: str) -> Iterator[bytes]:
    """A file's lines without their newlines."""
    rest = b""
    for text in _unpacked(pieces) if name.endswith(".gz") else pieces:
        *whole, rest = (rest + text).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _unpacked(pieces: Sequence[bytes]) -> Iterator[bytes]:
    packed = zlib.decompressobj(GZIP)
    for piece in pieces:
        text = packed.decompress(piece, PIECE_BYTES)
        while text:
            yield text
            text = packed.decompress(packed.unconsumed_tail, PIECE_BYTES)


def _nanoseconds(stamp: bytes) -> bytes:
    """The API writes all nine digits, the files none that are zeros at the end."""
    match = re.fullmatch(rb"([^.Z+]{19})\.?([0-9]*)(.*)", stamp)
    return b"%s.%s%s" % (match[1], match[2].ljust(9, b"0"), match[3]) if match else stamp


def begun(head: bytes, fresh: bytes) -> bytes:
    """What stands before the first of `fresh`'s lines in the file that was rotated away, if `head` ended that file."""
    at, went_on = unix_time(head), unix_time(fresh)
    if at is None or went_on is None or not 0 <= went_on - at < ROTATION_S:
        return b""
    return head.partition(b" ")[2]
