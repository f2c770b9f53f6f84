"""The whole log of a job in one file: both streams in the order they came, whole lines never mixed, no events."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from kube_magics.runner.logcopy import Held

FOLDER = Path(".kube_magics") / "logs"
"""Beside the notebook: the path that is printed is relative to it."""


def free(path: Path) -> Path:
    """`path`, or the first of `NAME.2.log`, `NAME.3.log` … that does not exist: nothing is ever overwritten."""
    stem, number, found = path.stem.split(".")[0], 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{stem}.{number}{path.suffix}")
    return found


class LogFile:
    """Append-only; a line that comes in pieces is written when it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        """Whole lines written, both streams."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._held: dict[int, Held] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def write(self, stream: int, block: bytes) -> None:
        """`block` of whole lines; pieces that came before belong to its first one."""
        if stream in self._held:
            self._held.pop(stream).move_to(self._file)
        self._file.write(block)
        self.lines += block.count(b"\n")

    def piece(self, stream: int, data: bytes) -> None:
        """Bytes of a line that is not whole yet."""
        self._held.setdefault(stream, Held()).add(data)

    def note(self, text: str) -> None:
        """A line of our own: only for what is missing."""
        self._file.write(f"[kube_magics: {text}]\n".encode())

    def flush(self) -> None:
        self._file.flush()

    def complete(self) -> None:
        """The job has ended, and with it the lines that never did."""
        if not self._file.closed:
            for held in self._held.values():
                held.move_to(self._file)
            self._held.clear()
            self._file.flush()

    def close(self) -> None:
        self.complete()
        self._file.close()
