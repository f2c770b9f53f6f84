"""A job's output, written by the thread that waits for it: a cell's own thread reaches its own cell, always."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from kube_magics import errors
from kube_magics.jobs import here
from kube_magics.jobs.interrupt import Waiting
from kube_magics.jobs.job import Job
from kube_magics.jobs.logfile import free
from kube_magics.jobs.pane import Pane, pane_of
from kube_magics.jobs.screen import BATCH_S, STDOUT, WAITS, Screen
from kube_magics.runner.images import Picture
from kube_magics.spec.quantities import human_bytes, human_seconds

LONGEST_WAIT_S = 0.5


def show(job: Job) -> Pane:
    """Write the output of a job submitted here below its card, until its last word has come. Raises Detached, see
    `interrupt`. Gives the card, for what is known of the job only afterwards."""
    screen, pane = job.screen, pane_of(job)
    if screen is None:
        return pane
    with Waiting([job], screen.wake) as waiting:
        pane.update()
        try:
            while not job.done(0):
                screen.wait(LONGEST_WAIT_S)
                _write(job, screen, pane)
                pane.update()
                waiting.look()
                job.done(BATCH_S)
            _write(job, screen, pane, last=True)
        finally:
            pane.update(last=True)
    return pane


def _write(job: Job, screen: Screen, pane: Pane, *, last: bool = False) -> None:
    write(screen.take(last=last), here.display() or _keeper(job), waits=not pane.shows)


def write(
    pieces: Iterable[tuple[int, str] | Picture], show_picture: Callable[[Picture], None], *, waits: bool = True
) -> None:
    """What a screen gives, each to its own stream; `waits` False: why the job waits is shown elsewhere."""
    for piece in pieces:
        if isinstance(piece, Picture):
            show_picture(piece)
            continue
        stream, text = piece
        if stream == WAITS and not waits:
            continue
        out = sys.stdout if stream == STDOUT else sys.stderr
        out.write(here.typed(text) if stream == WAITS else text)
        out.flush()


def _keeper(job: Job) -> Callable[[Picture], None]:
    """Where pictures cannot be shown they are kept beside the log, and a line says so."""

    def keep(picture: Picture) -> None:
        assert job.log_path is not None
        path = free(job.log_path.with_suffix(".png"))
        try:
            path.write_bytes(picture.data)
        except OSError as error:
            sys.stdout.write(f"[kube_magics: {picture.line}: not kept: {error.strerror}]\n")
        else:
            sys.stdout.write(f"[kube_magics: {picture.line}: {path}]\n")

    return keep


def warn(sentences: Iterable[str]) -> None:
    """One line each, where the cell's errors go."""
    for sentence in sentences:
        sys.stderr.write(f"[kube_magics: {sentence}]\n")


def last_line(job: Job) -> str:
    """How it went, in one line: `job digits-x7k2p done in 42 s; back: model; log: …`."""
    error = job.failure()
    ended = "done" if error is None or isinstance(error, errors.ResultError) else "failed"
    if isinstance(error, errors.JobStopped):
        ended = "stopped"
    if isinstance(error, errors.ClusterError):
        ended = "is out of sight"  # it goes on, or not: what is known of it, the error says
    took = "" if job.duration_s is None else f" {'in' if ended == 'done' else 'after'} {human_seconds(job.duration_s)}"
    names = ", ".join(job.arrived())
    back = f"; back: {names}" if names and not names.startswith("@") else ""
    files = job.files()
    back += f"; files: {len(files)} ({human_bytes(sum(files.values()))})" if files else ""
    log = f"; log: {job.log_path}" if job.log_path and job.log_path.exists() else ""
    return f"job {job.name} {ended}{took}{back}{log}"
