"""`kube_magics` in the jobs whose code mentions `report`: it may be called in the innermost loop, and from anywhere.

A call leaves its values here and goes on; a few times a second the newest of them go to the runner, so that the last
one always arrives: from the call itself, from a thread that lives while something waits, or at the process's end.
Only a process that ends without one (KILL, `os._exit`) takes with it what is younger than EVERY_S.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

from .report import EVENTS, LINE_BYTES, Job, number, remote, send_line, should_stop, train, wait_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["report", "should_stop"]

EVERY_S = 0.25
_WHOLE = 1 << 63
"""What is larger is sent as other numbers are, with their first digits."""
_HERE_TOO = (Job, remote, train, wait_all)
"""As in report.py, for local modules that name them."""


class _Waiting:
    """What this process has still to say. A signal's handler may call in between: the lock lets it in."""

    def __init__(self) -> None:
        self.lock = _thread.RLock()
        self.progress: tuple[Any, ...] = ()
        """step, total, text; nothing where nothing waits."""
        self.metrics: dict[str, tuple[Any, Any]] = {}
        """(step, value) by name."""
        self.sent_at = float("-inf")
        self.watched = False
        self.fd: int | None = None

    def begin(self) -> None:
        """Find the runner, and be called at this process's end: multiprocessing ends its own without `atexit`."""
        import atexit

        self.fd = -1
        try:
            self.fd = os.open(os.environ.get(EVENTS) or os.devnull, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return  # nobody listens
        atexit.register(last)
        if "multiprocessing.util" in sys.modules:
            from multiprocessing.util import Finalize

            Finalize(None, last, exitpriority=0)

    def watch(self) -> None:
        """See to it that what waits is not forgotten when no call follows."""
        self.watched = True
        try:
            _thread.start_new_thread(_later, (self,))
        except RuntimeError:  # no more threads: the next call, or the end, will do
            self.watched = False

    def take(self, here: bool) -> tuple[tuple[Any, ...], dict[str, tuple[Any, Any]]]:
        """What may be sent now, which then waits no longer. Not `here`, where it is computed: what an accelerator may
        have to compute first stays."""
        progress = self.progress if here or not any(map(_pends, self.progress)) else ()
        metrics = {name: found for name, found in self.metrics.items() if here or not any(map(_pends, found))}
        if progress:
            self.progress = ()
        for name in metrics:
            del self.metrics[name]
        return progress, metrics

    def send(self, *, here: bool = True) -> None:
        """What waits, as far as the runner takes it at once; the rest goes on waiting, unless newer has come."""
        self.sent_at = time.monotonic()
        progress, metrics = self.take(here)
        if not all(map(self._written, _lines(progress, metrics))):
            self.progress = self.progress or progress
            self.metrics = {**metrics, **self.metrics}

    def _written(self, line: str) -> bool:
        assert self.fd is not None
        try:
            os.write(self.fd, line.encode("ascii") + b"\n")
        except BlockingIOError:
            return False
        except OSError:  # nobody listens any more
            return True
        return True


_waiting = _Waiting()


def report(*, step: Any = None, total: Any = None, text: str | None = None, **metrics: Any) -> None:
    """As in report.py; at most every EVERY_S something of it is sent."""
    for name, value in metrics.items():
        if type(value) is not float and type(value) is not int:
            metrics[name] = _number(value)
    step, total = _number(step), _number(total)
    waiting = _waiting
    with waiting.lock:
        if waiting.fd is None:
            waiting.begin()
        for name, value in metrics.items():
            waiting.metrics[name] = (step, value)
        if total is not None or text is not None or (step is not None and not metrics):
            waiting.progress = (step, total, text if text is None else str(text)[:200])
        if time.monotonic() - waiting.sent_at >= EVERY_S:
            waiting.send()
        elif not waiting.watched:
            waiting.watch()


def _number(value: Any) -> Any:
    """As a number; for what an accelerator may have to compute first the loop does not wait now."""
    if value is None or type(value) is int or type(value) is float:
        return value
    device = getattr(value, "device", None)
    if device is None or str(device) == "cpu":
        return number(value)
    return value.detach() if hasattr(value, "detach") else value


def _pends(value: Any) -> bool:
    return not (value is None or isinstance(value, (int, float, str)))


def _known(value: Any) -> Any:
    value = number(value) if _pends(value) else value
    if not isinstance(value, int) or -_WHOLE < value < _WHOLE:
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _lines(progress: tuple[Any, ...], metrics: dict[str, tuple[Any, Any]]) -> list[str]:
    """Events as report.py sends them; those of one step together."""
    lines: list[str] = []
    if progress:
        given = zip(("step", "total", "text"), map(_known, progress))
        _encode({"e": "progress", **{key: value for key, value in given if value is not None}}, lines)
    by_step: dict[Any, dict[str, Any]] = {}
    for name, (step, value) in metrics.items():
        by_step.setdefault(_known(step), {})[name] = _known(value)
    for step, values in by_step.items():
        _encode({"e": "metric", "step": step, "values": values}, lines)
    return lines


def _encode(event: dict[str, Any], lines: list[str]) -> None:
    """As lines that a pipe takes in one piece each."""
    import json

    line = json.dumps(event, separators=(",", ":"))
    names = list(event.get("values") or ())
    if len(line) < LINE_BYTES:
        lines.append(line)
    elif len(names) > 1:  # what is too long by itself is left out
        for half in (names[::2], names[1::2]):
            _encode({**event, "values": {name: event["values"][name] for name in half}}, lines)


def _later(waiting: _Waiting) -> None:
    while True:
        time.sleep(EVERY_S)
        with waiting.lock:
            if time.monotonic() - waiting.sent_at < EVERY_S:
                continue
            waiting.send(here=False)
            if not waiting.progress and not waiting.metrics:
                waiting.watched = False
                return


def last() -> None:
    """What has not been sent yet, at the end of this process: it has the time to wait for the runner."""
    with _waiting.lock:
        try:
            for line in _lines(*_waiting.take(True)):
                send_line(line)
        except Exception:  # noqa: BLE001  (a tensor that cannot be read any more is not how the program ended)
            return


def _forked() -> None:
    """What waits is the parent's, which will send it; its lock may be held, and its thread is not here."""
    global _waiting  # noqa: PLW0603 - one a process
    _waiting = _Waiting()


os.register_at_fork(after_in_child=_forked)
