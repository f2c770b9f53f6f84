"""`why`: the cause of a job's state, what the cluster said, what to type next."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass, replace
from typing import Any

from kube_magics.jobs import loop
from kube_magics.telemetry.causes.podless import HIDDEN
from kube_magics.telemetry.snapshot import PENDING
from kube_magics.telemetry.why import WELL, Why
from kube_magics.telemetry.why import why as answer_to
from kube_magics.verbs.door import Call
from kube_magics.verbs.table import plain


@dataclass(frozen=True, repr=False)
class Answer:
    """Of one job."""

    job: str
    status: str
    """As `jobs` has it: the phase."""
    where: str
    why: Why
    notes: tuple[str, ...] = ()
    """What could not be seen, a sentence each."""

    def json(self) -> dict[str, Any]:
        """What `--json` prints."""
        why = self.why
        found = {"verdict": why.verdict, "cause": why.kind, "sentence": why.sentence, "said": why.said}
        more = {"next": why.fix, "seen": list(why.seen), "notes": list(self.notes)}
        return {"kind": "why", "job": self.job, "where": self.where, "status": self.status, **found, **more}

    def text(self) -> str:
        """Three lines, as an error has them; more where the cause is not known."""
        return "\n".join(plain(f"{lead}{line}") for lead, line in self._lines())

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return "".join(f"<div>{html.escape(plain(lead + line))}</div>" for lead, line in self._lines())

    def _lines(self) -> list[tuple[str, str]]:
        why = self.why
        lines = [("", f"{self.job} ({self.status}): {why.sentence}")]
        lines += [("  said: ", line) for line in (why.said or "").splitlines() if line.strip()]
        lines += [("  seen: ", line) for line in why.seen]
        lines += [("  next: ", line) for line in (why.fix or "").splitlines()]
        return [*lines, *(("", note) for note in self.notes)]


def why(call: Call) -> Answer:
    """Asks for all that may explain the job, at once."""
    backend, (name,) = call.backend, call.names
    found = loop.wait(backend.findings(name))
    why = answer_to(found.state, found.events, time.time())
    fix = call.door.typed(why.fix) if why.fix else None
    typed = replace(why, sentence=call.door.typed(why.sentence), fix=fix)
    told = why.verdict == WELL and found.state.phase != PENDING  # what was hidden would not have changed it
    hidden = () if told or why.kind == HIDDEN.kind else found.hidden
    return Answer(name, found.state.status, backend.where(), typed, hidden)
