"""`describe`: all that is known of one job, in plain words."""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube_magics.backends.contract import Backend, Objects
from kube_magics.jobs import followed, loop, records
from kube_magics.spec.columns import JOBS
from kube_magics.spec.quantities import human_bytes, human_seconds
from kube_magics.telemetry import description
from kube_magics.telemetry.snapshot import Snapshot
from kube_magics.verbs import jobs as listing
from kube_magics.verbs.door import Call, Door
from kube_magics.verbs.table import Table, aligned, plain


@dataclass(frozen=True, repr=False)
class Description:
    """One job."""

    facts: dict[str, str]
    """By what they are called, in the order in which people want to know them."""
    containers: tuple[dict[str, Any], ...]
    job: dict[str, Any]
    """As a row of `jobs --json`."""

    def json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {"kind": "job", "job": self.job, "facts": self.facts, "containers": list(self.containers)}

    def text(self) -> str:
        """A line a fact, and the pods below."""
        width = max(map(len, self.facts))
        lines = [f"{name:<{width}}  {plain(value)}" for name, value in self.facts.items()]
        if self.containers:
            lines += ["", *aligned(self._pods())]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        left = ' style="text-align:left"'
        rows = "".join(
            f"<tr><th{left}>{html.escape(name)}</th><td{left}>{html.escape(plain(value))}</td></tr>"
            for name, value in self.facts.items()
        )
        pods = "".join(
            "<tr>" + "".join(f"<td{left}>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self._pods()
        )
        return f"<table><tbody>{rows}</tbody></table>" + (
            f"<table><tbody>{pods}</tbody></table>" if self.containers else ""
        )

    def _pods(self) -> list[list[str]]:
        head = ("pod", "container", "status", "reason", "exit_code", "restarts", "node")
        titles = [name.replace("_", " ").upper() for name in head]
        rows = [["-" if each[name] is None else plain(str(each[name])) for name in head] for each in self.containers]
        return [titles, *rows]


def describe(call: Call) -> Description:
    """The job of that name."""
    return described(call.backend, call.names[0], call.door)


def described(backend: Backend, name: str, door: Door) -> Description:
    """Asks for the job's state and its objects at once."""
    state, found = loop.wait(_both(backend, name))
    now = time.time()
    row = listing.row(state, records.kernel_of(state.submission_id), now)
    (job,) = Table("jobs", backend.where(), JOBS, (row,), "").records
    facts = {key: door.typed(text) for key, text in _facts(state, found, backend, now).items()}
    return Description(facts, tuple(description.containers_of(found.pods)), job)


async def _both(backend: Backend, name: str) -> tuple[Snapshot, Objects]:
    return await asyncio.gather(backend.poll(name), backend.objects(name))


def _facts(state: Snapshot, found: Objects, backend: Backend, now: float) -> dict[str, str]:
    facts = {"job": state.name, "status": _status(state, now)}
    cause = state.cause
    if cause is not None:
        facts["why"] = cause.sentence
        facts |= {"said": cause.said} if cause.said else {}
        facts |= {"next": fix} if (fix := cause.fix_of(state.name)) else {}
    if not state.over and (progress := _progress(state, backend)):
        facts["progress"] = progress
    if state.end is not None and (ended := _ended(state.end)):
        facts["ended"] = ended
    facts["where"] = backend.where() + (f", on {state.node}" if state.node else "")
    origin = ", ".join(filter(None, (state.notebook, state.label)))
    facts["from"] = origin or ("a notebook or script that is not known" if state.submission_id else "not kube_magics")
    if state.returns and not state.returns[0].startswith("@"):
        arrived = "have arrived" if state.fetched else f"%kube attach {state.name} brings them, once it has ended"
        facts["sends back"] = f"{', '.join(state.returns)} ({arrived})"
    if state.artifacts:
        facts["artifacts"] = state.artifacts
    return facts | (description.facts_of(found.job, state) if found.job else dict(found.facts))


def _progress(state: Snapshot, backend: Backend) -> str:
    """As the job says it to this process, which follows it; empty: it does not."""
    follower = followed.find(backend, state)
    known = follower.progress() if follower is not None else None
    return known.sentence if known is not None else ""


def _ended(end: Mapping[str, Any]) -> str:
    """From the runner's last word."""
    signal, code = end.get("signal"), end.get("code")
    how = f"by signal {signal}" if signal else f"with exit code {code}" if code is not None else ""
    peak = end.get("peak_memory_bytes")
    memory = f"at most {human_bytes(peak)} of memory" if isinstance(peak, (int, float)) and peak > 0 else ""
    return "; ".join(filter(None, (how, memory)))


def _status(state: Snapshot, now: float) -> str:
    parts = [state.status]
    if state.created_at is not None:
        parts.append(f"submitted {human_seconds(max(0.0, now - state.created_at))} ago")
    if state.started_at is not None and state.finished_at is not None:
        parts.append(f"took {human_seconds(max(0.0, state.finished_at - state.started_at))}")
    elif state.started_at is not None and not state.over:
        parts.append(f"has run for {human_seconds(max(0.0, now - state.started_at))}")
    return ", ".join(parts)
