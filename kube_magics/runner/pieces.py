"""One digest for files of any size: SHA-256 of a piece of 4 MiB or less, else of the digests of all its pieces.

So that both sides can compute it piece by piece, on all their cores. Travels only with jobs that have a store.
"""

from __future__ import annotations

from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PIECE_BYTES = 4 * 1024 * 1024


def whole(digests: list[bytes]) -> bytes:
    """The digest of a content from those of its pieces, of which all but the last are full."""
    return digests[0] if len(digests) == 1 else sha256(b"".join(digests)).digest()


class Digest:
    """The same, of bytes as they come."""

    def __init__(self) -> None:
        self._digests: list[bytes] = []
        self._piece = sha256()
        self._room = PIECE_BYTES

    def update(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        while view.nbytes:
            if not self._room:
                self._digests.append(self._piece.digest())
                self._piece, self._room = sha256(), PIECE_BYTES
            part, view = view[: self._room], view[self._room :]
            self._piece.update(part)
            self._room -= part.nbytes

    def digest(self) -> bytes:
        return whole([*self._digests, self._piece.digest()])

    def hexdigest(self) -> str:
        return self.digest().hex()
