"""What is raised of a job that is over: its own exception, or what ended it."""

from __future__ import annotations

from functools import partial

from kube_magics.backends.contract import Backend
from kube_magics.cells.definitions import modules
from kube_magics.jobs import endings, loop, remote
from kube_magics.jobs.arrivals import Loads
from kube_magics.jobs.follow import Outcome
from kube_magics.jobs.origin import Origin

ERROR = "@error"
LOCAL = (
    "[kube_magics: {0} is a local module of this notebook; local modules travel by their import statements: write"
    " `import {0}` into the cell, or bring it by --files]"
)


def raised(backend: Backend, name: str, outcome: Outcome, origin: Origin, loads: Loads) -> BaseException | None:
    """The job's own exception, or what ended it; None: it succeeded."""
    own = (outcome.error or {}).get("reason") != "import" and (outcome.end or {}).get("reason") == "failed"
    if outcome.error is not None and own and (outcome.error.get("exit") is None):
        kept = loop.wait(backend.stored(name, ERROR))
        pickled = outcome.results.get(ERROR) or (kept.read_bytes() if kept else None)
        error = remote.rebuild(outcome.error, pickled, partial(loads, ERROR), origin.definitions.files)
        if isinstance(error, ModuleNotFoundError) and error.name and modules.kind(error.name) == "local":
            error.add_note(LOCAL.format(error.name))
            cause = None
        else:
            cause = endings.cause_note(outcome.error)
        for note in filter(None, (cause, endings.memory_note(outcome.end), endings.crowd_note(outcome.error))):
            error.add_note(f"[kube_magics: {note}]")
        return error
    return endings.error_of(name, outcome, origin.timeout_s)
