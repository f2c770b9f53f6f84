"""`Job`: one job as Python sees it, whoever made it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import MutableMapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.cells.results import Arrived, load_result
from kube_magics.jobs import cards, endings, homecoming, loop, readers, records, remote, stopping
from kube_magics.jobs.arrivals import Arrivals, Loads, moved_line
from kube_magics.jobs.follow import Follower, Outcome
from kube_magics.jobs.interrupt import Waiting, shown, unloaded
from kube_magics.jobs.origin import VALUE, Origin, untrusted
from kube_magics.jobs.pane import pane_of
from kube_magics.jobs.raised import raised
from kube_magics.jobs.screen import Screen
from kube_magics.telemetry.card import Brought, Card
from kube_magics.telemetry.progress import Progress
from kube_magics.telemetry.snapshot import FAILED, SUCCEEDED, Snapshot, succeeded

LOOK_S = 0.1
"""Between two looks at the interrupts of a wait."""


class Job:
    """One job. Methods block and may be called from any thread but the background loop's.

    Every method raises an error of `kube_magics.errors` when the cluster refuses or does not answer.
    """

    def __init__(
        self,
        backend: Backend,
        name: str,
        follower: Follower | None = None,
        origin: Origin | None = None,
        *,
        screen: Screen | None = None,
    ) -> None:
        self.name = name
        """Unique in its namespace."""
        self._backend = backend
        self._follower = follower
        self._origin = origin
        self._screen = screen
        self._lock = threading.Lock()
        self._values: dict[str, Any] | None = None
        self._error: BaseException | None = None
        self._files: dict[str, int] = {}
        self._arrivals: Arrivals | None = None
        self._arrived_here = Arrived()
        self._noted = False

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace; `local` for a job on this machine."""
        return self._backend.namespace

    @property
    def status(self) -> str:
        """`pending`, `running`, `succeeded`, `failed`, `stopped`, `suspended`, `incomplete` or `gone`."""
        if self._follower is not None:
            outcome = self._follower.outcome
            # Its runner, which only heard a signal, cannot know who stopped it; the cluster may.
            if outcome.end is not None and outcome.end.get("reason") != "stopped":
                return SUCCEEDED if succeeded(outcome.end) else FAILED
            if outcome.snapshot is not None and outcome.snapshot.over:
                return outcome.snapshot.phase
        return self.snapshot().phase

    def snapshot(self) -> Snapshot:
        """The job's state now."""
        return loop.wait(self._backend.poll(self.name))

    def progress(self) -> Progress | None:
        """How far it is, by its own words: `kube_magics.report`, or a progress bar in its output.

        None where it has said nothing of it, or is followed by another process.
        """
        return self._follower.progress() if self._follower is not None else None

    def card(self) -> Card:
        """What is known of the job now: its stages, what it uses, how it ended; a notebook shows it as a small table.

        Of a job that is followed here it costs no request.
        """
        if self._follower is None:
            return cards.asked(self._backend, self.name)
        log = self._follower.log.path
        back = tuple(name for name in self._values or () if not name.startswith("@"))
        brought = Brought(back, dict(self._files), str(log) if log.exists() else None)
        return cards.followed(self._backend, self._follower, brought)

    def wait(self, timeout: float | None = None) -> str:
        """Block until the job is over; returns its status. Raises TimeoutError after `timeout` seconds.

        Raises Detached where an interrupt ends the waiting, as in a cell.
        """
        if self._follower is not None:
            self._wait_for_last_word(timeout)
            return self.status
        until = None if timeout is None else time.monotonic() + timeout
        while not (state := self.snapshot()).over:
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"job {self.name} still runs after {timeout} s")
            time.sleep(1.0)
        return state.phase

    def _wait_for_last_word(self, timeout: float | None) -> None:
        if self.done(0):
            return
        until, pane = math.inf if timeout is None else time.monotonic() + timeout, pane_of(self)
        with Waiting([self]) as waiting:
            try:
                while not self.done(min(LOOK_S, until - time.monotonic())):
                    pane.update()
                    waiting.look()
                    if time.monotonic() >= until:
                        raise TimeoutError(f"job {self.name} still runs after {timeout} s")
            finally:
                pane.update(last=True)

    def done(self, timeout: float | None = None) -> bool:
        """Whether the last word of a job submitted here has come, waiting up to `timeout` seconds for it."""
        return self._follower is None or self._follower.done.wait(timeout)

    @property
    def never_ran(self) -> bool:
        """Over, or given up, before its program started."""
        if self._follower is None or not self.done(0):
            return False
        outcome = self._follower.outcome
        if outcome.failure is not None:
            # It could not be followed, which says nothing about the job.
            return False
        # A quick job's log is at its end before the cluster calls the pod started: what was heard decides.
        return outcome.snapshot is not None and not outcome.snapshot.started and not outcome.heard

    @property
    def duration_s(self) -> float | None:
        """Seconds that its program ran, as the runner measured them; None: unknown."""
        end = self._follower.outcome.end if self._follower else None
        return end.get("duration_s") if end else None

    def result(self, timeout: float | None = None) -> Any:
        """Block for the job's value; raise the job's own exception, or what ended it.

        Returns the function's value for `train` and `remote`, a dict of the `--returns` names for a cell, None where
        nothing was to come back. Raises TimeoutError after `timeout` seconds.
        """
        if self._follower is None:
            self.wait(timeout)
        # What ended it is known by then: an answer of the cluster could only stand in the way of saying so.
        self._wait_for_last_word(timeout)
        values = self.values()
        if self._error is not None:
            # Raised for the second time, it does not show where it was raised for the first.
            raise self._error.with_traceback(remote.frames_of(self._error))
        if self._origin is None:
            return None
        return values.get(VALUE) if self._origin.returns == (VALUE,) else values

    def values(self) -> dict[str, Any]:
        """Block until the job is over; the values that arrived, by name; empty when it failed. See `failure`.

        They count as fetched then. Raises Detached where an interrupt ends the waiting, or breaks off their loading.
        """
        values = self._loaded()
        self._note_fetched()
        return dict(values)

    def bring(self, namespace: MutableMapping[str, Any]) -> None:
        """As `values`, as names of `namespace`; an interrupt on their way loses none."""
        namespace.update({name: value for name, value in self._loaded().items() if name.isidentifier()})
        self._note_fetched()

    def _loaded(self) -> dict[str, Any]:
        try:
            return self.arrived()
        except KeyboardInterrupt:
            raise shown(unloaded([self])) from None

    def arrived(self) -> dict[str, Any]:
        """As `values`, for whoever does not hand them out yet: they count as not fetched. An interrupt of their loading
        is Python's."""
        if not self.done(0):  # what is loaded before the last word has come would be all there ever is
            self._wait_for_last_word(None)
        with self._lock:
            if self._values is None:
                self._values, self._error = self._collect()
            return self._values

    def files(self) -> dict[str, int]:
        """Block until the job is over; the files that came back, by path, and their sizes in bytes."""
        self.arrived()
        return dict(self._files)

    @property
    def lost(self) -> str | None:
        """What the job wrote into a folder that went with it, in one sentence; None: nothing."""
        return homecoming.lost_line(self._follower.outcome.files) if self._follower else None

    @property
    def moved(self) -> str | None:
        """Which values have their tensors on the CPU here, in one sentence; None: all are where they were."""
        return moved_line(self._arrived_here.moved)

    def failure(self) -> BaseException | None:
        """Block until the job is over; what `result` would raise; None: nothing."""
        self.arrived()
        return self._error

    def logs(self) -> str:
        """The log so far, both streams in the order they came, without kube_magics' own events."""
        log = self._follower.log if self._follower else None
        if log is not None and not log.problem and log.path.is_file():
            return log.path.read_text("utf-8", "replace")
        from kube_magics.jobs.listing import read_log

        return loop.wait(read_log(self._backend, self.name)).text

    @property
    def where(self) -> str:
        """Backend, context and namespace, and why these, for people."""
        return self._backend.where()

    @property
    def screen(self) -> Screen | None:
        """The output that waits to be shown; None for a job of another process."""
        return self._screen

    @property
    def log_path(self) -> Path | None:
        """The file that the whole log is written to; None for a job of another process."""
        return self._follower.log.path if self._follower else None

    def stop(self) -> str:
        """TERM, grace, KILL; the job and its log stay. Returns what was done, as a sentence."""
        return loop.wait(self.stopping())

    async def stopping(self) -> str:
        """`stop`, on the loop."""
        return await stopping.stop(self._backend, self.name)

    def delete(self) -> None:
        """Remove the job and all that it owns from the cluster (or this machine), and what it has in a store.

        Raises ResultError where the store refuses; the job is deleted then.
        """
        stopping.delete(self._backend, self.name)

    def __repr__(self) -> str:
        try:
            state = self.status
        except errors.KubeMagicsError as error:
            state = f"unknown: {error.message}"
        return f"<Job {self.name} in {self.namespace}: {state}>"

    def _collect(self) -> tuple[dict[str, Any], BaseException | None]:
        if self._follower is None or self._origin is None:
            seen = self._follower.outcome if self._follower else Outcome(snapshot=self.snapshot())
            return {}, endings.error_of(self.name, seen, None)
        outcome, origin = self._follower.outcome, self._origin
        error = raised(self._backend, self.name, outcome, origin, self._loads(origin))
        if origin.sealed:
            return {}, error or (untrusted(self.name) if origin.returns else None)
        arrivals = Arrivals(self._backend, self.name, outcome, origin.store)
        # What a job has kept before it was ended from outside is no less worth for that.
        names = origin.returns if error is None else [name for name in origin.returns if arrivals.brought(name)]
        with readers.reading(origin.submission_id if origin.store else None):
            values = arrivals.values(names, self._loads(origin))
            if origin.home is not None:
                self._files = arrivals.files(origin.home)
        self._arrivals = arrivals
        return values, error or arrivals.error()

    def _note_fetched(self) -> None:
        """So that the same cell, run again, is a new job. In the background: the cell need not wait for it."""
        if self._noted or self._follower is None or self._origin is None or self._origin.sealed or not self._origin.own:
            return
        if self._arrivals is not None and self._arrivals.out_of_reach:
            return  # the same cell, run again, brings what the job has computed, and computes nothing anew
        self._noted, outcome = True, self._follower.outcome
        over = outcome.end is not None or (outcome.snapshot is not None and outcome.snapshot.over)
        if over and self._origin.submission_id:
            records.close(self._origin.submission_id)
            uid = outcome.snapshot.uid if outcome.snapshot else None
            loop.start(self._backend.fetched(self.name, uid))
        if outcome.end is not None and self._arrivals is not None:
            # A thread that a script's end waits for: nobody else would clear it. An interrupt would leave half of it.
            clear = partial(readers.unless_read, self._origin.submission_id, self._arrivals.clear)
            threading.Thread(target=clear, name="kube_magics clears").start()

    def _loads(self, origin: Origin) -> Loads:
        if origin.sealed:
            return self._refuse
        versions = self._follower.outcome.versions if self._follower else {}
        definitions = replace(origin.definitions, versions=versions)
        arrived = self._arrived_here = Arrived()
        return lambda name, data: load_result(data, origin.namespace, definitions, name, arrived)

    def _refuse(self, _name: str, _data: object) -> NoReturn:
        raise untrusted(self.name)
