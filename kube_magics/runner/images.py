"""Pictures in the log: how they are written, how they are read, and how much of them there may be.

The limits hold on both sides: a job must not flood the log, nor a log the notebook that reads it.
"""

from __future__ import annotations

import struct

from . import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FOLDER = "pictures"
"""In the bundle's folder: where the program leaves them, as files."""
EACH_BYTES = 256 * 1024
ALL_BYTES = 2 * 1024 * 1024
MOST = 100
"""Messages of their own in a notebook, whose server drops what comes too fast."""
MOST_PIXELS = 50_000_000
"""A few kilobytes of PNG may be gigabytes in a browser."""
TEXT_CHARACTERS = 200
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNKS = 64
"""More than the largest picture needs, whatever its runner's chunks are."""


class Picture:
    """One PNG, or why there is none. `text` stands for it where no picture can be shown."""

    def __init__(self, data: bytes, text: str, note: str = "") -> None:
        self.data = data
        self.text = " ".join(text[:TEXT_CHARACTERS].split())
        self.note = " ".join(note[: 2 * TEXT_CHARACTERS].split())

    @property
    def line(self) -> str:
        """For logs."""
        return f"{self.text}, {_kib(len(self.data))}"


class Budget:
    """What a job may still show."""

    def __init__(self) -> None:
        self._bytes = ALL_BYTES
        self._left = MOST
        self.spent = False
        """That there is no more has been said."""

    def refusal(self, data: bytes) -> str:
        """Why this picture cannot be shown; "" if it can, and then it counts."""
        found = size(data)
        if found is None:
            return "it is no PNG"
        if found[0] * found[1] > MOST_PIXELS:
            return f"it has {found[0]} x {found[1]} pixels"
        if len(data) > EACH_BYTES:
            return f"it takes {_kib(len(data))}, and {_kib(EACH_BYTES)} is the most"
        if len(data) > self._bytes or not self._left:
            self.spent = True
            return f"a job shows at most {MOST} pictures and {_kib(ALL_BYTES)}: this one and what follows are left out"
        self._bytes -= len(data)
        self._left -= 1
        return ""

    def admitted(self, picture: Picture) -> Picture | None:
        """The picture, or it without its data and with the reason; nothing once the end of the budget was said."""
        if self.spent:
            return None
        why = self.refusal(picture.data) if picture.data else ""
        return Picture(b"", picture.text, f"{picture.text} is not shown: {why}") if why else picture


def size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG; None: it is none."""
    if not data.startswith(SIGNATURE) or len(data) < 33 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def events(number: int, picture: Picture) -> Iterator[dict[str, Any]]:
    """The picture in chunks, like a result."""
    last = {"text": picture.text, "note": picture.note}
    return protocol.result_chunks(str(number), picture.data, "image", last)


class Reader:
    """Pictures from their events, as far as the budget goes."""

    def __init__(self) -> None:
        self._budget = Budget()
        self._assembler = protocol.Assembler()
        self._seen = 0

    def add(self, event: dict[str, Any]) -> Picture | None:
        """Take one event; the picture once it is complete, whatever is wrong with it being its note."""
        text = str(event.get("text") or "a picture")
        try:
            whole = None if _too_much(event) else self._assembler.add(event)
        except protocol.CorruptResult as error:
            whole, text = None, f"a picture did not arrive whole: {error}"
            return self._counted(Picture(b"", text, text))
        if whole is None:
            return None
        return self._counted(Picture(whole[1], text, str(event.get("note") or "")))

    def _counted(self, picture: Picture) -> Picture | None:
        self._seen += 1
        return self._budget.admitted(picture) if self._seen <= 2 * MOST else None


def _too_much(event: dict[str, Any]) -> bool:
    count, data = event.get("n"), event.get("d")
    return not isinstance(count, int) or count > CHUNKS or not isinstance(data, str) or len(data) > 16 * 1024


def _kib(size_bytes: int) -> str:
    return f"{size_bytes / 1024:.0f} KiB" if size_bytes >= 1024 else f"{size_bytes} bytes"
