"""What a job of this machine was submitted as, so that it can be begun once more: its folder keeps it.

The bundle as it came, since programs work in what is unpacked of it; of the options those that a process here has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kube_magics import errors
from kube_magics.artifacts.pieces import Damaged, checked
from kube_magics.backends import elsewhere, jobfolder
from kube_magics.spec.environment import Secret
from kube_magics.spec.job import JobSpec, Submission

BUNDLE = "bundle.zip"
SUBMITTED = "submitted"
"""Of the job's facts: what else it was submitted with."""
READ_BYTES = 8 << 20


@dataclass(frozen=True)
class _File:
    """A Parcel, of a job whose program may have changed it: who has read it all knows that it has not."""

    home: Path
    size_bytes: int
    digests: list[list[Any]]

    def chunks(self) -> Iterator[bytes]:
        try:
            with values(self.home).open("rb") as file:
                yield from checked(iter(lambda: file.read(READ_BYTES), b""), self.digests)
        except Damaged as error:
            raise _lost(self.home, "is not whole any more: its values have changed") from error

    def parts(self) -> list[list[Any]]:
        return self.digests


def values(home: Path) -> Path:
    """Where a job's captured values stand that are too large for its bundle."""
    return home / "bundle" / "data.pkl"


def noted(submission: Submission) -> dict[str, Any]:
    """What a job's facts have of it besides."""
    spec, data = submission.spec, submission.data
    return {
        "python": spec.python,
        "cpu_ok": spec.cpu_ok,
        "env": [list(pair) for pair in spec.env],
        # A default is the cluster's: it asks for nothing here.
        "secrets": [[each.name, each.key, each.variable] for each in spec.secret if "secret" in spec.given],
        "folder": submission.folder,
        "seeds": [list(pair) for pair in submission.seeds],
        "bundle_sha256": submission.bundle_sha256,
        "data": {"bytes": data.size_bytes, "parts": data.parts()} if data is not None else None,
    }


def read(home: Path) -> Submission:
    """Raises NotFound where it is not whole, OptionError for what the job had of the notebook and this one has not."""
    facts = jobfolder.facts(home)
    more = facts.get(SUBMITTED)
    if not isinstance(more, Mapping):
        raise _lost(home, "was submitted by a version of kube_magics that did not keep all of it")
    secrets = tuple(Secret(*each) for each in more["secrets"])
    spec = JobSpec(
        gpus=facts["gpus"],
        grace=facts["grace_s"],
        python=more["python"],
        cpu_ok=more["cpu_ok"],
        env=tuple((name, value) for name, value in more["env"]),
        secret=secrets,
        returns=tuple(facts["returns"]),
        given=frozenset({"secret"} if secrets else ()),
    )
    here = elsewhere.environment(spec)
    if lacking := [each.variable for each in secrets if each.variable and each.variable not in here]:
        raise errors.OptionError(
            f"Job {home.name} had {', '.join(lacking)} of its notebook's environment, and this one has none.",
            hint=f'import os, getpass; os.environ["{lacking[0]}"] = getpass.getpass()',
        )
    try:
        bundle = (home / BUNDLE).read_bytes()
    except OSError as error:
        raise _lost(home, "is not whole any more: its files are gone") from error
    if hashlib.sha256(bundle).hexdigest() != more["bundle_sha256"]:
        raise _lost(home, "is not whole any more: its files have changed")
    return Submission(
        spec=spec,
        name=home.name,
        submission_id=facts["submission_id"],
        bundle=bundle,
        bundle_sha256=more["bundle_sha256"],
        cell_digest=facts["cell"],
        data=_data(home, more["data"]),
        artifacts=facts["artifacts"],
        notebook=facts["notebook"],
        label=facts["label"],
        folder=more["folder"],
        seeds=tuple((name, number) for name, number in more["seeds"]),
        version=facts["version"],
    )


def _data(home: Path, told: Mapping[str, Any] | None) -> _File | None:
    if told is None:
        return None
    path = values(home)
    if not path.is_file() or path.stat().st_size != told["bytes"]:
        raise _lost(home, "is not whole any more: its values are gone")
    return _File(home, told["bytes"], told["parts"])


def _lost(home: Path, how: str) -> errors.NotFound:
    return errors.NotFound(f"Job {home.name} {how}.", hint="run its cell again")
