"""What is seen of a cell that ran, without what differs by nature: cell numbers, places, addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

_FRAME = re.compile(r"^(?:Cell In\[.*|File .*|-+> *\d+ .*|The above exception .*|During handling .*)$", re.MULTILINE)
_WARNING = re.compile(r"^\S.*?:(\d+): (\w+Warning: )", re.MULTILINE)


@dataclass(frozen=True)
class Seen:
    """Of one cell."""

    shown: str
    """Its output, the value of its last expression included."""
    stderr: str
    error: str | None
    message: str
    frames: tuple[str, ...]
    """The traceback's frames and their marked lines, as IPython shows them."""
    values: dict[str, str]
    """Expressions afterwards."""

    def without_times(self) -> Seen:
        """Without the numbers that %time and %timeit print."""
        return replace(self, shown=re.sub(r"\d+(?:\.\d+)?(?:e[+-]\d+)? (?:ns|µs|μs|us|ms|s)\b", "… s", self.shown))

    def differs(self, other: Seen) -> dict[str, tuple[Any, Any]]:
        """What is not the same, of both."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def seen(
    *,
    shown: str,
    stderr: str,
    error: str | None,
    message: str,
    traceback: str,
    numbers: Sequence[int],
    values: dict[str, str],
) -> Seen:
    """`numbers` are the execution counts of the notebook's cells, the job's own last."""
    return Seen(
        shown=_plain(shown),
        stderr=_WARNING.sub(r"WHERE:\1: \2", _plain(stderr)),
        error=error,
        message=_plain(message),
        frames=frames(traceback, numbers) if error else (),
        values={expression: _plain(value) for expression, value in values.items()},
    )


def frames(traceback: str, numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(_frame(line, numbers) for line in _FRAME.findall(traceback))


def _frame(line: str, numbers: Sequence[int]) -> str:
    cell = re.match(r"Cell In\[(\d+)\], (line \d+)(?:, in ([^(]*))?", line)
    if cell:
        number = int(cell[1])
        which = f"cell {numbers.index(number) + 1}" if number in numbers else f"not a cell: {number}"
        return f"{which}, {cell[2]}, in {cell[3] or 'itself'}"
    file = re.match(r"File (?:.*/)?([^/:]+)(?::|, line )(\d+)(?:, in ([^(]*))?", line)
    if file:
        name, number = file[1].removesuffix(" (in the job)"), file[2]
        # A micro version of Python apart, these are other lines.
        return f"{name}, line {'…' if name.startswith('<frozen') else number}, in {file[3] or 'itself'}"
    # The mark's width depends on the lines around it.
    return re.sub(r"^-+> *(\d+) +", r"> \1 ", line)


def _plain(text: str) -> str:
    # A shell command's lines end as those of a terminal.
    return re.sub(r"0x[0-9a-f]{6,}", "0x…", text.replace("\r\n", "\n"))
