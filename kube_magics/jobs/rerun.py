"""A job submitted once more, under a fresh name, without its cell: from the cluster's Job, or what this machine keeps.

All of it or nothing: what it reads is looked for before anything is made, and what was made is taken back where the
rest cannot be.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.cells.bundle import told_otherwise
from kube_magics.jobs import defaults, known, loop, records
from kube_magics.jobs.attempt import Attempt
from kube_magics.jobs.records import Record
from kube_magics.jobs.store import Store
from kube_magics.manifests.again import bundle_of, rebundled, renamed
from kube_magics.manifests.bundle import members
from kube_magics.spec import names
from kube_magics.spec.job import Submission
from kube_magics.telemetry.objects import text
from kube_magics.telemetry.rerun import hindrance
from kube_magics.telemetry.snapshot import Snapshot


def said(backend: Backend, name: str) -> str:
    """`rerun`, and what to tell of it."""
    fresh = rerun(backend, name)
    words = [f"{fresh} is submitted: the job {name} once more.", *(f"({each})" for each in backend.warnings())]
    return f"{' '.join(words)} Its output and values: %kube attach {fresh}"


def rerun(backend: Backend, name: str) -> str:
    """The name of the new job. It is not followed; its values may be loaded unasked where those of the first one may.

    Blocks: not for the loop. Raises OptionError for a job that cannot be run again, NotFound where what it needs is not
    there any more, Conflict where the name is another one's by now, SubmitError for a store that cannot be used and
    after an interrupt, and what the cluster says.
    """
    state = loop.wait(backend.poll(name))
    if why := hindrance(state):
        raise _refused(name, why)
    fresh = _Fresh(backend, state, names.name_after(name), str(uuid.uuid4()))
    kept = loop.wait(backend.kept(name))
    if kept is not None:
        fresh.submit(kept)
    else:
        fresh.copy(loop.wait(backend.recipe(name)))
    known.note("jobs", [fresh.name], all_of_them=False)
    return fresh.name


@dataclass(frozen=True)
class _Fresh:
    """The job that `state` is once more."""

    backend: Backend
    state: Snapshot
    name: str
    submission_id: str

    def submit(self, kept: Submission) -> None:
        """Of a job that is kept as it was submitted."""
        self._still(same=kept.submission_id == self.state.submission_id)
        places = self._stores(kept.bundle)
        results = {"results_dir": self.backend.runner_options(self.name)["results_dir"]}
        bundle = told_otherwise(kept.bundle, results | (places.fields if places else {}))
        again = replace(
            kept,
            name=self.name,
            submission_id=self.submission_id,
            bundle=bundle,
            bundle_sha256=hashlib.sha256(bundle).hexdigest(),
            artifacts=str(places.there) if places else None,
        )
        self._make(places, lambda: self.backend.submit(again))

    def copy(self, found: list[dict[str, Any]]) -> None:
        """Of a job that is all there is of it."""
        self._still(same=text(found[0], "metadata", "uid") == self.state.uid)
        objects = renamed(found, self.name, self.submission_id)
        defaults.allow_object(objects[0], f"job {self.state.name}")
        data = bundle_of(found) if self.state.artifacts else b""
        if places := self._stores(data):
            objects = rebundled(objects, told_otherwise(data, places.fields), str(places.there))
        self._make(places, lambda: self.backend.resubmit(objects))

    def _still(self, *, same: bool) -> None:
        """What was found is of the job that was looked at, or Conflict."""
        before = self.state.name
        if not same:
            what = f"{before} is another job by now: it was left alone."
            raise errors.Conflict(what, hint=f"%kube describe {before}")

    def _stores(self, bundle: bytes) -> _Places | None:
        """Where its values are, and where those of the new one will be; None: it has no store."""
        if not self.state.artifacts:
            return None
        record = records.find(self.state.submission_id or "")
        if record is None or not records.is_own(self.state):
            # Somebody else's Job may name any place: nobody's Job may make us read or write there.
            why = "its values have their place in a store, and it was not submitted from here"
            raise _refused(self.state.name, why)
        told, before = json.loads(members(bundle)["spec.json"])["artifacts"], Store.noted(record.artifacts)
        if before is None or (told["url"].rstrip("/"), told["folder"]) != (before.url, before.folder):
            raise _refused(self.state.name, "its values have another place in a store than its submission had")
        return _Places(before, Store.of(told["url"], self.name, self.submission_id), told)

    def _make(self, places: _Places | None, create: Callable[[], Coroutine[Any, Any, str | None]]) -> None:
        """Of a job that somebody else made nothing is noted: to load what it sends takes --trust, as of the first."""
        record: Record | None = None
        if records.is_own(self.state):
            where, artifacts = self.state.notebook or str(Path.cwd()), str(places.there) if places else None
            record = records.begin_again(self.name, self.submission_id, self.backend, where, artifacts)
        there = places.there if places else None
        once_more = f"%kube rerun {self.state.name}"
        attempt = Attempt(self.backend, self.name, self.submission_id, there, record, again=once_more)
        with attempt.whole():
            attempt.make(places.send if places else lambda: None, create)


@dataclass(frozen=True)
class _Places:
    """In a store."""

    before: Store
    there: Store
    """Of the new job."""
    told: Mapping[str, Any]
    """`artifacts` of the first one's spec.json."""

    def send(self) -> None:
        """What the first one was sent, to the new one too."""
        self.there.send_again(self.before, self.told["data"])

    @property
    def fields(self) -> dict[str, Any]:
        """Of the new one's."""
        return {"artifacts": {**self.told, "url": self.there.url, "folder": self.there.folder}}


def _refused(name: str, why: str) -> errors.OptionError:
    return errors.OptionError(f"Job {name} cannot be run again from here: {why}.", hint=f"%kube describe {name}")
