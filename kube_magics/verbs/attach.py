"""`attach`: a job's log from its start, its end, and in a notebook its values."""

from __future__ import annotations

from kube_magics.errors import OptionError
from kube_magics.jobs import attach as attaching
from kube_magics.jobs.origin import VALUE
from kube_magics.jobs.show import show
from kube_magics.verbs.door import Call
from kube_magics.verbs.launch import finish


def attach(call: Call) -> object:
    """The function's value, of a job of `train` or `remote`; raises the job's exception."""
    backend, door, (name,) = call.backend, call.door, call.names
    trust = bool(call.given.get("trust"))
    if trust and not door.lasting:
        what = "--trust is about values, and a terminal loads none."
        raise OptionError(what, hint=f"%kube attach {name}")
    job = attaching.attach(backend, name, door.namespace, trust=trust, tail=call.given.get("tail"), loads=door.lasting)
    door.note(f"job {name} on {backend.where()}")
    pane = show(job)
    finish(door, job, pane)
    return job.values().get(VALUE)
