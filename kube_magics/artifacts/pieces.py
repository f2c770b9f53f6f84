"""One digest for files of any size: SHA-256 of a piece of 4 MiB or less, else of the digests of all its pieces.

So that both sides can compute it piece by piece, on all their cores.
"""

from __future__ import annotations

from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

PIECE_BYTES = 4 * 1024 * 1024


class StoreError(Exception):
    """The store refused, failed or is not there. `package`: what would have to be installed."""

    def __init__(self, message: str, package: str | None = None) -> None:
        super().__init__(message)
        self.package = package


class Damaged(StoreError):
    """What was read is not what was written."""


def whole(digests: list[bytes]) -> bytes:
    """The digest of a content from those of its pieces, of which all but the last are full."""
    return digests[0] if len(digests) == 1 else sha256(b"".join(digests)).digest()


class Digest:
    """The same, of bytes as they come."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._digests: list[bytes] = []
        self._piece = sha256()
        self._room = PIECE_BYTES

    def update(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        self.size_bytes += view.nbytes
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


def counted(chunks: Iterable[Any], digest: Digest) -> Iterator[Any]:
    """The same chunks, while `digest` takes them in."""
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def checked(chunks: Iterable[Any], parts: list[list[Any]]) -> Iterator[Any]:
    """The same chunks; raises Damaged where a part ([at, size, digest in hexadecimal]) is not what it should be."""
    at, left, digest = 0, list(parts), Digest()
    for chunk in chunks:
        view = memoryview(chunk).cast("B")
        while left and view.nbytes:
            start, size, expected = left[0]
            taken = min(view.nbytes, start - at if at < start else start + size - at)
            if at >= start:
                digest.update(view[:taken])
            at, view = at + taken, view[taken:]
            if at == start + size:
                if digest.hexdigest() != expected:
                    raise Damaged("its bytes do not have the digest that they were written with")
                del left[0]
                digest = Digest()
        yield chunk
    if left:
        raise Damaged("it ends too early")
