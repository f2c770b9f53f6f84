"""`events`: what has happened, in plain words beside the cluster's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube_magics.backends.contract import Backend
from kube_magics.jobs import loop
from kube_magics.spec.columns import EVENTS
from kube_magics.telemetry import happenings
from kube_magics.telemetry.objects import text
from kube_magics.telemetry.snapshot import unix
from kube_magics.verbs.door import Call
from kube_magics.verbs.table import Row, Table


def events(call: Call) -> Table:
    """A row an event, the oldest first."""
    return of(call.backend, call.names[0] if call.names else None).selected(call.given)


def of(backend: Backend, name: str | None) -> Table:
    """What has happened to a job, or to any."""
    found, hidden = loop.wait(backend.events(name))
    rows = tuple(row(event, name) for event in found)
    empty = "" if hidden else f"no events of {name or 'any job'} are kept any more on {backend.where()}"
    return Table("events", backend.where(), EVENTS, rows, empty, hidden)


def row(event: Mapping[str, Any], job: str | None) -> Row:
    """One event; `job`: the one that was asked for."""
    concerned, said = happenings.concerned(event), text(event, "message") or None
    kind, _, name = concerned.partition("/")
    what = happenings.what(event)
    values = {
        "at": unix(happenings.when(event)),
        "job": job or (name if kind == "job" else name.rpartition("-")[0] or name),
        "what": what,
        "type": text(event, "type") or None,
        "reason": text(event, "reason") or None,
        "object": concerned,
        "count": happenings.count(event),
        "said": said,
    }
    return Row(values, {"what": what or "", "said": said or ""})
