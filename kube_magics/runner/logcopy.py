"""The job's own copy of its log, where --log-to wants it: what the notebook's log file has, whoever follows or not.

Written by blocks as they are read, so it has also what a node's rotation took before anybody read it. A file system
that refuses ends the copy, with a word, and nothing else.
"""

from __future__ import annotations

import os

from .linefile import LineFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class LogCopy(LineFile):
    """Of `--log-to`."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._file = _fresh(path)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Also writes lines that never ended."""
        self._do(self._close)
        self._file = None

    def _write(self, file: BinaryIO, stream: int, block: bytes) -> None:
        super()._write(file, stream, block)
        file.flush()  # blocks are large where there is much to write

    def _close(self, file: BinaryIO) -> None:
        self._complete(file)
        os.fsync(file.fileno())
        file.close()

    def _why(self, error: OSError) -> str:
        return f"--log-to {self._path}: {super()._why(error)}; the copy ends here"


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
