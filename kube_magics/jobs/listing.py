"""Logs of any job as lines of text, also of one that kubectl made, of several pods and containers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kube_magics import errors
from kube_magics.backends.contract import Attempt, Backend, Gap, Outage, Piece, Source
from kube_magics.jobs.screen import CROWDED_S, STDOUT, Screen
from kube_magics.runner import protocol
from kube_magics.runner.images import Picture, Reader
from kube_magics.spec.names import CONTAINER
from kube_magics.telemetry.snapshot import Snapshot

LOOK_S = 1.0
"""Between two looks at whether a job that is followed has got another pod, or has ended."""

ENDING_S = 60.0
"""The pods of a deleted job end within their grace, 30 s as a rule; orphaned ones do not."""


@dataclass(frozen=True)
class Log:
    """What was read of a job's logs."""

    text: str
    kept: bool
    """Something of a log is in it, if only our runner's own; else it says at most what is missing."""


async def read_log(backend: Backend, name: str) -> Log:
    """The user's lines, both streams in the order they came; what a missing piece is, said in its place."""
    state = await backend.poll(name)
    lines = Lines(ours=state.ours)
    found = [line async for block in backend.log(name) for line in lines.of(block)]
    return Log(text_of([*found, *lines.rest()]), lines.kept)


async def read_all(backend: Backend, name: str, sources: Sequence[Source], *, tail: int | None = None) -> Log:
    """Of several logs one after the other, each line with where it is from; of one as it is. `tail`: of each."""
    ours = (await backend.poll(name)).ours
    found: list[bytes] = []
    kept = False
    for source in sources:
        lines = Lines(ours=ours and source.container == CONTAINER)
        own = [line async for block in backend.read(name, source) for line in lines.of(block)]
        own = [*own, *lines.rest()]
        kept = kept or lines.kept
        own = own if tail is None else own[max(0, len(own) - tail) :]
        found += [prefix(source) + line for line in own] if len(sources) > 1 else own
    return Log(text_of(found), kept)


async def follow(backend: Backend, name: str, screen: Screen) -> None:
    """Every line of a job whose logs are one, as it comes; until the job is over."""
    lines = Lines(ours=(await backend.poll(name)).ours)
    async for piece in backend.follow(name):
        if not isinstance(piece, Snapshot):
            await _add(screen, b"", lines.of(piece))
    await _add(screen, b"", lines.rest())


async def follow_all(backend: Backend, name: str, wanted: Callable[[Source], bool], screen: Screen) -> None:
    """Every line of all logs that are `wanted`, as they come, also of pods that come later; until the job is over."""
    ours = (await backend.poll(name)).ours
    reading: dict[Source, asyncio.Task[None]] = {}

    async def read(source: Source) -> None:
        lines = Lines(ours=ours and source.container == CONTAINER)
        async for block in backend.read(name, source, follow=True):
            await _add(screen, prefix(source) if len(reading) > 1 else b"", lines.of(block))
        await _add(screen, prefix(source) if len(reading) > 1 else b"", lines.rest())

    try:
        while True:
            over = (await backend.poll(name)).over
            for source in filter(wanted, (await backend.sources(name)).every):
                if source not in reading:
                    reading[source] = asyncio.ensure_future(read(source))
            left = [task for task in reading.values() if not task.done()]
            if over and not left:
                break
            await (asyncio.wait(left, timeout=LOOK_S) if left else asyncio.sleep(LOOK_S))
    except errors.NotFound:  # it was deleted: what its pods still say while they end is shown
        if not reading:
            raise
        await asyncio.wait(reading.values(), timeout=ENDING_S)
    finally:
        for task in reading.values():
            task.cancel()
        await asyncio.gather(*reading.values(), return_exceptions=True)
    for task in reading.values():
        with suppress(errors.NotFound, asyncio.CancelledError):
            task.result()


async def _add(screen: Screen, mark: bytes, lines: Sequence[bytes]) -> None:
    if lines:
        screen.add(STDOUT, b"".join(mark + line + b"\n" for line in lines))
    while screen.crowded:
        await asyncio.sleep(CROWDED_S)


def prefix(source: Source) -> bytes:
    """Where a line is from, as kubectl writes it."""
    return f"[{f'pod/{source.pod}/' if source.pod else ''}{source.container}] ".encode()


def text_of(lines: Sequence[bytes]) -> str:
    """Each ended by a newline; bytes that are no text are replaced."""
    return "".join(line.decode("utf-8", "replace") + "\n" for line in lines)


class Lines:
    """From the blocks of one log to the user's lines."""

    def __init__(self, *, ours: bool) -> None:
        """`ours`: it is our runner's; else every line of it is the program's own, whatever it looks like."""
        self._ours = ours
        self._pieces: dict[str, list[bytes]] = {"out": [], "err": []}
        self._pictures = Reader()
        self.kept = False
        """Something of the log has come."""

    def of(self, block: Piece) -> list[bytes]:
        """The lines of a block; what is missing is said in its place."""
        if isinstance(block, Gap):
            return [f"[kube_magics: lines may be missing here: {block.why}]".encode()]
        if isinstance(block, Outage):
            return []
        if isinstance(block, Attempt):
            before, self._pieces = self.rest(), {"out": [], "err": []}
            return [*before, f"[kube_magics: {block.heading}]".encode()]
        self.kept = self.kept or bool(block)
        raw = block.split(b"\n")[:-1]
        return [line for each in raw for line in self._user_lines(each)] if self._ours else raw

    def rest(self) -> list[bytes]:
        """What never became a whole line."""
        return [b"".join(left) for left in self._pieces.values() if left]

    def _user_lines(self, raw: bytes) -> Iterator[bytes]:
        line = protocol.decode(raw)
        if line.event is None:
            yield b"".join((*self._pieces[line.kind], line.payload))
            self._pieces[line.kind] = []
        elif line.event["e"] == "image":
            yield from _placeholder(self._pictures.add(line.event))
        elif line.event["e"] == "partial":
            kind = "err" if line.event.get("s") == protocol.STDERR else "out"
            self._pieces[kind].append(protocol.partial_bytes(line.event))


def _placeholder(picture: Picture | None) -> Iterator[bytes]:
    """The lines that stand for a picture: a log is text."""
    if picture is not None:
        notes = [picture.line] if picture.data else []
        notes += [picture.note] if picture.note else []
        yield from (f"[kube_magics: {note}]".encode() for note in notes)
