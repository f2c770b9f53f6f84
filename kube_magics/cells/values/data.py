"""data.pkl: the pickles of the captured values, then the large buffers that they point to.

    pickles, zeros, buffer, zeros, buffer …        each buffer at a multiple of ALIGNMENT_BYTES

`data.json` beside it says where the buffers are: {"buffers": [[at, size], …]}; without buffers it is left out. Nothing
is copied until the file is written: the buffers are the values' own memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kube_magics.cells.values.digests import Contents, content

ALIGNMENT_BYTES = 64
"""Arrays work on the mapped file itself, and vector instructions want this."""


@dataclass(frozen=True)
class Data:
    """The content of data.pkl, and what a reader needs to check it."""

    pickles: tuple[bytes, ...]
    buffers: tuple[memoryview, ...] = ()
    contents: Contents = field(default_factory=Contents)

    @property
    def size_bytes(self) -> int:
        places = self.places()
        return sum(places[-1]) if places else self._pickles_bytes

    @property
    def _pickles_bytes(self) -> int:
        return sum(map(len, self.pickles))

    def places(self) -> list[tuple[int, int]]:
        """Of each buffer, where it begins and how long it is."""
        found, at = [], self._pickles_bytes
        for buffer in self.buffers:
            at += -at % ALIGNMENT_BYTES
            found.append((at, buffer.nbytes))
            at += buffer.nbytes
        return found

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The file, from its beginning to its end."""
        yield from self.pickles
        at = self._pickles_bytes
        for (start, size), buffer in zip(self.places(), self.buffers, strict=True):
            yield bytes(start - at)
            yield buffer
            at = start + size

    def joined(self) -> bytes:
        """The file in memory."""
        return b"".join(self.chunks())

    def index(self) -> bytes | None:
        """data.json."""
        return json.dumps({"buffers": self.places()}).encode() if self.buffers else None

    def parts(self) -> list[list[Any]]:
        """[at, size, digest] of all that a reader must find; the zeros between are nobody's."""
        pickles = [[0, self._pickles_bytes, content(self.pickles).hex()]] if self.pickles else []
        digests = [self.contents.of(buffer.obj, buffer).hex() for buffer in self.buffers]
        return [*pickles, *([at, size, found] for (at, size), found in zip(self.places(), digests, strict=True))]
