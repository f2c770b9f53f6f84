"""`%%kubetrain`: the cell below the line runs as a job; its output, values and exceptions come back here."""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import Any

import yaml

from kube_magics.cells.capture import Capture, capture
from kube_magics.jobs import here
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.job import Job, Origin
from kube_magics.jobs.show import last_line, show, warn
from kube_magics.magics import line as lines
from kube_magics.magics import notebook as notebooks
from kube_magics.spec import options
from kube_magics.spec.job import JobSpec

MAGIC = "%%kubetrain"


def run(shell: Any, line: str, cell: str) -> None:
    """The whole life of one cell; raises the job's exception, or what stood in the way."""
    spec = JobSpec.of(options.parse(lines.tokens(line, shell.user_ns, MAGIC)))
    source = f"{MAGIC} {line}".rstrip() + "\n" + cell
    file = notebooks.register_cell(shell, source)
    captured = capture(source, notebooks.read(shell), returns=spec.returns, allowed=spec.capture, gpus=spec.gpus)
    captured = submitting.with_files(spec, captured)
    origin = Origin(shell.user_ns, captured.definitions(file), spec.returns, spec.timeout)
    notebook = here.notebook_path()
    launch(shell, spec, captured, origin, stem=PurePath(notebook).stem if notebook else "cell")


def launch(shell: Any, asked: JobSpec, captured: Capture, origin: Origin, *, stem: str) -> None:
    """From what travels to the job's end; `stem` is what a generated name starts with."""
    warn(captured.warnings)
    spec, backend = submitting.place(asked)
    prepared = submitting.prepare(spec, backend, captured, stem=stem, notebook=here.notebook_path())
    if spec.dry_run:
        print_manifests(prepared)
        return
    print(f"job {prepared.submission.name} on {backend.where()}")
    print(*backend.remarks(asked), captured.summary(), *prepared.remarks(), sep="\n")
    job = submitting.submit(prepared, origin)
    show(job)
    submitting.tidy(job)
    finish(shell, job)


def print_manifests(prepared: submitting.Prepared) -> None:
    """Exactly what a submit would create, fit for `kubectl create -f -` and `%kube create -f`, but for its data."""
    manifests = prepared.backend.manifests(prepared.submission)
    for remark in prepared.unsent():
        print(f"# {remark}")
    sys.stdout.write(yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=len(manifests) > 1))


def finish(shell: Any, job: Job) -> None:
    """Bind what came back, say how it went, raise what went wrong."""
    shell.user_ns.update({name: value for name, value in job.values().items() if name.isidentifier()})
    print(last_line(job))
    if job.lost:
        print(job.lost)
    error = job.failure()
    if error is not None:
        raise error
