"""`%%kubetrain`: the cell below the line runs as a job; its output, values and exceptions come back here."""

from __future__ import annotations

import sys
import time
from pathlib import PurePath
from typing import Any

import yaml

from kube_magics import errors
from kube_magics.cells.capture import Capture, capture
from kube_magics.cells.notebook import Sent
from kube_magics.jobs import again, defaults, here
from kube_magics.jobs import attach as attaching
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.debugging import Debugging
from kube_magics.jobs.job import Job, Origin
from kube_magics.jobs.show import last_line, show, warn
from kube_magics.magics import line as lines
from kube_magics.magics import notebook as notebooks
from kube_magics.spec.job import JobSpec
from kube_magics.spec.parse import parse

MAGIC = "%%kubetrain"


def run(shell: Any, line: str, cell: str, debugging: Debugging) -> Job | None:
    """The whole life of one cell; raises the job's exception, or what stood in the way. With --detach: its job."""
    spec = defaults.spec(parse(lines.tokens(line, shell.user_ns, MAGIC)))
    debugging.on(spec.debug)
    source = f"{MAGIC} {line}".rstrip() + "\n" + cell
    file = notebooks.register_cell(shell, source)
    captured = capture(source, notebooks.read(shell), returns=spec.returns, allowed=spec.capture, gpus=spec.gpus)
    captured = submitting.with_files(spec, captured)
    origin = Origin(shell.user_ns, captured.definitions(file), spec.returns, spec.timeout)
    notebook = here.notebook_path()
    stem = PurePath(notebook).stem if notebook else "cell"
    sent = notebooks.sent(shell, cell)
    return launch(shell, spec, captured, origin, stem=stem, cell=sent, notebook=notebook)


def launch(
    shell: Any, spec: JobSpec, captured: Capture, origin: Origin, *, stem: str, cell: Sent, notebook: str | None
) -> Job | None:
    """From what travels to the job's end, or with --detach to the job; `stem` is what a generated name starts with."""
    began = time.monotonic()
    warn(captured.warnings)
    backend = submitting.place(spec)
    warn(submitting.left_here(spec, backend.kind, captured))
    if spec.dry_run:
        print_manifests(submitting.prepare(spec, backend, captured, stem=stem, notebook=notebook))
        return None
    key = again.key(captured, spec, notebook)
    if not spec.new and (name := again.twice(key, cell)):
        print(f"job {name} of this very cell has just ended: it was sent twice, and ran once (--new runs it again)")
        return None
    before, record = again.look(backend, key, cell, notebook, new=spec.new), None
    older = before.live()  # asked before there is a job that an interrupt of the waiting for them would leave
    while before.same is None and record is None:
        prepared = submitting.prepare(spec, backend, captured, stem=stem, notebook=notebook)
        record = before.begin(prepared.submission, backend, key, cell)
        before = before if record else again.look(backend, key, cell, notebook, new=spec.new)
    if before.same is not None:
        print(again.taken_up(before.same, captured.incomparable))
        job = attaching.again(backend, before.same, origin, spec.returns_files)
    else:
        print(f"job {prepared.submission.name} on {backend.where()}")
        print(*backend.remarks(spec), captured.summary(), *prepared.remarks(), sep="\n")
        job = submitting.submit(prepared, origin, record)
    warn(again.older(older))
    if spec.detach:
        return job
    show(job)
    submitting.tidy(job)
    finish(shell, job)
    again.ran(key, cell, time.monotonic() - began, job.name)
    return None


def print_manifests(prepared: submitting.Prepared) -> None:
    """Exactly what a submit would create, fit for `kubectl create -f -` and `%kube create -f`, but for its data."""
    manifests = prepared.backend.manifests(prepared.submission)
    for remark in prepared.unsent():
        print(f"# {remark}")
    sys.stdout.write(yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=len(manifests) > 1))


def finish(shell: Any, job: Job) -> None:
    """Bind what came back, say how it went, raise what went wrong."""
    try:
        job.bring(shell.user_ns)
    except KeyboardInterrupt:
        what = f"Interrupted while the results of job {job.name} were being loaded: they are still where they were."
        raise errors.Detached(what, hint=f"%kube attach {job.name}   (or run the cell again)") from None
    print(last_line(job))
    for remark in filter(None, (job.moved, job.lost)):
        print(remark)
    error = job.failure()
    if error is not None:
        raise error
