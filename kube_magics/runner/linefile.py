"""A file of a job's lines, each whole whoever writes between its pieces: the notebook's log, and `--log-to`'s copy."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any, BinaryIO

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


class LineFile:
    """Append-only; a line that comes in pieces is written when it is whole.

    A disk that is full ends the file, and nothing else: the job goes on, and so does whoever reads it.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        """Why it is not, or no longer, written; None: it is."""
        self._file: BinaryIO | None = None
        self._held: dict[int, Held] = {}

    def write(self, stream: int, block: bytes) -> None:
        """`block` of whole lines; pieces that came before belong to its first one."""
        self._do(self._write, stream, block)

    def piece(self, stream: int, data: bytes) -> None:
        """Bytes of a line that is not whole yet."""
        self._do(self._hold, stream, data)

    def _do(self, act: Callable[..., object], *args: Any) -> None:
        """`act` on the file, if there is one, and that it fails is its end."""
        if self._file is None:
            return
        try:
            act(self._file, *args)
        except OSError as error:
            self._fail(error)

    def _write(self, file: BinaryIO, stream: int, block: bytes) -> None:
        if stream in self._held:
            self._move(file, stream)
        file.write(block)

    def _hold(self, _file: BinaryIO, stream: int, data: bytes) -> None:
        self._held.setdefault(stream, Held()).add(data)

    def _move(self, file: BinaryIO, stream: int) -> None:
        self._held.pop(stream).move_to(file)

    def _complete(self, file: BinaryIO) -> None:
        """Also the lines that never ended."""
        for stream in list(self._held):
            self._move(file, stream)
        file.flush()

    def _fail(self, error: OSError) -> None:
        file, self._file = self._file, None
        self._held.clear()
        self.problem = self._why(error)
        if file is not None:
            try:
                file.close()  # tries to write what is left, and lets the descriptor go
            except OSError:
                return

    def _why(self, error: OSError) -> str:
        return error.strerror or str(error)
