"""The job's own copy of its log, where --log-to wants it: what the notebook's log file has, whoever follows or not.

Written by blocks as they are read, so it has also what a node's rotation took before anybody read it. A file system
that refuses ends the copy, with a word, and nothing else.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class LogCopy:
    """Append-only; a line that comes in pieces is written when it is whole."""

    def __init__(self, path: str) -> None:
        self.problem = ""
        """Why it is not, or no longer, written."""
        self._path = path
        self._file: BinaryIO | None = None
        self._pieces: dict[int, list[bytes]] = {}
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
            self._file.writelines(self._pieces.pop(stream, []))
            self._file.write(block)
            self._file.flush()  # blocks are large where there is much to write
        except OSError as error:
            self._fail(error)

    def piece(self, stream: int, data: bytes) -> None:
        """Bytes of a line that is not whole yet."""
        self._pieces.setdefault(stream, []).append(data)

    def close(self) -> None:
        """Also writes lines that never ended."""
        if self._file is None:
            return
        try:
            for pieces in self._pieces.values():
                self._file.writelines(pieces)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            self._fail(error)
        self._file = None

    def _fail(self, error: OSError) -> None:
        file, self._file = self._file, None
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
