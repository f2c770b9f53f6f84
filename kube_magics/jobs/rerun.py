"""A job of a cluster submitted once more, under a fresh name, from what the cluster keeps of it: without its cell."""

from __future__ import annotations

import uuid
from pathlib import Path

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.jobs import defaults, known, loop, records
from kube_magics.jobs.records import Record
from kube_magics.manifests.again import renamed
from kube_magics.spec import names
from kube_magics.telemetry.objects import text
from kube_magics.telemetry.rerun import hindrance


def rerun(backend: Backend, name: str) -> str:
    """The name of the new job. It is not followed; its values may be loaded unasked where those of the first one may.

    Blocks: not for the loop. Raises OptionError for a job that cannot be run again, Conflict where the name is another
    one's by now, and what the cluster says.
    """
    state = loop.wait(backend.poll(name))
    if why := hindrance(state):
        raise errors.OptionError(f"Job {name} cannot be run again from here: {why}.", hint=f"%kube describe {name}")
    found = loop.wait(backend.recipe(name))
    if text(found[0], "metadata", "uid") != state.uid:
        raise errors.Conflict(f"{name} is another job by now: it was left alone.", hint=f"%kube describe {name}")
    fresh, submission_id = names.name_after(name), str(uuid.uuid4())
    objects = renamed(found, fresh, submission_id)
    defaults.allow_object(objects[0], f"job {name}")
    # Of a job that somebody else made nothing is noted: to load what it sends back takes --trust, as of the first one.
    where = state.notebook or str(Path.cwd())
    record = records.begin_again(fresh, submission_id, backend, where) if records.is_own(state) else None
    try:
        made = loop.wait(backend.resubmit(objects))
    except BaseException as error:
        _leave(record, fresh, error)
        raise
    if record is not None:
        records.arrived(record, made)
    known.note("jobs", [fresh], all_of_them=False)
    return fresh


def _leave(record: Record | None, name: str, error: BaseException) -> None:
    """Where the job may be there all the same, that is said, and its record stays."""
    unknown = isinstance(error, errors.Unreachable)
    if record is not None:
        (records.leave if unknown else records.drop)(record)
    if isinstance(error, errors.Unreachable):
        error.message += f" Whether job {name} was made before that is not known."
        error.hint = f"%kube jobs, once the cluster answers   (%kube delete {name}, if it is there)"
