"""`rerun NAME`: the same job once more, without its cell."""

from __future__ import annotations

from kube_magics.jobs.choose import confirm_context
from kube_magics.jobs.rerun import said
from kube_magics.verbs.door import Call


def rerun(call: Call) -> None:
    """Submitted under a fresh name; nobody waits for it."""
    backend = call.backend
    confirm_context(backend, call.spec)
    call.door.say(said(backend, call.names[0]))
