"""What an interrupt of waiting means: the jobs go on, unless it comes a second time, or the site says otherwise.

KeyboardInterrupt would strike anywhere, also between taking output and writing it. So while a cell waits, interrupts
are only counted, and looked at between two batches of output.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from kube_magics import errors
from kube_magics.jobs import loop

ASK_S = 3.0
"""A second interrupt within this stops the job; an idle kernel would not hear it, so the cell goes on blocking."""
VARIABLE = "KUBE_MAGICS_ON_INTERRUPT"
STOP, DETACH = "stop", "detach"


class Stoppable(Protocol):
    """A job."""

    name: str

    def stop(self) -> str:
        """End it, with its grace."""


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
    """Counts the interrupts of this thread's `with`; those of other threads Python does not have."""

    def __init__(self, heard: Callable[[], None] = lambda: None) -> None:
        self.count = 0
        self._heard = heard
        self._before: Any = None
        self._loop = loop.loop()

    def __enter__(self) -> Self:
        if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
            try:
                self._before = signal.signal(signal.SIGINT, self._count)
            except ValueError:
                # Not the main thread, which is the only one that is ever interrupted.
                self._before = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        # Not called here: the thread that was interrupted may hold the very lock that this takes.
        self._loop.call_soon_threadsafe(self._heard)


class Waiting:
    """A wait for `jobs`, of which interrupts are understood."""

    def __init__(self, jobs: Sequence[Stoppable], heard: Callable[[], None] = lambda: None) -> None:
        self._jobs = jobs
        self._chosen = chosen()
        self._interrupts = Interrupts(heard)
        self._seen = 0
        self._until: float | None = None
        self._stopping = False

    def __enter__(self) -> Self:
        self._interrupts.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._interrupts.__exit__(kind, error, tb)

    def look(self) -> None:
        """Do what the interrupts so far ask for. Raises Detached, or what stands in the way of a stop."""
        if self._interrupts.count > self._seen:
            # What came before the line could be read is one interrupt, however often the button was pressed.
            self._seen = self._interrupts.count
            self._interrupted()
        elif self._until is not None and time.monotonic() > self._until:
            raise self._detached()

    def _interrupted(self) -> None:
        if self._stopping or self._chosen == DETACH:
            raise self._detached()
        if self._until is None and self._chosen is None:
            goes_on = "it goes on" if len(self._jobs) == 1 else "they go on"
            _say(f"interrupt again to STOP {self._named()}; {goes_on} running otherwise")
            self._until = time.monotonic() + ASK_S
            return
        self._until, self._stopping = None, True
        _say(f"stopping {self._named()}" + (f" ({VARIABLE}={STOP})" if self._chosen else ""))
        for job in self._jobs:
            job.stop()

    def _named(self) -> str:
        return f"job{'s' if len(self._jobs) > 1 else ''} {', '.join(job.name for job in self._jobs)}"

    def _detached(self) -> errors.Detached:
        one, name = len(self._jobs) == 1, self._jobs[0].name
        go_on = "goes on" if one else "go on"
        if self._stopping:
            go_on = "is being stopped" if one else "are being stopped"
        return errors.Detached(
            f"This cell no longer waits for {self._named()}; the job{'' if one else 's'} {go_on}.",
            hint=f"%kube attach {name}   (or %kube stop {name})",
        )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
