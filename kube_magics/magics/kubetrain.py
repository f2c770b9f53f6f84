"""`%%kubetrain`: the cell below the line runs as a job; its output, values and exceptions come back here."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from kube_magics.cells.capture import capture
from kube_magics.jobs import defaults, here
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.debugging import Debugging
from kube_magics.jobs.job import Job
from kube_magics.jobs.origin import Origin
from kube_magics.magics import line as lines
from kube_magics.magics import notebook as notebooks
from kube_magics.spec.parse import parse
from kube_magics.verbs.launch import launch

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
    return launch(notebooks.door(shell), spec, captured, origin, stem=stem, cell=sent, notebook=notebook)
