"""`--artifacts` on the notebook's side: what a job is sent and told, what comes back, and what is cleared away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from kube_magics import errors
from kube_magics.artifacts import fetch
from kube_magics.artifacts.pieces import StoreError, checked
from kube_magics.artifacts.store import OURS, Folder, Remote, at, protocol, requirements
from kube_magics.cells.values.data import Data
from kube_magics.spec.job import Parcel

BEFORE = {"module": "kube_magics_artifacts.fetch", "stage": "fetching", "reason": "fetch"}
AFTER = {"module": "kube_magics_artifacts.collect", "stage": "collecting", "reason": "collect", "always": True}
"""Also after a program that failed: its checkpoints are worth more than ever."""
NOBODY_ELSES = ("file", "s3", "gs", "gcs", "abfs", "az", "oci")
"""Protocols whose host the user has configured. Another's URL names the host: nobody's Job may make us go there."""


class _Unread(StoreError):
    """What is to be written could not be read where another job has it."""


@dataclass(frozen=True)
class Store:
    """The place of one job below the URL."""

    url: str
    folder: str
    """`NAME-` and the submission id without dashes: no other job has it, and no folder of anything else."""

    def __str__(self) -> str:
        return f"{self.url.rstrip('/')}/{self.folder}"

    @classmethod
    def of(cls, url: str, name: str, submission_id: str) -> Store:
        return cls(url, f"{name}-{submission_id.replace('-', '')}")

    @classmethod
    def parse(cls, text: str, name: str, submission_id: str | None) -> Store | None:
        """The store that a Job's annotation names, if it is this job's; anybody may have written the annotation."""
        url, _, folder = text.rpartition("/")
        if not url or not submission_id or protocol(url) not in NOBODY_ELSES:
            return None
        return cls(url, folder) if cls.of(url, name, submission_id).folder == folder else None

    @classmethod
    def noted(cls, text: str | None) -> Store | None:
        """The store that this user's own record names."""
        url, _, folder = (text or "").rpartition("/")
        return cls(url, folder) if url else None

    @property
    def requirements(self) -> list[str]:
        """What the job's Python needs for it."""
        return requirements(self.url)

    def fields(self, data: Data | None, *, writes: bool, keeps: bool = False) -> dict[str, Any]:
        """`artifacts` of spec.json."""
        parcel = {"bytes": data.size_bytes, "parts": data.parts()} if data else None
        return {"url": self.url, "folder": self.folder, "data": parcel, "writes": writes, "keeps": keeps}

    def send(self, data: Parcel | None) -> None:
        """Make the job's place and write the captured values there; raises SubmitError, nothing being left."""
        self._send(data.chunks() if data is not None else None)

    def send_again(self, before: Store, told: Mapping[str, Any] | None) -> None:
        """The same with the captured values of another job, where they still are; `told`: `data` of its `fields`.

        Raises NotFound where they are not.
        """
        if told is None:
            return self._send(None)
        chunks = before._values(told["parts"])
        try:
            first = next(chunks, b"")  # before a place is made for them
            return self._send(chain([first], chunks))
        except _Unread as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise errors.NotFound(
                    f"The values that it would read are no longer in {before}: a job takes them away once it has them.",
                    said=str(error),
                    hint="run its cell again",
                ) from error
            raise errors.SubmitError(
                f"The values that it would read could not be read from {before}.",
                said=str(error),
                hint=f"%pip install {error.package}" if error.package else "run its cell again",
            ) from error

    def _values(self, parts: list[list[Any]]) -> Iterator[bytes]:
        """The captured values that were sent here, checked; raises _Unread."""
        try:
            yield from checked(self._place().read(fetch.DATA), parts)
        except StoreError as error:
            raise _Unread(str(error), error.package) from (error.__cause__ or error)

    def _send(self, values: Iterable[Any] | None) -> None:
        try:
            place = self._place()
            place.begin()
            if values is not None:
                place.put(fetch.DATA, values)
        except _Unread:
            self.clear()
            raise
        except StoreError as error:
            self.clear()
            raise errors.SubmitError(
                f"--artifacts {self.url} cannot be written to from here.",
                said=str(error),
                hint=f"%pip install {error.package}" if error.package else "a URL that this notebook may write to",
            ) from error
        except BaseException:
            self.clear()
            raise

    def read(self, name: str, entry: Mapping[str, Any]) -> Iterator[bytes]:
        """A result's bytes, checked; raises ResultError, the last piece having told whether all were right, and
        ResultMissing for what is not there any more."""
        try:
            if not OURS.fullmatch(str(entry["at"])):
                raise StoreError(f"the job names no file of its own: {entry['at']!r}")
            parts = [[0, entry["bytes"], entry["sha256"]]] if entry["bytes"] else []
            yield from checked(self._place().read(entry["at"]), parts)
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise errors.ResultMissing(
                    f"{name} could not be fetched from {self}: it is not there any more.",
                    hint="another notebook that waited for this job has it   (whoever is first takes it away)",
                ) from error
            raise errors.ResultError(
                f"{name} could not be fetched from {self}.", said=str(error), hint=f"it is kept there, as {entry['at']}"
            ) from error

    def clear(self) -> str | None:
        """Remove what the job has there; what stands in the way, if anything."""
        try:
            self._place().clear()
        except StoreError as error:
            return str(error)
        return None

    def _place(self) -> Folder | Remote:
        return at(self.url, self.folder)
