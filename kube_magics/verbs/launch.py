"""From what travels to the job's end: the part that a cell and a script have in common."""

from __future__ import annotations

import sys
import time

import yaml

from kube_magics.cells.capture import Capture
from kube_magics.cells.notebook import Sent
from kube_magics.jobs import again
from kube_magics.jobs import attach as attaching
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.interrupt import Interrupts, detached
from kube_magics.jobs.job import Job
from kube_magics.jobs.origin import Origin
from kube_magics.jobs.pane import Pane
from kube_magics.jobs.show import last_line, show, warn
from kube_magics.spec.job import JobSpec
from kube_magics.verbs.door import Door


def launch(
    door: Door, spec: JobSpec, captured: Capture, origin: Origin, *, stem: str, cell: Sent, notebook: str | None
) -> Job | None:
    """From what travels to the job's end, or with --detach to the job; `stem` is what a generated name starts with."""
    began = time.monotonic()
    warn(captured.warnings)
    backend = submitting.place(spec)
    warn(submitting.left_here(spec, backend.kind, captured))
    if spec.dry_run:
        print_manifests(submitting.prepare(spec, backend, captured, stem=stem, notebook=notebook))
        return None
    # Who types a command twice in a terminal wants two jobs, as of any other command.
    key, new = again.key(captured, spec, notebook), spec.new or not door.lasting
    if not new and (name := again.twice(key, cell)):
        door.note(f"job {name} of this very cell has just ended: it was sent twice, and ran once (--new runs it again)")
        return None
    with Interrupts() as interrupts:  # from before there is a record of it until somebody waits for it
        with interrupts.breaking():
            before, record = again.look(backend, key, cell, notebook, new=new), None
            older = before.live()
        while before.same is None and record is None:
            with interrupts.breaking():
                prepared = submitting.prepare(spec, backend, captured, stem=stem, notebook=notebook)
            record = before.begin(prepared.submission, backend, key, cell)
            if record is None:
                with interrupts.breaking():
                    before = again.look(backend, key, cell, notebook, new=new)
        if before.same is not None:
            door.note(again.taken_up(before.same, captured.incomparable))
            job = attaching.again(backend, before.same, origin, spec.returns_files)
        else:
            door.note(f"job {prepared.submission.name} on {backend.where()}")
            door.note("\n".join([*backend.remarks(spec), captured.summary(), *prepared.remarks()]))
            job = submitting.submit(prepared, origin, record)
        warn(map(door.typed, again.older(older)))
        pane = shown(job, interrupts, detach=spec.detach)
    left = ended(door, job, pane)
    if left is None:
        again.ran(key, cell, time.monotonic() - began, job.name)
    return left


def shown(job: Job, interrupts: Interrupts, *, detach: bool) -> Pane | None:
    """Show the job's output to its end; None: nobody waits for it. Raises Detached."""
    if not detach:
        return show(job)
    if interrupts.at:
        raise detached([job])
    return None


def print_manifests(prepared: submitting.Prepared) -> None:
    """Exactly what a submit would create, fit for `kubectl create -f -` and `%kube create -f`, but for its data."""
    manifests = prepared.manifests()
    for remark in prepared.unsent():
        print(f"# {remark}")
    sys.stdout.write(yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=len(manifests) > 1))


def ended(door: Door, job: Job, pane: Pane | None) -> Job | None:
    """Of a job that was made here: `finish`, after which nothing is left of one that never ran. Of a job that nobody
    waits for, the job."""
    if pane is None:
        return job
    submitting.tidy(job)
    finish(door, job, pane)
    return None


def finish(door: Door, job: Job, pane: Pane) -> None:
    """Bind what came back, say how it went, raise what went wrong."""
    job.bring(door.namespace)
    pane.update(last=True)
    door.note(last_line(job))
    for remark in filter(None, (job.moved, job.lost)):
        door.note(remark)
    error = job.failure()
    if error is not None:
        raise error
