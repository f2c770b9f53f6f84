"""Say how far the job is, hear that it should stop. In a job this is all of `kube_magics`; elsewhere it does nothing.

from kube_magics import report, should_stop

for step in range(1000):
    loss = train_one(step)
    report(step=step, total=1000, loss=loss)
    if should_stop():
        save()
        break
"""

from __future__ import annotations

import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["report", "should_stop"]

EVENTS = "KUBE_MAGICS_EVENTS"
_STOP = "KUBE_MAGICS_STOP"
LINE_BYTES = 4096  # what POSIX lets a pipe take in one piece
_PATIENCE_S = 1.0
_fds: dict[str, int] = {}
_asking: set[int] = set()


def report(*, step: float | None = None, total: float | None = None, text: str | None = None, **metrics: Any) -> None:
    """Show progress and metrics of this job. Never raises for want of a listener.

    `step` of `total` is the progress bar, `text` stands beside it; every other keyword is a metric, a number (also a
    0-dimensional array or tensor) that is drawn over `step`. Called more often than can be shown, the newest counts.
    """
    values = {name: number(value) for name, value in metrics.items()}
    progress = {"step": number(step), "total": number(total), "text": None if text is None else str(text)[:200]}
    given = {key: value for key, value in progress.items() if value is not None}
    if total is not None or text is not None or (given and not values):
        _send({"e": "progress", **given})
    if values:
        _send({"e": "metric", "step": number(step), "values": values})


def should_stop() -> bool:
    """Whether someone asked this job to stop or its time is up; it has its grace period left to save what it wants.

    Who asks means to end by itself: from the first call on, INT and TERM, which say the same, no longer end a program
    that has no handlers of its own. KILL at the end of the grace does.
    """
    path = os.environ.get(_STOP)
    if not path:
        return False
    if os.getpid() not in _asking:
        _asking.add(os.getpid())
        _ask()
    return os.path.exists(path)


def _ask() -> None:
    import signal

    for number, usual in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) == usual:
            try:
                signal.signal(number, _heard)
            except ValueError:
                return  # not the main thread


def _heard(number: int, _frame: Any) -> None:
    """Nothing; but a worker that was forked from the program, and does not ask, is ended as before."""
    if os.getpid() not in _asking:
        import signal

        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        os.kill(os.getpid(), number)


def number(value: Any) -> float | None:
    if value is None or isinstance(value, (int, float)):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"report() takes numbers, not {type(value).__name__}") from None


def _send(event: dict[str, Any]) -> None:
    if os.environ.get(EVENTS):
        import json  # 7 ms before the first line of programs that never report

        send_line(json.dumps(event, separators=(",", ":")))


def send_line(text: str) -> None:
    """One event, as JSON, to the runner; nothing where there is none, or if it is too long to be sent in one piece."""
    path = os.environ.get(EVENTS)
    line = text.encode("ascii") + b"\n"
    if not path or len(line) > LINE_BYTES:
        return
    try:
        if path not in _fds:
            _fds[path] = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        _write(_fds[path], line)
    except OSError:
        return  # nobody listens any more


def _write(fd: int, line: bytes) -> None:
    """All of it or nothing, waiting a little for a runner that is busy."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            os.write(fd, line)
        except BlockingIOError:
            left = until - time.monotonic()
            if left <= 0:
                return
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll(left * 1000)
        else:
            return


class Job:
    """For the annotations of a local module: inside a job there is none."""


def remote(fn: Any = None, **_asked: Any) -> Any:
    """Of a local module's function, inside a job: the function itself."""
    return (lambda inner: inner) if fn is None else fn


def wait_all(*_args: Any, **_asked: Any) -> Any:
    """Inside a job there is nothing to wait for."""
    raise RuntimeError("kube_magics.wait_all waits for jobs of a notebook")


def train(*_args: Any, **_asked: Any) -> Job:
    """Inside a job there is no notebook to submit from."""
    raise RuntimeError("kube_magics.train submits jobs from a notebook; inside a job call the function itself")
