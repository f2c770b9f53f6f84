"""The same cell, run again: while its job lives, or has results that nobody has fetched, it is no new job.

Looked for in this user's own records, not in the cluster: a submit waits for no question to it, and values of a job
that stands in no record would not be loaded anyway.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.cells.capture import Capture
from kube_magics.cells.notebook import Sent
from kube_magics.jobs import loop, orphans, records
from kube_magics.jobs.records import Record
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry.snapshot import SUSPENDED, Snapshot

PATIENCE_S = 2.0
"""For the states of older jobs: to name them is worth no more."""
COMING_S = 0.1
"""Between two looks at a job that another kernel submits at this moment."""
MOST_NAMED = 3
_HOW = ("detach", "new", "dry_run", "debug", "given")
"""Options that change nothing of the job."""


def key(capture: Capture, spec: JobSpec, notebook: str | None) -> str:
    """Equal for the same cell of the same notebook with the same options, definitions, files and comparable values."""
    options = {name: value for name, value in asdict(spec).items() if name not in _HOW}
    where = notebook or str(Path.cwd())
    parts = [capture.cell_digest, where, options, capture.imports, _content(spec.requirements)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _content(path: str | None) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    except OSError:
        return ""  # whoever reads it for the job says so


@dataclass(frozen=True)
class Before:
    """What this notebook has submitted of a cell, as far as anybody still waits for it."""

    same: Snapshot | None
    """The job of the very same cell."""
    changed: tuple[Future[str | None], ...]
    """Names of live jobs of the cell as it was."""
    looked_at: float
    """On this machine's clock; after all time, where it shall be a new job in any case."""

    def begin(self, submission: Submission, backend: Backend, key: str, cell: Sent) -> Record | None:
        """The record of a new job of it; None: another kernel has begun to submit this very cell meanwhile."""
        record = records.begin(submission, backend, key, cell)
        if not records.forestalled(record, self.looked_at):
            return record
        records.drop(record)
        return None

    def live(self) -> list[str]:
        """Names of live jobs of the cell as it was."""
        until = time.monotonic() + PATIENCE_S
        found = []
        for each in self.changed:
            try:
                found.append(each.result(max(0.0, until - time.monotonic())))
            except TimeoutError:
                each.cancel()
        return [name for name in found if name]


def look(backend: Backend, key: str, cell: Sent, notebook: str | None, *, new: bool) -> Before:
    """The jobs of `cell` that were submitted before, and whose results nobody has fetched."""
    looked_at = math.inf if new else time.time()
    known = [each for each in records.opened(notebook or str(Path.cwd())) if each.address == backend.address]
    same = None
    for record in known:
        if record.key == key and not new and _one(cell, record) and (same := _waiting(backend, record)):
            break
    changed = [each for each in known if each.key not in ("", key) and records.was(each, cell)][:MOST_NAMED]
    return Before(same, tuple(loop.start(_live(backend, record)) for record in changed), looked_at)


def _one(cell: Sent, record: Record) -> bool:
    """Two cells of a notebook may have the same text."""
    return not (cell.id and record.cell) or cell.id == record.cell


def _waiting(backend: Backend, record: Record) -> Snapshot | None:
    """The job of `record`, if it lives or has something to fetch."""
    state = loop.wait(_state(backend, record))
    if state is None or state.phase == SUSPENDED or (state.over and state.fetched):
        if state is not None or record.arrived:  # else it may still come
            records.close(record.submission_id)
        return None
    return state


async def _state(backend: Backend, record: Record) -> Snapshot | None:
    while True:
        coming = records.is_coming(record)
        try:
            state = await backend.poll(record.name)
        except errors.NotFound:
            if not coming:
                await orphans.missing(record)
                return None
        else:
            if not records.is_of(record, state):
                await orphans.missing(record)
                return None
            if await orphans.settled(backend, record, state):
                return state
            if not coming:
                return None
        await asyncio.sleep(COMING_S)


async def _live(backend: Backend, record: Record) -> str | None:
    try:
        state = await _state(backend, record)
    except errors.KubeMagicsError:
        return None
    return record.name if state is not None and not state.over and state.phase != SUSPENDED else None


def taken_up(state: Snapshot, incomparable: tuple[str, ...]) -> str:
    """What is said when a cell does not become a new job."""
    if state.over:
        what = f"job {state.name} of this same cell has ended, and its results have not been fetched yet"
    else:
        since = "" if state.created_at is None else f" since {human_seconds(max(0.0, time.time() - state.created_at))}"
        what = f"job {state.name} of this same cell is there already{since}"
    blind = f"; not compared: {', '.join(incomparable)}" if incomparable else ""
    return f"{what}: attached (--new submits it again{blind})"


def older(names: list[str]) -> list[str]:
    """What is said of live jobs of the cell as it was."""
    return [f"job {name}, of this cell before it was changed, goes on: %kube stop {name} ends it" for name in names]


@dataclass(frozen=True)
class _Ran:
    key: str
    cell: Sent
    took_s: float
    name: str


_last: _Ran | None = None


def ran(key: str, cell: Sent, took_s: float, name: str) -> None:
    """Remember the cell that has just succeeded."""
    global _last  # noqa: PLW0603 - one kernel runs one cell after the other
    _last = _Ran(key, replace(cell, text=""), took_s, name)


def twice(key: str, cell: Sent) -> str | None:
    """The job that has just given its values to this very cell, if it was sent again before that job's end: whoever
    presses Shift-Enter twice wants one job.

    Only the front end's own times of sending are compared with each other: its clock need not be ours.
    """
    before = _last
    if before is None or before.key != key or before.cell.id != cell.id or before.cell.session != cell.session:
        return None
    if cell.sent_at is None or before.cell.sent_at is None:
        return None
    return before.name if 0 <= cell.sent_at - before.cell.sent_at < before.took_s else None
