"""The runner of a local job as a process: its start, its signals, and locks. POSIX only."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kube_magics import errors
from kube_magics.backends.jobfolder import LOG


def start(home: Path, python: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The runner, in a session of its own. Raises SubmitError where there is no such interpreter."""
    bundle = home / "bundle"
    with (home / LOG).open("wb") as log, (home / "runner.err").open("wb") as err:
        try:
            return subprocess.Popen(
                [python, "-I", "-S", str(bundle / "kube_magics_runner" / "__main__.py"), str(bundle)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=err,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise errors.SubmitError(
                f"The interpreter {python} cannot be started on this machine: {error.strerror}.",
                hint=f"--python {sys.executable}   (or leave --python out: it is the default)",
            ) from error


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Whether the file's lock is held meanwhile; whoever waits for it gets it."""
    with path.open("w") as file:
        held = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held = False
        yield held


def lock(file: BinaryIO, *, alone: bool) -> bool:
    """Whether the lock of `file`, open for writing too, is held until it is closed: with others, or `alone`, if nobody
    else has it now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
    except BlockingIOError:
        return False
    return True


def send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        # It ended between our look and the signal: what was wanted.
        return
