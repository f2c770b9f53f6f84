"""One job, followed: its lines into the log file and onto the screen, its results and its end into an `Outcome`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakSet

from kube_magics.backends.contract import Attempt, Backend, Outage, Piece
from kube_magics.jobs.blocks import parts
from kube_magics.jobs.logfile import READ_BYTES, LogFile
from kube_magics.jobs.retries import Retries
from kube_magics.jobs.screen import CROWDED_S, STDERR, STDOUT, WAITS, Screen
from kube_magics.runner import images, protocol
from kube_magics.runner.images import Picture
from kube_magics.telemetry.heard import Heard
from kube_magics.telemetry.progress import Meter, Progress
from kube_magics.telemetry.snapshot import SUSPENDED, Snapshot

FLUSH_S = 0.5
STOPPED_BY_S = 20.0
"""A job that was told to end does not know by whom; its pod's state does, some seconds after its last word."""


@dataclass
class Outcome:
    """How a job ended, as far as it was told. Filled by the follower, read once `Follower.done` is set."""

    end: Mapping[str, Any] | None = None
    """The runner's last word; None: it never came."""
    error: Mapping[str, Any] | None = None
    """The runner's error event."""
    results: dict[str, bytes] = field(default_factory=dict)
    """Pickles by name; `@error` is the exception."""
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Results that are not in the log, by name: where they are, as the `stored` event says it."""
    files: Mapping[str, Any] | None = None
    """The runner's word on the files of the working folder: what is lost, and what does not come back."""
    corrupt: dict[str, str] = field(default_factory=dict)
    """Names whose chunks did not fit together, and why."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the captured imports, by module, as the job had them."""
    snapshot: Snapshot | None = None
    """The last state seen."""
    heard: bool = False
    """Something of its log has come: it ran, whatever its state says yet."""
    lost_lines: int = 0
    failure: BaseException | None = None
    """What made following impossible."""

    @property
    def pod_gone(self) -> bool:
        """Somebody has removed the pod of a job that is over, and with it the log."""
        state = self.snapshot
        return state is not None and state.over and state.uid is not None and not state.pod and not self.heard


class Follower:
    """Runs on the loop; screens and `done` are for the cell's thread."""

    def __init__(self, backend: Backend, name: str, log: LogFile, screen: Screen, *, ours: bool = True) -> None:
        """`ours`: its log is our runner's; else every line of it is the program's own, whatever it looks like."""
        self._ours = ours
        self.name = name
        self.outcome = Outcome()
        self.done = threading.Event()
        """The job's last word is here, or there will be none."""
        self.heard = Heard()
        """What its runner has told; another object as soon as it tells more."""
        self.log = log
        self._screens = WeakSet([screen])
        """Of those who look at it: a `Job` that nobody has any more needs none."""
        self._backend = backend
        self._totals = protocol.Totals()
        self._assembler = protocol.Assembler()
        self._images = images.Reader()
        self._meter = Meter()
        self._over_at: float | None = None
        self._gap = ""
        self._told = False
        """That the log file is not whole."""
        self._retries = Retries()
        self._patience: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Until the job is over in the cluster's eyes too, which is seconds after its own last word."""
        flushing = asyncio.ensure_future(self._flush_often())
        try:
            async for piece in self._backend.follow(self.name):
                self._take(piece)
                if self._hopeless():
                    break
                while any(screen.crowded for screen in self._screens):
                    await asyncio.sleep(CROWDED_S)
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            self.outcome.failure = error
        finally:
            flushing.cancel()
            if not self._hopeless():
                self.outcome.end = self.outcome.end or self._retries.failed
            if self._patience is not None:
                self._patience.cancel()
            self._finish()
            self.log.close()

    def progress(self) -> Progress | None:
        """How far this attempt is, or was when it ended; None: it has not said. From any thread."""
        if self._over_at is None:
            return self._meter.reading(time.monotonic())
        found = self._meter.reading(self._over_at)
        return replace(found, eta_s=None) if found is not None else None

    async def show_on(self, screen: Screen) -> None:
        """`screen` gets all the output so far, and what comes. Raises OSError where the log file is gone."""
        for piece in self.log.replay():
            if isinstance(piece, Picture):
                screen.picture(piece)
                continue
            stream, block = piece
            # By lines as they came, which is how a traceback is known.
            for lines in block.splitlines(keepends=True) if stream == STDERR else [block]:
                screen.add(stream, lines)
            if len(block) >= READ_BYTES:  # else nothing may come between what there is and what comes
                await asyncio.sleep(0)
        if self.outcome.error is not None and not self._retries.another:
            screen.drop_traceback(self.outcome.error.get("crc"))
        if self.outcome.snapshot is not None and (why := _why_it_waits(self.outcome.snapshot)):
            screen.add(WAITS, why)
        self._screens.add(screen)

    async def _flush_often(self) -> None:
        """So that `tail -f` on the log file is never far behind."""
        while True:
            await asyncio.sleep(FLUSH_S)
            self.log.flush()
            self._tell_of_the_log()

    def _take(self, piece: Snapshot | Piece) -> None:
        if isinstance(piece, bytes):
            self.outcome.heard = True
            self._block(piece)
        elif isinstance(piece, Snapshot):
            self._tell_why_it_waits(piece)
            self.outcome.snapshot = piece
            if self.outcome.end is not None and self._explained():
                self._finish()
        elif isinstance(piece, Attempt):
            self._begin(piece)
        elif isinstance(piece, Outage):
            self._say(_said(piece))
        elif piece.sure:
            self._note(piece.why)
        else:
            # A rotated log need not have lost anything: the runner's next count decides whether this is worth a word.
            self._gap = f" ({piece.why})"

    def _begin(self, attempt: Attempt) -> None:
        """The log goes on below a heading. Nothing that an older attempt has sent is this one's."""
        for line in self._retries.begin(attempt):
            self._note(line)
        before = self.outcome
        self.outcome = Outcome(snapshot=before.snapshot, heard=before.heard, lost_lines=before.lost_lines)
        self._totals, self._assembler, self._images = protocol.Totals(), protocol.Assembler(), images.Reader()
        self._meter, self._gap, self.heard = Meter(), "", Heard()

    def _note(self, text: str) -> None:
        self.log.note(text)
        self._say(text)

    def _tell_why_it_waits(self, state: Snapshot) -> None:
        before = self.outcome.snapshot.cause if self.outcome.snapshot else None
        if state.cause != before and (why := _why_it_waits(state)):
            self._show(WAITS, why)

    def _hopeless(self) -> bool:
        state = self.outcome.snapshot
        return (
            state is not None
            and not (state.started and self._retries.failed is None)
            and (state.phase == SUSPENDED or bool(not state.started and state.cause and state.cause.hopeless))
        )

    def _block(self, block: bytes) -> None:
        """Whole lines. Most blocks are the program's plain output and are passed on as they are."""
        for each in parts(block, ours=self._ours):
            if isinstance(each, tuple):
                self._user(*each)
            else:
                self._event(each)

    def _user(self, stream: int, lines: bytes) -> None:
        count = lines.count(b"\n")
        self._totals.lines += count
        self._totals.bytes += len(lines) - count
        self.log.write(stream, lines)
        self._show(stream, lines)
        self._meter.output(stream, lines, time.monotonic())

    def _event(self, event: dict[str, Any]) -> None:
        kind = event["e"]
        self.heard = self.heard.after(event, time.time())
        if kind == "partial":
            data = protocol.partial_bytes(event)
            self._totals.bytes += len(data)
            stream = STDERR if event.get("s") == STDERR else STDOUT
            self.log.piece(stream, data)
            self._show(stream, data)
            self._meter.output(stream, data, time.monotonic())
        elif kind == "start":
            self.outcome.versions = dict(event.get("versions") or {})
        elif kind == "mark":
            self._count(event)
        elif kind == "result":
            self._result(event)
        elif kind == "stored":
            self.outcome.stored[str(event.get("name"))] = event
        elif kind == "files":
            self.outcome.files = event
        elif kind == "image":
            self._picture(self._images.add(event))
        elif kind == "error":
            self.outcome.error = event
            for screen in () if self._retries.another else self._screens:
                screen.drop_traceback(event.get("crc"))
        elif kind == "end":
            self._ended(event)
        else:
            self._meter.event(event, time.monotonic())

    def _ended(self, event: Mapping[str, Any]) -> None:
        self._count(event)
        if self._retries.goes_on(event):
            said = self._retries.ended(event, self.outcome.error)
            if said:
                self._note(said)
            return
        self.outcome.end = event
        if event.get("reason") != "stopped" or self._explained():
            self._finish()
        else:
            self._patience = asyncio.get_running_loop().call_later(STOPPED_BY_S, self._finish)

    def _explained(self) -> bool:
        """Whether its state says why it was stopped: that its container has ended is known before who ended it."""
        state = self.outcome.snapshot
        return state is not None and (state.over or (state.cause is not None and not state.cause.is_the_programs))

    def _picture(self, picture: Picture | None) -> None:
        if picture is None:
            return
        if picture.data:
            self.log.picture(picture)
            for screen in self._screens:
                screen.picture(picture)
        if picture.note:
            self._note(picture.note)

    def _count(self, event: Mapping[str, Any]) -> None:
        lines, size = self._totals.missing(dict(event))
        if lines > 0 or size > 0:
            # A rotation may take the head of a line whose rest is here.
            what = f"{lines:,} lines ({size:,} bytes) were" if lines > 0 else f"part of a line ({size:,} bytes) was"
            text = f"{what} lost between the pod and here"
            self.outcome.lost_lines += max(lines, 0)
            self._totals.lines += lines
            self._totals.bytes += size
            self._note(text + self._gap)
        self._gap = ""

    def _result(self, event: dict[str, Any]) -> None:
        try:
            whole = self._assembler.add(event)
        except protocol.CorruptResult as error:
            self.outcome.corrupt[str(event.get("name"))] = str(error)
            return
        if whole is not None:
            name, data = whole
            self.outcome.results[name] = data
            self.outcome.corrupt.pop(name, None)

    def _finish(self) -> None:
        self._over_at = self._over_at or time.monotonic()
        try:
            self.log.complete()
            self._tell_of_the_log()
        finally:  # whoever waits for the end must have it
            self.done.set()
            for screen in self._screens:
                screen.wake()

    def _tell_of_the_log(self) -> None:
        if self.log.problem and not self._told:
            self._told = True
            text = f"{self.log.path} is not whole: {self.log.problem}; %kube logs {self.name} shows the rest"
            self._say(text)

    def _say(self, text: str) -> None:
        for screen in self._screens:
            screen.note(f"[kube_magics: {text}]\n")

    def _show(self, stream: int, data: bytes) -> None:
        for screen in self._screens:
            screen.add(stream, data)


def _why_it_waits(state: Snapshot) -> bytes:
    """What is shown of a job that does not run yet; empty: nothing is known to be in its way."""
    cause = state.cause
    if cause is None or state.started or state.over or cause.hopeless:
        return b""
    said = f"\n  said: {cause.said}" if cause.said else ""
    fix = f"\n  next: {cause.fix}" if cause.fix else ""
    return f"job {state.name} waits: {cause.sentence}{said}{fix.replace('NAME', state.name)}\n".encode()


def _said(outage: Outage) -> str:
    """For the screen alone: the log file has no line that the job did not print, where none is missing."""
    if outage.over:
        return f"the cluster answers again after {outage.lasted_s:.0f} s: the output goes on where it stopped"
    return f"no word from the cluster for {outage.lasted_s:.0f} s; the job goes on there, and its output comes later"
