"""What a job sent back, from wherever it is: the log, the store, the job's own folder. Each name by itself, whole."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from kube_magics import errors
from kube_magics.artifacts.store import READ_BYTES
from kube_magics.backends.contract import Backend
from kube_magics.jobs import homecoming, loop
from kube_magics.jobs.follow import Outcome
from kube_magics.jobs.homecoming import Home
from kube_magics.jobs.origin import VALUE
from kube_magics.jobs.store import Store
from kube_magics.runner.spoiled import MISSING
from kube_magics.runner.workfiles import FILE
from kube_magics.spec.quantities import human_bytes

Loads = Callable[[str, bytes | BinaryIO], object]
"""The value of a name, from its pickle."""
Source = bytes | Path | Iterator[bytes]
"""A result in memory, in a file of this machine, or on its way."""


class Arrivals:
    """The results of one job that is over; what did not arrive is in `problems`."""

    def __init__(self, backend: Backend, job: str, outcome: Outcome, store: Store | None) -> None:
        self.problems: list[errors.ResultError] = []
        self.out_of_reach = False
        """Something is where the job left it: the way to it, or something here, kept it from coming."""
        self._backend = backend
        self._job = job
        self._outcome = outcome
        self._store = store
        self._wanted_still = False
        """Something in the store is nowhere else yet."""

    def brought(self, name: str) -> bool:
        """Whether the job has left it, whole, before it ended; not asked of one that is out of sight."""
        return self._outcome.failure is None and self._source(name) is not None

    def values(self, names: Sequence[str], loads: Loads) -> dict[str, Any]:
        """Values by name; one that fails does not keep the others away."""
        found: dict[str, Any] = {}
        for name in names:
            try:
                source = self._source(name)
                if source is None:
                    raise _absent(name, self._outcome)
                found[name] = self._loaded(name, source, partial(loads, name))
            except errors.ResultError as error:
                self._failed(name, error)
        return found

    def files(self, home: Home) -> dict[str, int]:
        """Brings the files that were asked for; path and size of each."""
        found: dict[str, int] = {}
        for name in dict.fromkeys([*self._outcome.results, *self._outcome.stored]):
            path = homecoming.path_of(name)
            if path is None:
                continue
            try:
                source = self._source(name)
                if source is None:
                    raise errors.ResultMissing(f"{path} did not come back: it is gone.", hint="run the cell again")
                found[path] = home.bring(path, _chunks(source))
            except errors.ResultError as error:
                self._not_reached(error)
                self._failed(name, error)
        self.problems += homecoming.not_back(self._outcome.files or {})
        self.problems += [
            errors.ResultError(f"{name.removeprefix(FILE)} did not arrive whole: {why}.", hint="run the cell again")
            for name, why in self._outcome.corrupt.items()
            if name.startswith(FILE)
        ]
        return found

    def clear(self) -> None:
        """What has arrived is not kept in the store any longer; what has not, stays."""
        if self._store is not None and not self._wanted_still:
            self._store.clear()

    def error(self) -> errors.ResultError | None:
        """All problems as one error: of their class, if they have the same one."""
        if len(self.problems) < 2:
            return self.problems[0] if self.problems else None
        kinds = {type(problem) for problem in self.problems}
        kind = kinds.pop() if len(kinds) == 1 else errors.ResultError
        hints = dict.fromkeys(problem.hint for problem in self.problems if problem.hint)
        said = dict.fromkeys(problem.said for problem in self.problems if problem.said)
        return kind(
            "\n".join(problem.message for problem in self.problems),
            said="\n".join(said) or None,
            hint="\n".join(hints) or None,
        )

    def _loaded(self, name: str, source: Source, loads: Callable[[bytes | BinaryIO], object]) -> object:
        """The value, once all of it is here: what comes in pieces waits on the disk, not in memory."""
        if isinstance(source, bytes):
            return loads(source)
        if isinstance(source, Path):
            with source.open("rb") as file:
                return loads(file)
        with ExitStack() as open_:
            try:
                # Unbuffered: what a full disk does not take would be tried again, and raised, when the file is closed.
                whole = open_.enter_context(tempfile.TemporaryFile(buffering=0))
                for chunk in source:
                    left = memoryview(chunk)
                    while left:
                        left = left[whole.write(left) :]
                whole.seek(0)
            except errors.ResultError as error:
                self._not_reached(error)
                raise
            except OSError as error:
                self.out_of_reach = True
                raise errors.ResultError(
                    f"{name} came back, and there is no room for it in {tempfile.gettempdir()}.",
                    said=error.strerror,
                    hint=f"make room there (or set TMPDIR), then: %kube attach {self._job}",
                ) from error
            return loads(open_.enter_context(io.BufferedReader(whole)))

    def _not_reached(self, error: errors.ResultError) -> None:
        self.out_of_reach = self.out_of_reach or not isinstance(error, errors.ResultMissing)

    def _failed(self, name: str, error: errors.ResultError) -> None:
        self.problems.append(error)
        absent = isinstance(error, errors.ResultMissing)
        self._wanted_still = self._wanted_still or (name in self._outcome.stored and not absent)

    def _source(self, name: str) -> Source | None:
        if name in self._outcome.results:
            return self._outcome.results[name]
        entry: Mapping[str, Any] = self._outcome.stored.get(name, {})
        if entry.get("at") is not None and self._store is not None:
            return self._store.read(name.removeprefix(FILE), entry)
        return loop.wait(self._backend.stored(self._job, name))


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, Path):
        with source.open("rb") as file:
            yield from iter(lambda: file.read(READ_BYTES), b"")
    else:
        yield from source


def _absent(result: str, outcome: Outcome) -> errors.ResultError:
    end, name = outcome.end or {}, "the value" if result == VALUE else result
    if result in (end.get("too_large") or {}):
        size = human_bytes(end["too_large"][result])
        return errors.ResultTooLarge(
            f"{name} is {size}; a result of up to 1.0 MB travels back through the log.",
            hint="--artifacts URL carries large results; or return less (a state_dict in half precision, a summary)",
        )
    if result in outcome.corrupt:
        return errors.ResultError(f"{name} did not arrive whole: {outcome.corrupt[result]}.", hint="run the cell again")
    why = (end.get("missing") or {}).get(result)
    if why is None and outcome.pod_gone:
        what = f"{name} did not come back: the job's pod is gone, and with it the log that carried it."
        return errors.ResultMissing(what, hint="run the cell again   (--artifacts URL keeps what a log would carry)")
    if why is None:
        what = f"{name} did not come back: the job's log, which carries it, has not been read to its end."
        return errors.ResultMissing(what, hint="run the cell again   (reading the log takes the right `get pods/log`)")
    return errors.ResultMissing(f"{name} did not come back: {why}.", hint=_fix(result, why))


def _fix(name: str, why: str) -> str:
    if why.startswith("cannot be pickled"):
        if name == VALUE:
            return "return what it is made of, as plain values"
        return f"return what {name} is made of, as plain values, or leave it out of --returns"
    if why.startswith("cannot be written"):
        return "write less into the job's own folder: large files belong on a --volume CLAIM:/path"
    if why == MISSING:
        return "remove only what the job itself has made, not all of its /tmp"
    return f"set {name} in the cell, or leave it out of --returns"


def moved_line(moved: Mapping[str, set[str]]) -> str | None:
    """Of values with tensors that are on the CPU here -> the GPUs they were on; None: there are none."""
    if not moved:
        return None
    names = ", ".join("the value" if name == VALUE else name for name in moved)
    devices = ", ".join(sorted(set().union(*moved.values())))
    return f"on the CPU here: the tensors of {names}, which were on {devices}; this notebook has no such GPU"
