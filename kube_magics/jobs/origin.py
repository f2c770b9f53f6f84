"""What a notebook knows of a job that it submitted, and of one that it did not."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from kube_magics import errors
from kube_magics.cells.definitions.jobcode import Definitions
from kube_magics.jobs.homecoming import Home
from kube_magics.jobs.store import Store

VALUE = "@value"
"""Result name of a function's value."""


@dataclass(frozen=True)
class Origin:
    """What the notebook knows of a job that it submitted: needed to bring values and exceptions home."""

    namespace: MutableMapping[str, Any]
    """The notebook's names."""
    definitions: Definitions
    """Of the job's cell, for classes that exist only there."""
    returns: tuple[str, ...]
    timeout_s: int | None = None
    store: Store | None = None
    """Of --artifacts."""
    home: Home | None = None
    """Where the files of --returns-files come to."""
    submission_id: str | None = None
    own: bool = True
    """This user submitted it: what is fetched here, nobody waits for any more."""
    sealed: bool = False
    """Anybody may have made the job: nothing that it sent back is loaded."""


def untrusted(name: str) -> errors.Untrusted:
    """Why what a job sent back is not loaded."""
    return errors.Untrusted(
        f"What job {name} sent back is not loaded: you did not submit it from this account, and loading runs its code.",
        hint=f"%kube attach {name} --trust   (if you trust whoever made it)",
    )
