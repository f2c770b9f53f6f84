"""A block of a job's log, taken apart: the program's lines, in runs as long as they come, and the runner's events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kube_magics.jobs.screen import STDERR, STDOUT
from kube_magics.runner import protocol

_MARKED = re.compile(rb"^[\x1e\x1f]", re.MULTILINE)


def parts(block: bytes, *, ours: bool) -> Iterator[tuple[int, bytes] | dict[str, Any]]:
    """Of whole lines: the stream and the lines of it, or an event.

    `ours`: it is of our runner's log; else every line is the program's own, whatever it looks like.
    """
    if not ours or (protocol.EVENT_MARK not in block and protocol.LINE_MARK not in block):
        # A hundredth of what the search by lines costs, and under a flood the rule.
        yield STDOUT, block
        return
    at = 0
    for match in _MARKED.finditer(block):
        start = match.start()
        if start < at:
            continue
        if start > at:
            yield STDOUT, block[at:start]
        stop = block.index(b"\n", start) + 1
        line = protocol.decode(block[start : stop - 1])
        at = stop
        yield (STDERR if line.kind == "err" else STDOUT, line.payload + b"\n") if line.event is None else line.event
    if at < len(block):
        yield STDOUT, block[at:] if at else block
