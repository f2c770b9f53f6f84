"""The whole log of a job in one file: both streams in the order they came, whole lines never mixed, no events."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from kube_magics.runner.images import Picture
from kube_magics.runner.linefile import LineFile

FOLDER = Path(".kube_magics") / "logs"
"""Beside the notebook: the path that is printed is relative to it."""
STDERR = 2
PICTURE = 0
"""In the place of a stream: the line stands for a picture."""
MOST_RUNS = 100_000
"""How often it is remembered that the streams have changed: what comes then counts as one of them."""
READ_BYTES = 1 << 20


def free(path: Path) -> Path:
    """`path`, or the first of `NAME.2.log`, `NAME.3.log` … that does not exist: nothing is ever overwritten."""
    stem, number, found = path.stem.split(".")[0], 1, path
    with suppress(OSError):  # a folder that may not be read: whoever opens the file says so
        while found.exists():
            number += 1
            found = path.with_name(f"{stem}.{number}{path.suffix}")
    return found


class LogFile(LineFile):
    """What the notebook keeps of one job."""

    def __init__(self, path: Path, *, needed: bool = True) -> None:
        """`needed`: raises OSError where it cannot be made; else it has a problem from the beginning."""
        super().__init__()
        self.path = path
        self.lines = 0
        """Whole lines written, both streams."""
        self._stream: int | None = None
        self._runs = array("Q")
        """Where a run of lines of one stream begins in the file, times four, and its stream."""
        self._pictures: list[Picture] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")
        except OSError as error:
            if needed:
                raise
            self._fail(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _write(self, file: BinaryIO, stream: int, block: bytes) -> None:
        self._run_of(file, stream)
        super()._write(file, stream, block)
        self.lines += block.count(b"\n")

    def _move(self, file: BinaryIO, stream: int) -> None:
        self._run_of(file, stream)
        super()._move(file, stream)

    def note(self, text: str) -> None:
        """A line of our own: only for what is missing."""
        self._do(self._line, STDERR, text)

    def picture(self, picture: Picture) -> None:
        """A line that stands for it."""
        if len(self._runs) < MOST_RUNS:
            self._stream = None
            self._pictures.append(picture)
        self._do(self._line, PICTURE, picture.line)

    def replay(self) -> Iterator[tuple[int, bytes] | Picture]:
        """All so far, in order, as it came: whole lines and their stream, pictures, then what is not a line yet.

        What is written while it is read comes too. Raises OSError where the file is gone, or not whole.
        """
        if self.problem:
            raise OSError(self.problem)
        pictures = iter(self._pictures)
        with self.path.open("rb") as file:
            number = 0
            while number < len(self._runs):
                begin, stream = divmod(self._runs[number], 4)
                if stream == PICTURE:
                    yield next(pictures)
                file.seek(begin)
                while data := self._read(file, number):
                    if stream != PICTURE:
                        yield stream, data
                number += 1
        for stream, held in self._held.items():
            yield stream, held.newest

    def _read(self, file: BinaryIO, run: int) -> bytes:
        """The next lines of a run."""
        if self._file is not None:
            self._file.flush()
        end = self._runs[run + 1] // 4 if run + 1 < len(self._runs) else None
        size = READ_BYTES if end is None else min(READ_BYTES, end - file.tell())
        data = file.read(size)
        whole = not data or data.endswith(b"\n") or file.tell() == end
        return data if whole else data + file.readline()

    def _run_of(self, file: BinaryIO, stream: int) -> None:
        if stream != self._stream and len(self._runs) < MOST_RUNS:
            self._runs.append(file.tell() * 4 + stream)
            self._stream = stream

    def _line(self, file: BinaryIO, stream: int, text: str) -> None:
        self._run_of(file, stream)
        file.write(f"[kube_magics: {text}]\n".encode())

    def flush(self) -> None:
        self._do(lambda file: file.flush())

    def complete(self) -> None:
        """The job has ended, and with it the lines that never did."""
        self._do(self._complete)

    def close(self) -> None:
        self.complete()
        if self._file is not None:
            self._file.close()
            self._file = None
