"""What a job is to install before its program begins, as spec.json says it to the runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kube_magics.cells.capture import Capture
from kube_magics.cells.files import requirements
from kube_magics.spec.job import JobSpec

STEP = {"stage": "installing", "reason": "install", "module": "kube_magics_runner.install", "args": ["asked"]}


def plan(
    spec: JobSpec, capture: Capture, *, cache: str | None = None, more: Sequence[str] = ()
) -> dict[str, Any] | None:
    """`install` of spec.json; None: nothing can be to install.

    `cache` is where a claim of `--cache` is mounted, `more` what other features need in the job (a storage's client).
    What the program lacks (`auto`) only the image knows; what is asked for by name is there before it starts.
    """
    listed = requirements.Requirements()
    if spec.requirements:
        listed = requirements.read("--requirements", spec.requirements, Path.cwd())
    named = spec.pip.split() if spec.pip not in ("auto", "none") else []
    for word in (*named, *capture.requirements):
        requirements.check("--pip", word, "the line")
    found = {
        "auto": spec.pip == "auto" and bool(capture.imports),
        "requirements": list(dict.fromkeys([*named, *capture.requirements, *listed.lines])),
        "constraints": list(listed.constraints),
        "more": [] if spec.pip == "none" else list(more),
        "cache": cache if spec.cache else None,
    }
    return found if any(found[key] for key in ("auto", "requirements", "more")) else None


def steps(install: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What of it the runner does before the program."""
    return [STEP] if install["requirements"] or install["more"] else []
