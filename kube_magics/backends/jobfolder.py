"""The folder of a local job, and how to read it: facts, log, last word, results. It is all that outlives the kernel."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import platformdirs

from kube_magics.telemetry.causes.cause import WAS_STOPPED, Cause
from kube_magics.telemetry.made import Made, seeds_of, sha256
from kube_magics.telemetry.snapshot import FAILED, RUNNING, STOPPED, SUCCEEDED, Snapshot, succeeded

READ_BYTES = 1 << 20

FACTS = "job.json"
LOG = "log"
END = "end.json"
DELETED = "deleted"
"""Somebody has begun to delete the job."""
TOLD = "told"
"""Somebody has told the job to end: before it listens, it has no word for that."""
FETCHED = "fetched"
"""What it sent back has arrived in a notebook."""
RESULTS = "results"


def state_folder() -> Path:
    """What kube_magics remembers for this user: the system's place for it, or KUBE_MAGICS_STATE."""
    named = os.environ.get("KUBE_MAGICS_STATE")
    return Path(named or platformdirs.user_state_dir("kube_magics", appauthor=False))


def jobs_folder() -> Path:
    """Where local jobs are kept."""
    return state_folder() / "jobs"


def facts(home: Path) -> dict[str, Any]:
    """What was known when the job was started; empty where it was not."""
    return read_json(home / FACTS) or {}


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None: there is no file, or no object in it."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def snapshot(home: Path, known: Mapping[str, Any], namespace: str, *, alive: bool) -> Snapshot:
    """The state of a job whose facts are `known`; `alive`: its runner is."""
    end = read_json(home / END)
    # The runner's first deed is an event: with none, what was started was no Python of ours.
    started = alive or _size_bytes(home / LOG) > 0
    cause = None
    if (home / DELETED).exists():
        cause = Cause("deleted", "The job was deleted.", fix="run the cell again")
    elif not alive and end is None:
        early = not started and (home / TOLD).exists()
        cause = WAS_STOPPED if early else _wordless(home, started=started)
    return Snapshot(
        name=home.name,
        namespace=namespace,
        phase=RUNNING if alive else _phase(end) if cause is None else STOPPED if cause is WAS_STOPPED else FAILED,
        cause=cause,
        node=f"pid {known.get('pid')}",
        scheduled=True,
        started=started,
        terminated=not alive,
        end=end,
        created_at=known.get("created_at"),
        started_at=known.get("created_at"),
        finished_at=None if alive else _changed_at(home / (END if end else LOG)),
        gpus=gpus if isinstance(gpus := known.get("gpus"), int) else None,
        without_gpus=known.get("devices") == [],
        notebook=known.get("notebook"),
        label=known.get("label"),
        ours=True,
        returns=tuple(known.get("returns", ())),
        submission_id=known.get("submission_id"),
        fetched=(home / FETCHED).exists(),
        artifacts=known.get("artifacts"),
        made=Made(
            cell_sha256=sha256(known.get("cell")), version=known.get("version"), seeds=seeds_of(known.get("seeds"))
        ),
    )


def described(home: Path) -> dict[str, str]:
    """What a process of this machine has instead of a pod, by what it is called."""
    known = facts(home)
    found = {"process": str(known.get("pid") or "-"), "folder": str(home), "log": str(home / LOG)}
    devices = known.get("devices")
    return found | ({"devices": ", ".join(map(str, devices))} if devices else {})


def events(state: Snapshot) -> list[dict[str, Any]]:
    """What has happened to a job, in the form in which a cluster tells it."""
    ended = {SUCCEEDED: "Completed", STOPPED: "Stopped"}.get(state.phase, "BackoffLimitExceeded")
    found = [("Started", state.started_at, f"as {state.node}"), (ended, state.finished_at, "")]
    return [
        {
            "type": "Warning" if reason == "BackoffLimitExceeded" else "Normal",
            "reason": reason,
            "message": said,
            "lastTimestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "involvedObject": {"kind": "Job", "name": state.name},
        }
        for reason, at, said in found
        if at is not None
    ]


def _phase(end: Mapping[str, Any] | None) -> str:
    """Of a job that is over; nobody but a user tells a job of this machine to end."""
    if succeeded(end):
        return SUCCEEDED
    return STOPPED if end is not None and end.get("reason") == "stopped" else FAILED


def _wordless(home: Path, *, started: bool) -> Cause:
    """Why a runner that is gone left no last word."""
    said = _text(home / "runner.err")[-500:] or None
    if started:
        return Cause("signal", "The job's runner was killed.", said, "run the cell again")
    fix = "leave --python out, or name a Python of 3.8 or newer"
    return Cause("start", "The interpreter did not start the job's program.", said, fix, hopeless=True)


def _size_bytes(path: Path) -> int:
    """0 for a file that is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _changed_at(path: Path) -> float | None:
    """Seconds since the epoch."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def write_atomically(path: Path, text: str) -> None:
    """A reader sees the old text or the new one, never half of it."""
    # Several processes may write at once: each has a file of its own.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".new", delete=False, encoding="utf-8") as file:
        fresh = Path(file.name)
        try:
            file.write(text)
            file.close()
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise


def whole_lines(log: BinaryIO, *, last: bool) -> bytes:
    """The next block of whole lines, however long they are; `last`: an unterminated line at the end counts as one."""
    data = log.read(READ_BYTES)
    if len(data) == READ_BYTES and b"\n" not in data:
        data += log.readline()
    cut = data.rfind(b"\n") + 1
    if last and data and not cut:
        return data + b"\n"
    if cut < len(data):
        log.seek(cut - len(data), os.SEEK_CUR)  # it is still being written
    return data[:cut]
