"""The job's own copy of its log, where --log-to wants it: what the notebook's log file has, whoever follows or not.

Written by blocks as they are read, so it has also what a node's rotation took before anybody read it. A file system
that refuses ends the copy, with a word, and nothing else.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, BinaryIO

HELD_BYTES = 256 * 1024
"""Of a line that is not whole yet, in memory. A progress bar may go on for days without a newline."""
COPIED_BYTES = 64 * 1024


class Held:
    """The pieces of one stream's unfinished line, until they may stand in the file: the other stream's lines must not
    stand within it. What is more than a little waits on disk."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._spilled: IO[bytes] | None = None

    def add(self, data: bytes) -> None:
        """Raises OSError where the disk for what is held is full."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > HELD_BYTES:
            if self._spilled is None:
                import tempfile  # which no job needs that ends its lines

                self._spilled = tempfile.TemporaryFile()  # noqa: SIM115 - closed by move_to
            self._spilled.write(b"".join(self._pieces))
            self._pieces, self._size = [], 0

    @property
    def newest(self) -> bytes:
        """The end of it."""
        return b"".join(self._pieces)

    def move_to(self, file: BinaryIO) -> None:
        """All of it goes there; nothing is held any more."""
        if self._spilled is not None:
            with self._spilled as spilled:
                spilled.seek(0)
                file.writelines(iter(lambda: spilled.read(COPIED_BYTES), b""))
            self._spilled = None
        if self._pieces:
            file.writelines(self._pieces)
            self._pieces, self._size = [], 0


class LogCopy:
    """Append-only; a line that comes in pieces is written when it is whole."""

    def __init__(self, path: str) -> None:
        self.problem = ""
        """Why it is not, or no longer, written."""
        self._path = path
        self._file: BinaryIO | None = None
        self._held: dict[int, Held] = {}
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._file = _fresh(path)
        except OSError as error:
            self._fail(error)

    def write(self, stream: int, block: bytes) -> None:
        """`block` of whole lines; pieces that came before belong to its first one."""
        if self._file is None:
            return
        try:
            if stream in self._held:
                self._held.pop(stream).move_to(self._file)
            self._file.write(block)
            self._file.flush()  # blocks are large where there is much to write
        except OSError as error:
            self._fail(error)

    def piece(self, stream: int, data: bytes) -> None:
        """Bytes of a line that is not whole yet."""
        if self._file is None:
            return
        try:
            self._held.setdefault(stream, Held()).add(data)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Also writes lines that never ended."""
        if self._file is None:
            return
        try:
            for held in self._held.values():
                held.move_to(self._file)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            self._fail(error)
        self._file = None

    def _fail(self, error: OSError) -> None:
        file, self._file = self._file, None
        self._held.clear()
        self.problem = f"--log-to {self._path}: {error.strerror or error}; the copy ends here"
        if file is not None:
            try:
                file.close()  # tries to write what is left, and lets the descriptor go
            except OSError:
                return


def _fresh(path: str) -> BinaryIO:
    """`path`, or the first of NAME.2.log, NAME.3.log that does not exist: nothing is ever overwritten."""
    stem, ending = os.path.splitext(path)
    number, found = 1, path
    while True:
        try:
            return open(found, "xb")
        except FileExistsError:
            number += 1
            found = f"{stem}.{number}{ending}"
