"""`%%kubetrain`: the cell below the line runs as a job; its output, values and exceptions come back here."""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import Any

import yaml

from kube_magics.cells.capture import capture
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
    captured = submitting.with_files(spec, capture(source, notebooks.read(shell), returns=spec.returns))
    warn(captured.warnings)
    asked = spec
    spec, backend = submitting.place(asked)
    notebook = here.notebook_path()
    prepared = submitting.prepare(spec, backend, captured, stem=_stem(notebook), notebook=notebook)
    if spec.dry_run:
        manifests = backend.manifests(prepared.submission)
        sys.stdout.write(yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=len(manifests) > 1))
        return
    print(f"job {prepared.submission.name} on {backend.where()}")
    print(*backend.remarks(asked), captured.summary(), sep="\n")
    origin = Origin(shell.user_ns, captured.definitions(file), spec.returns, spec.timeout)
    job = submitting.submit(prepared, origin)
    show(job)
    submitting.tidy(job)
    finish(shell, job)


def finish(shell: Any, job: Job) -> None:
    """Bind what came back, say how it went, raise what went wrong."""
    shell.user_ns.update(job.values())
    print(last_line(job))
    if job.lost:
        print(job.lost)
    error = job.failure()
    if error is not None:
        raise error


def _stem(notebook: str | None) -> str:
    return PurePath(notebook).stem if notebook else "cell"
