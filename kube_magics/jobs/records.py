"""What this user has submitted: a small file each, in the state folder. It proves what labels cannot.

The random id of a submission finds its Job again, whatever became of the kernel or of an answer. But whoever may write
to the namespace can make a Job with that id too, and unpickling its values runs its code. So values are loaded unasked
only from the Job whose uid stands here. The uid exists once the Job does: a kernel that was killed in between has left
none, and then the Job's values are loaded if it was made when it was submitted.

    submissions/NOTEBOOK/ID.json         its values have not been fetched yet
    submissions/NOTEBOOK/done/ID.json    they have
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from kube_magics.backends.contract import Backend
from kube_magics.backends.jobfolder import read_json, state_folder, write_atomically
from kube_magics.backends.machine import process_started
from kube_magics.cells.notebook import Sent
from kube_magics.spec.job import Submission
from kube_magics.telemetry.snapshot import Snapshot

KEPT_S = 90 * 24 * 3600
"""Then a record is removed: no job lasts so long, and its log is gone a week after its end."""
CLOCKS_S = 60.0
"""By so much the clock here and the cluster's may differ."""
SUBMIT_S = 120.0
"""A submit whose answers are lost goes on for so long."""
ELSEWHERE_S = 24 * 3600.0
"""Whether a process of another host still submits cannot be seen; after so long none does."""
ALIKE = 0.5
"""Of the lines of two cells: then one is the other, edited."""
DONE = "done"
_under_way: set[str] = set()
"""Submissions that some thread of this process is at."""


@dataclass(frozen=True)
class Record:
    """One submission."""

    submission_id: str
    name: str
    address: str
    """Of the backend."""
    key: str
    """Equal for equal cells, options, files and values; empty: what never re-attaches."""
    notebook: str
    """Its path, or the folder in its place."""
    cell: str | None = None
    """The front end's id of the cell."""
    lines: tuple[int, ...] = ()
    """A checksum of each line of the cell."""
    sent_at: float = 0.0
    uid: str | None = None
    """Of the Job; None: its answer has not been seen."""
    arrived: bool = False
    """The job and all its files are there."""
    process: tuple[str, int, str] = ("", 0, "")
    """Who submits: host, process id, when that process began."""
    artifacts: str | None = None
    """The job's own place in a store."""

    @property
    def path(self) -> Path:
        return _folder(self.notebook) / f"{self.submission_id}.json"


def begin(submission: Submission, backend: Backend, key: str = "", cell: Sent | None = None) -> Record:
    """Note a submission, before anything of it exists."""
    cell = cell or Sent("")
    record = Record(
        submission_id=submission.submission_id,
        name=submission.name,
        address=backend.address,
        key=key,
        notebook=submission.notebook or submission.folder,
        cell=cell.id,
        lines=cell.lines,
        sent_at=time.time(),
        process=_this_process(),
        artifacts=submission.artifacts,
    )
    return _begun(record)


def begin_again(name: str, submission_id: str, backend: Backend, notebook: str, artifacts: str | None = None) -> Record:
    """The same of a job that no cell submits, but that another one is once more: no run of a cell takes it up."""
    mine = Record(submission_id, name, backend.address, "", notebook, process=_this_process(), artifacts=artifacts)
    return _begun(replace(mine, sent_at=time.time()))


def _begun(record: Record) -> Record:
    _under_way.add(record.submission_id)
    _write(record)
    return record


def arrived(record: Record, uid: str | None) -> None:
    """The job is there, with all its files."""
    _write(replace(record, uid=uid, arrived=True))
    _under_way.discard(record.submission_id)


def leave(record: Record) -> None:
    """Nobody submits it any more, and nobody knows what of it exists."""
    _write(replace(record, process=(socket.gethostname(), 0, "")))
    _under_way.discard(record.submission_id)


def drop(record: Record) -> None:
    """Nothing of it exists."""
    with suppress(OSError):
        record.path.unlink()
    _under_way.discard(record.submission_id)


def close(submission_id: str) -> None:
    """Its values have been fetched, or there is nothing to fetch any more."""
    for path in _root().glob(f"*/{submission_id}.json"):
        with suppress(OSError):
            (path.parent / DONE).mkdir(exist_ok=True)
            path.replace(path.parent / DONE / path.name)


def close_named(name: str, address: str) -> None:
    """Its user has ended or removed it: nobody waits for its values."""
    for record in opened():
        if (record.name, record.address) == (name, address):
            close(record.submission_id)


def find(submission_id: str) -> Record | None:
    """The record of a submission, open or closed."""
    path = file_of(submission_id)
    return _read(path) if path is not None else None


def file_of(submission_id: str) -> Path | None:
    """Where the record of a submission stands, open or closed."""
    for pattern in (f"*/{submission_id}.json", f"*/{DONE}/{submission_id}.json"):
        for path in _root().glob(pattern):
            return path
    return None


def files() -> dict[str, Path]:
    """Where the record of each submission stands, open or closed, by its id: in one look, for who asks of many."""
    return {path.stem: path for pattern in (f"*/{DONE}/*.json", "*/*.json") for path in _root().glob(pattern)}


def opened(notebook: str | None = None) -> list[Record]:
    """Those whose values have not been fetched, newest first: of a notebook (or its folder), or all."""
    folders = [_folder(notebook)] if notebook is not None else [path for path in _root().glob("*") if path.is_dir()]
    found = [record for folder in folders for path in folder.glob("*.json") if (record := _read(path)) is not None]
    return sorted(found, key=lambda record: record.sent_at, reverse=True)


def is_own(snapshot: Snapshot) -> bool:
    """Whether a Job of the cluster is what this user submitted, beyond what anybody could write on it."""
    record = find(snapshot.submission_id) if snapshot.submission_id else None
    return record is not None and is_of(record, snapshot) and is_proven(record, snapshot)


def is_of(record: Record, snapshot: Snapshot) -> bool:
    """Whether a job is this very submission's, by what stands on it."""
    same = (record.submission_id, record.name) == (snapshot.submission_id, snapshot.name)
    return same and record.uid in (None, snapshot.uid)


def is_proven(record: Record, snapshot: Snapshot) -> bool:
    """Of a job that `is_of` the record: whether its values may be loaded unasked."""
    if record.uid is not None or snapshot.uid is None:
        return record.uid == snapshot.uid
    since_s = float("nan") if snapshot.created_at is None else snapshot.created_at - record.sent_at
    return -CLOCKS_S < since_s < SUBMIT_S + CLOCKS_S


def forestalled(record: Record, looked_at: float) -> bool:
    """Whether another kernel has begun to submit the same cell before `record`, and after this one looked for it.

    Each writes its own record first and looks at the others' then: of two that do so at once, one sees the other.
    """
    mine = (record.sent_at, record.submission_id)
    others = [each for each in opened(record.notebook) if (each.key, each.address) == (record.key, record.address)]
    return any(looked_at <= each.sent_at and (each.sent_at, each.submission_id) < mine for each in others)


def is_coming(record: Record) -> bool:
    """Whether another kernel of this machine submits it at this moment."""
    fresh = find(record.submission_id)
    if fresh is None or fresh.arrived or fresh.process == _this_process() or time.time() - fresh.sent_at > SUBMIT_S:
        return False
    return fresh.process[0] == socket.gethostname() and in_work(fresh)


def in_work(record: Record) -> bool:
    """Whether whoever submits it may still be at it."""
    if record.process == _this_process():
        return record.submission_id in _under_way
    host, pid, started = record.process
    if host != socket.gethostname():
        return time.time() - record.sent_at < ELSEWHERE_S
    return process_started(pid) == started


def _this_process() -> tuple[str, int, str]:
    return socket.gethostname(), os.getpid(), process_started(os.getpid()) or ""


def kernel_of(submission_id: str | None, known: Mapping[str, Path] | None = None) -> str | None:
    """Of the process that submitted it: `this`, `alive` or `gone`; None: it is another machine's, or another user's.

    `known` is what `files` gave.
    """
    path = (file_of if known is None else known.get)(submission_id or "")
    record = _read(path) if path is not None else None
    if record is None or record.process[0] != socket.gethostname():
        return None
    if record.process == _this_process():
        return "this"
    return "alive" if in_work(record) else "gone"


def sweep() -> None:
    """Remove what is too old to be of use."""
    for path in _root().glob("*/**/*.json"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_S:
                path.unlink()


def was(record: Record, cell: Sent) -> bool:
    """Whether `record` is of this cell, as it is or as it was."""
    if cell.id and record.cell:
        return cell.id == record.cell
    mine, theirs = set(cell.lines), set(record.lines)
    return bool(mine and theirs) and len(mine & theirs) >= ALIKE * max(len(mine), len(theirs))


def _root() -> Path:
    return state_folder() / "submissions"


def _folder(notebook: str) -> Path:
    return _root() / hashlib.sha256(notebook.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _write(record: Record) -> None:
    # In a home that cannot be written to, a later kernel is asked for --trust; nothing worse.
    with suppress(OSError):
        record.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(record.path, json.dumps(asdict(record)))


def _read(path: Path) -> Record | None:
    found = read_json(path) or {}
    known = {each.name: _as_tuple(found[each.name]) for each in fields(Record) if each.name in found}
    try:
        return Record(**known)
    except TypeError:
        return None  # of another version


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
