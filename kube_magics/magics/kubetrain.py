"""`%%kubetrain`: the cell below the line runs as a job; its output, values and exceptions come back here."""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import Any

import yaml

from kube_magics import errors
from kube_magics.cells.capture import capture
from kube_magics.jobs import here
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.job import Job, Origin
from kube_magics.jobs.screen import BATCH_S, STDERR, Screen
from kube_magics.magics import line as lines
from kube_magics.magics import notebook as notebooks
from kube_magics.spec import options, quantities
from kube_magics.spec.job import JobSpec

MAGIC = "%%kubetrain"


def run(shell: Any, line: str, cell: str) -> None:
    """The whole life of one cell; raises the job's exception, or what stood in the way."""
    spec = JobSpec.of(options.parse(lines.tokens(line, shell.user_ns, MAGIC)))
    source = f"{MAGIC} {line}".rstrip() + "\n" + cell
    file = notebooks.register_cell(shell, source)
    captured = capture(source, notebooks.read(shell), returns=spec.returns)
    spec, backend = submitting.place(spec)
    notebook = here.notebook_path()
    prepared = submitting.prepare(spec, backend, captured, stem=_stem(notebook), notebook=notebook)
    if spec.dry_run:
        manifests = backend.manifests(prepared.submission)
        sys.stdout.write(yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=len(manifests) > 1))
        return
    print(f"job {prepared.submission.name} on {backend.where()}")
    print(captured.summary())
    origin = Origin(shell.user_ns, captured.definitions(file), spec.returns, spec.timeout)
    job, screen = submitting.submit(prepared, origin)
    show(job, screen)
    submitting.tidy(job)
    finish(shell, job)


def show(job: Job, screen: Screen) -> None:
    """Write the job's output from this cell's own thread until its last word is here."""
    try:
        while not job.done(0):
            if screen.wait(0.5):
                _write(screen)
                job.done(BATCH_S)
        _write(screen, last=True)
    except KeyboardInterrupt:
        raise errors.Detached(
            f"This cell no longer waits for job {job.name}; the job goes on.",
            hint=f"%kube logs {job.name}   (or %kube stop {job.name})",
        ) from None


def _write(screen: Screen, *, last: bool = False) -> None:
    for stream, text in screen.take(last=last):
        out = sys.stderr if stream == STDERR else sys.stdout
        out.write(text)
        out.flush()


def finish(shell: Any, job: Job) -> None:
    """Bind what came back, say how it went, raise what went wrong."""
    values = job.values()
    shell.user_ns.update(values)
    error = job.failure()
    if error is not None:
        raise error
    back = f"; back: {', '.join(values)}" if values else ""
    print(f"job {job.name} done{_took(job)}{back}; log: {job.log_path}")


def _took(job: Job) -> str:
    seconds = job.duration_s
    return f" in {quantities.human_seconds(seconds)}" if seconds is not None else ""


def _stem(notebook: str | None) -> str:
    return PurePath(notebook).stem if notebook else "cell"
