"""`jobs`: who runs, who waits and why, who has ended; where each came from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from kube_magics.jobs import known, loop, orphans, records
from kube_magics.spec.columns import JOBS
from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry.snapshot import INCOMPLETE, PENDING, Snapshot
from kube_magics.verbs.door import Call
from kube_magics.verbs.table import UNKNOWN, Row, Table


def jobs(call: Call) -> Table:
    """A row a job, newest first; a job that does not run says why below."""
    backend, selector = call.backend, call.given.get("selector")
    found = loop.wait(backend.jobs(selector))
    if selector is None:
        known.note("jobs", [each.name for each in found])
    rows = rows_of(found)
    states = call.given.get("status", ())
    kept = [each for each in rows if not states or each.values["status"] in states]
    empty = f"no jobs on {backend.where()}" if not rows else f"none of {len(rows)} is {' or '.join(states)}"
    deleted = loop.wait(orphans.clear(backend)) if selector is None else []
    notes = tuple(
        f"{name} is deleted: its submit was cut off, its files never arrived, and it never ran." for name in deleted
    )
    return Table("jobs", backend.where(), JOBS, tuple(kept), empty, notes).selected(call.given)


def dashboard(call: Call) -> object:
    """Live, where the door can show that; else the table as it is now."""
    return call.door.live(call.backend) if call.door.live is not None else jobs(call)


def rows_of(found: Sequence[Snapshot]) -> list[Row]:
    """A row a job."""
    now, folder, known = time.time(), str(Path.cwd()), records.files()
    return [row(each, records.kernel_of(each.submission_id, known), now, folder) for each in found]


def row(each: Snapshot, kernel: str | None, now: float, folder: str = "") -> Row:
    """One job; notebooks in `folder` are named short. `kernel`: what is known of the one that submitted it."""
    took = None if each.started_at is None else max(0.0, (each.finished_at or now) - each.started_at)
    unknown = UNKNOWN if each.ours else "-"
    cause = each.cause
    waits = cause is not None and each.phase in (PENDING, INCOMPLETE, "failed")
    values = {
        "name": each.name,
        "namespace": each.namespace,
        "status": each.phase,
        "attempt": each.attempt,
        "attempts": each.attempts,
        "gpus": each.gpus,
        "created_at": each.created_at,
        "started_at": each.started_at,
        "finished_at": each.finished_at,
        "duration_s": None if took is None else round(took, 3),
        "node": each.node,
        "notebook": each.notebook,
        "cell": each.label,
        "kernel": kernel,
        "why": cause.sentence if cause else None,
        "said": cause.said if cause else None,
    }
    texts = {
        "status": each.status,
        "duration_s": "-" if took is None else human_seconds(took),
        "node": each.node or "-",
        "notebook": (each.notebook or unknown).removeprefix(f"{folder}/"),
        "cell": each.label or unknown,
        "kernel": kernel or unknown,
    }
    under = f"{cause.sentence} {cause.said or ''}".strip() if cause is not None and waits else ""
    return Row(values, texts, under)
