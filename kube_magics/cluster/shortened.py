"""JSON that gets shorter while it comes: the texts of some strings, which would be most of it, are left out.

Of thousands of Jobs their bundles are nine tenths, and who lists Jobs reads none.
"""

from __future__ import annotations

from collections.abc import AsyncIterable


class Shortened:
    """Of each string that follows `before` what stands in front of its first `"` or backslash is left out.

    What comes out is JSON if what goes in is, whatever stands in its strings: between the two quotes of one nothing but
    text is taken away, and never the half of a character or of an escape.
    """

    def __init__(self, before: bytes) -> None:
        """`before` ends with the quote that opens the string."""
        self._before = before
        self._held = b""
        """The end of what has come, with which `before` may begin."""
        self._inside = False

    def take(self, data: bytes) -> list[bytes]:
        """What is left of it, and of what was held back."""
        left: list[bytes] = []
        at = 0
        if self._held:
            data, self._held = self._held + data, b""
        while True:
            if self._inside:
                if (at := _end_of_text(data, at)) < 0:
                    return left
                self._inside = False
            end = data.find(self._before, at)
            if end < 0:
                whole = len(data) - self._begun(data, at)
                left.append(data[at:whole])
                self._held = data[whole:]
                return left
            end += len(self._before)
            left.append(data[at:end])
            at, self._inside = end, True

    def end(self) -> bytes:
        """What was held back."""
        return self._held

    def _begun(self, data: bytes, at: int) -> int:
        """How many bytes at the end may be the beginning of `before`."""
        most = min(len(self._before) - 1, len(data) - at)
        return next((size for size in range(most, 0, -1) if data.endswith(self._before[:size])), 0)


async def shortened(content: AsyncIterable[bytes], before: bytes) -> bytes:
    """The whole of it, shorter."""
    by, parts = Shortened(before), []
    async for data in content:
        parts += by.take(data)
    return b"".join((*parts, by.end()))


def _end_of_text(data: bytes, at: int) -> int:
    """Where the next `"` or backslash stands; -1: nowhere yet."""
    quote = data.find(b'"', at)
    escape = data.find(b"\\", at, quote if quote >= 0 else len(data))
    return escape if escape >= 0 else quote
