"""What a node's log rotation has put aside, read from the node's own files, where the user has the right to them.

The API gives the current file alone. A node also serves `/var/log/pods` through `nodes/proxy`: a mighty right, which
nobody should be given for this (`--log-to` needs none). Without it nothing is asked twice, and the runner's count says
exactly what is missing.
"""

from __future__ import annotations

import asyncio
import io
import re
import zlib
from collections.abc import AsyncGenerator

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.cluster.position import unix_time

_NAME = re.compile(rb'href="(\d+)\.log(\.[0-9-]+)(\.gz)?"')
BLOCK_BYTES = 1 << 20
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
        texts = await self._texts(last)
        whole, rest = await asyncio.to_thread(_joined, texts)
        at = _behind(whole, last)
        self.reached = not last or at > 0
        end = _line_at(whole, before) if before else -1
        if end >= 0:
            whole = whole[:end]
        else:
            self.tail = rest
        while at < len(whole):
            cut = whole.rfind(b"\n", at, at + BLOCK_BYTES) + 1 or whole.index(b"\n", at) + 1
            yield whole[at:cut]
            at = cut

    async def _texts(self, last: bytes) -> list[bytes]:
        """The files' contents, oldest first, from the one with `last` in it, if there is one."""
        found: list[bytes] = []
        for name in reversed(await self._names()):
            try:
                raw = await self._client.get(self._folder + name, accept="*/*")
            except (errors.Forbidden, errors.NotFound):
                # Put away, or compressed and so renamed, since they were listed.
                continue
            found.insert(0, await asyncio.to_thread(_text, raw, name))
            if last and _behind((await asyncio.to_thread(_joined, found[:1]))[0], last):
                break
        return found

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


def _text(raw: bytes, name: str) -> bytes:
    return zlib.decompress(raw, GZIP) if name.endswith(".gz") else raw


def _joined(texts: list[bytes]) -> tuple[bytes, bytes]:
    """(whole lines, the rest) of a container's files, as the API shows them: `TIME CONTENT`, parts of a line joined.

    One entry at a time: a list of all would leave a notebook larger for good.
    """
    out = bytearray()
    begun = False
    for entry in io.BytesIO(b"".join(texts)):
        stamp, _, rest = entry.partition(b" ")
        _, _, rest = rest.partition(b" ")
        tag, _, content = rest.partition(b" ")
        if not tag:
            continue
        if not begun:
            out += _nanoseconds(stamp) + b" "
        begun = not tag.startswith(b"F")
        out += content.removesuffix(b"\n")
        if not begun:
            out += b"\n"
    cut = out.rfind(b"\n") + 1
    return bytes(memoryview(out)[:cut]), bytes(memoryview(out)[cut:])


def _nanoseconds(stamp: bytes) -> bytes:
    """The API writes all nine digits, the files none that are zeros at the end."""
    match = re.fullmatch(rb"([^.Z+]{19})\.?([0-9]*)(.*)", stamp)
    return b"%s.%s%s" % (match[1], match[2].ljust(9, b"0"), match[3]) if match else stamp


def _line_at(text: bytes, line: bytes) -> int:
    """Where `line` begins in `text`; -1: nowhere."""
    if text.startswith(line + b"\n"):
        return 0
    at = text.find(b"\n" + line + b"\n")
    return at + 1 if at >= 0 else -1


def _behind(text: bytes, line: bytes) -> int:
    at = _line_at(text, line) if line else -1
    return at + len(line) + 1 if at >= 0 else 0


def begun(head: bytes, fresh: bytes) -> bytes:
    """What stands before the first of `fresh`'s lines in the file that was rotated away, if `head` ended that file."""
    at, went_on = unix_time(head), unix_time(fresh)
    if at is None or went_on is None or not 0 <= went_on - at < ROTATION_S:
        return b""
    return head.partition(b" ")[2]
