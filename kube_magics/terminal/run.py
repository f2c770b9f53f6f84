"""One verb at a terminal: its answer to stdout, its errors to stderr, and an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence

from kube_magics.doctor.line import Report, row
from kube_magics.errors import Told
from kube_magics.jobs import here
from kube_magics.jobs.choose import leave
from kube_magics.jobs.debugging import Debugging
from kube_magics.jobs.interrupt import chosen
from kube_magics.jobs.job import Job
from kube_magics.jobs.remote import frames_of, is_of_job
from kube_magics.spec.verbpages import TERMINAL
from kube_magics.terminal import codes
from kube_magics.verbs.call import call
from kube_magics.verbs.describe import Description
from kube_magics.verbs.door import Door
from kube_magics.verbs.table import Table
from kube_magics.verbs.why import Answer

WAITING = ("run", "attach")
"""Verbs that end as their job does."""


def run(words: Sequence[str]) -> int:
    """Run one verb; the exit code."""
    door, debugging = Door(prog=TERMINAL, seen=_seen, lasting=False), Debugging()
    here.set_limited(False)
    here.set_typed(door.typed)
    try:
        if chosen() is not None:
            # What cancels a command need not press Ctrl-C: where the site has decided, TERM is an interrupt, too.
            signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
        return _show(call(words, door, debugging))
    except BaseException as error:
        own = is_of_job(error)  # the job's KeyboardInterrupt is none of ours, nor are its broken pipes
        if not isinstance(error, Told) and not own:
            raise
        sys.stdout.flush()
        sys.stderr.write(_said(error, door, whole=debugging.active))
        return codes.FAILED if own else codes.of(error, waited=words[0] in WAITING)
    finally:
        debugging.off()
        leave()


def _seen(report: Report) -> None:
    print(row(report.lines[-1]), flush=True)


def _show(answer: object) -> int:
    if isinstance(answer, Report):
        print(answer.summary)  # its lines have been seen
    elif isinstance(answer, (Table, Description, Answer)):
        print(answer.text())
    elif isinstance(answer, Job):
        print(answer.name)
    return codes.FAILED if isinstance(answer, Report) and answer.broken else 0


def _said(error: BaseException, door: Door, *, whole: bool) -> str:
    if is_of_job(error):
        shown = error.with_traceback(frames_of(error))
        return "".join(traceback.format_exception(shown))
    if whole:
        return door.typed("".join(traceback.format_exception(error)))
    notes: list[str] = getattr(error, "__notes__", [])
    said = "\n".join([str(error), *notes])
    return f"{type(error).__name__}: {door.typed(said)}\n"
