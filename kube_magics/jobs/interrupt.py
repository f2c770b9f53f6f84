"""What an interrupt of waiting means: the jobs go on, unless it comes a second time, or the site says otherwise.

KeyboardInterrupt would strike anywhere, also between taking output and writing it. So while a cell waits, interrupts
are only counted, and looked at between two batches of output.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Protocol, Self, TypeVar

from kube_magics import errors
from kube_magics.jobs import here, loop

T = TypeVar("T")

ASK_S = 3.0
"""A second interrupt within this stops the job; an idle kernel would not hear it, so the cell goes on blocking."""
SETTLE_S = 0.3
"""One key press may come as two signals (to the group, and to the kernel), and one hand may press twice: what comes so
soon after we have answered is no answer to us. And a kernel that is restarted is interrupted first: only after this is
it sure that somebody wants the job to end."""
VARIABLE = "KUBE_MAGICS_ON_INTERRUPT"
STOP, DETACH = "stop", "detach"


class Stoppable(Protocol):
    """A job."""

    name: str

    def stopping(self) -> Coroutine[Any, Any, str]:
        """End it, with its grace; on the loop."""


def chosen(environment: Mapping[str, str] = os.environ) -> str | None:
    """`stop` or `detach` where the site has decided; None: the user is asked. Raises ConfigError."""
    said = environment.get(VARIABLE) or None
    if said not in (None, STOP, DETACH):
        raise errors.ConfigError(
            f"{VARIABLE} is {said!r}: there is no such choice.",
            hint=f'import os; os.environ["{VARIABLE}"] = "detach"   (or "stop"; without it you are asked)',
        )
    return said


class Interrupts:
    """Counts the interrupts of this thread's `with`; those of other threads Python does not have.

    One inside another counts with it: what came before a job was there is heard by whoever waits for it.
    """

    def __init__(self, heard: Callable[[], None] = lambda: None) -> None:
        self.at: list[float] = []
        """When each came."""
        self.breaks = False
        """The next one is raised as well."""
        self._heard = heard
        self._before: Any = None
        self._loop = loop.loop()

    def __enter__(self) -> Self:
        before = signal.getsignal(signal.SIGINT)
        if before not in (signal.SIG_IGN, None):
            outer = getattr(before, "__self__", None)
            if isinstance(outer, Interrupts):
                self.at = outer.at
            try:
                self._before = signal.signal(signal.SIGINT, self._count)
            except ValueError:
                # Not the main thread, which is the only one that is ever interrupted.
                self._before, self.at = None, []
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def breaking(self) -> Iterator[None]:
        """An interrupt inside raises KeyboardInterrupt there, once; so does one that has come before."""
        self.breaks = True
        try:
            if self.at:
                raise KeyboardInterrupt
            yield
        finally:
            self.breaks = False

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.at.append(time.monotonic())
        # Not called here: the thread that was interrupted may hold the very lock that this takes.
        self._loop.call_soon_threadsafe(self._heard)
        if self.breaks:
            self.breaks = False
            raise KeyboardInterrupt


class Waiting:
    """A wait for `jobs`, of which interrupts are understood."""

    def __init__(self, jobs: Sequence[Stoppable], heard: Callable[[], None] = lambda: None) -> None:
        self._jobs = jobs
        self._chosen = chosen()
        self._interrupts = Interrupts(heard)
        self._seen = 0
        self._answered_at = float("-inf")
        self._until: float | None = None
        """The question stands so long."""
        self._stop_at: float | None = None
        self._stops: list[tuple[Stoppable, Future[str]]] | None = None

    def __enter__(self) -> Self:
        self._interrupts.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._interrupts.__exit__(kind, error, tb)
        if isinstance(error, errors.Detached) and (other := shown(error)) is not error:
            raise other from None

    @property
    def asked(self) -> bool:
        """The question stands, or a stop is under way: nothing slow should be begun."""
        return self._until is not None or self._stop_at is not None or bool(self._stops)

    def unless_interrupted(self, work: Callable[[], T]) -> T | None:
        """What `work` gives, which may take long; None: an interrupt has broken it off, which `look` will see."""
        self._interrupts.breaks = True
        try:
            return work()
        except KeyboardInterrupt:
            return None
        finally:
            self._interrupts.breaks = False

    def look(self) -> None:
        """Do what the interrupts so far ask for. Raises Detached, also where a job cannot be told to stop."""
        came, now = self._interrupts.at[self._seen :], time.monotonic()
        self._seen += len(came)
        if any(at > self._answered_at + SETTLE_S for at in came):
            # What came before the line could be read is one interrupt, however often the button was pressed.
            self._interrupted(now)
        elif self._stop_at is not None and now > self._stop_at:
            self._stop()
        elif self._until is not None and now > self._until:
            raise detached(self._jobs)
        self._check_stops()

    def _interrupted(self, now: float) -> None:
        nobody = self._chosen is None and not here.answers()
        if self._stops is not None or self._chosen == DETACH or nobody or here.leaving():
            raise detached(self._jobs, stopping=self._stops is not None)
        if self._until is None and self._chosen is None:
            goes_on = "it goes on" if len(self._jobs) == 1 else "they go on"
            _say(f"interrupt again to STOP {_named(self._jobs)}; {goes_on} running otherwise")
            self._until = time.monotonic() + ASK_S
        else:
            self._until, self._stop_at = None, now + SETTLE_S
        self._answered_at = time.monotonic()

    def _stop(self) -> None:
        if here.leaving():
            raise detached(self._jobs)
        _say(f"stopping {_named(self._jobs)}" + (f" ({VARIABLE}={STOP})" if self._chosen else ""))
        # In the background: the cluster may not answer, and then a further interrupt still ends the waiting.
        self._stops = [(job, loop.start(job.stopping())) for job in self._jobs]
        self._stop_at, self._answered_at = None, time.monotonic()

    def _check_stops(self) -> None:
        """What stands in the way of one is raised once all have been told."""
        if not self._stops or not all(stop.done() for _, stop in self._stops):
            return
        failed = [(job, error) for job, stop in self._stops if (error := stop.exception()) is not None]
        self._stops = []
        # One that is over and gone needs no stop: its follower says so.
        failed = [(job, error) for job, error in failed if not isinstance(error, errors.NotFound)]
        if failed:
            raise _unstoppable([job for job, _ in failed], failed[0][1]) from failed[0][1]


def detached(jobs: Sequence[Stoppable], *, stopping: bool = False) -> errors.Detached:
    """Nobody waits for `jobs` any longer."""
    one, name = len(jobs) == 1, jobs[0].name
    go_on = "goes on" if one else "go on"
    if stopping:
        go_on = "is being stopped" if one else "are being stopped"
    return errors.Detached(
        f"This cell no longer waits for {_named(jobs)}; the job{'' if one else 's'} {go_on}.",
        hint=f"%kube attach {name}   (or %kube stop {name})",
    )


def unloaded(jobs: Sequence[Stoppable]) -> errors.Detached:
    """An interrupt has broken off the loading of what `jobs`, which are over, sent back."""
    return errors.Detached(
        f"Interrupted while the results of {_named(jobs)} were being loaded: they are still where they were.",
        hint=f"%kube attach {jobs[0].name}   (or run the cell again)",
    )


def shown(error: errors.Detached) -> BaseException:
    """What is raised of `error`: in a widget's callback, which shows nothing, it is printed, and Python's own interrupt
    takes its place, which is all that a kernel expects there beside an Exception."""
    if here.shows():
        return error
    _say(str(error))
    return KeyboardInterrupt()


def _unstoppable(jobs: Sequence[Stoppable], error: BaseException) -> errors.Detached:
    what, said = (error.message, error.said) if isinstance(error, errors.KubeMagicsError) else (repr(error), None)
    one, name = len(jobs) == 1, jobs[0].name
    return errors.Detached(
        f"No word came through to stop {_named(jobs)}, which {'goes' if one else 'go'} on, as far as is known: {what}",
        said=said,
        hint=f"%kube stop {name}   (or %kube attach {name})",
    )


def _named(jobs: Sequence[Stoppable]) -> str:
    return f"job{'s' if len(jobs) > 1 else ''} {', '.join(job.name for job in jobs)}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
