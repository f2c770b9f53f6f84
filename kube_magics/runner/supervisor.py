"""The container's first process, once the user's program is starting: signals, time limits, reaping, the end.

One loop over poll(); handlers only note what came. Whatever happens to the program, the log gets its `end`.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
import time

from . import protocol
from .cgroup import Cgroup
from .launch import results_dir, stop_file
from .messages import Messages
from .output import Output
from .pump import NEVER, STALLED_S, Pump
from .results import Results
from .sampler import Sampler, Usage, descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from .launch import Child
    from .nvml import Gpus

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
STOPPING = (signal.SIGTERM, signal.SIGINT)
PIPE_GRACE_S = 2.0
"""Grandchildren that keep the program's output open hold the end for at most so long."""
START_PATIENCE_S = 1.0
"""A program that has not introduced itself by then is announced without what it would have said."""
DEVICES_PATIENCE_S = 10.0
OWN_FAILURE = 70
TIMED_OUT = 124
TERMINATION_LOG = "/dev/termination-log"
TERMINATION_BYTES = 4096
PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    """Follows one started program to its end."""

    def __init__(self, folder: str, spec: dict[str, Any], child: Child) -> None:
        now = time.monotonic()
        self._caught: list[int] = []
        self._wakeup = self._listen()
        self._folder = folder
        self._spec = spec
        self._child = child
        self._began = now
        self._output = Output(1)
        self._pump = Pump(self._output, child.out, child.err, now)
        self._messages = Messages(child.events)
        self._status: int | None = None
        self._ended: float | None = None
        self._asked = ""  # "timeout" or "stopped": why we ended the program ourselves
        self._kill_at = NEVER
        self._killed = False
        self._time_limit = now + spec["timeout_s"] if spec.get("timeout_s") else NEVER
        self._cgroup = Cgroup()
        self._oom_kills = self._cgroup.oom_kills()
        self._started = False
        self._gpus: Gpus | None = None
        self._announced_devices = not spec.get("gpus")
        if os.getpid() != 1:
            _adopt_orphans()

    def run(self) -> int:
        """The whole life of the program; the runner's exit code."""
        if not self._child.pid:
            return self._end_without_program()
        if self._spec.get("gpus"):
            from .nvml import Gpus

            self._gpus = Gpus()
            self._gpus.start()
        self._sampler = Sampler(Usage(self._cgroup, os.getpid() == 1), self._gpus, time.monotonic())
        try:
            self._loop()
        except BaseException:
            self._signal_program(signal.SIGKILL)
            raise
        return self._finish()

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        self._reap()
        while not self._over():
            now = time.monotonic()
            ready = self._wait(now)
            now = time.monotonic()
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
            self._obey(now)
            if self._child.events in ready:
                self._hear(now)
            for fd in self._pump.readable(now):
                if fd in ready:
                    self._announce(now)
                    self._pump.read(fd, now)
            if self._output.waiting:
                self._output.flush()
            self._tick(now)

    def _over(self) -> bool:
        if self._ended is None:
            return False
        return not self._pump.open or time.monotonic() >= self._ended + PIPE_GRACE_S

    def _wait(self, now: float) -> set[int]:
        """Sleep until there is something to do; the descriptors that have something."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        poll.register(self._child.events, select.POLLIN)
        readable = self._pump.readable(now)
        for fd in readable:
            poll.register(fd, select.POLLIN)
        if self._output.waiting and self._output.pollable:
            poll.register(self._output.fd, select.POLLOUT)
        due = [self._pump.due(), self._sampler.due(), self._messages.due(now), self._time_limit, self._kill_at]
        if self._ended is not None:
            due.append(self._ended + PIPE_GRACE_S)
        if not readable:
            due.append(self._pump.paced_until if not self._output.full else NEVER)
        if self._output.waiting and not self._output.pollable:
            due.append(now + 1.0)  # a full disk
        if not self._started:
            due.append(self._began + START_PATIENCE_S)
        sleep_ms = max(0.0, min(due) - now) * 1000
        return {fd for fd, _ in poll.poll(min(sleep_ms, 60_000) + 0.5)}

    def _tick(self, now: float) -> None:
        if not self._started and now >= self._began + START_PATIENCE_S:
            self._announce(now)
        if self._started:
            for event in self._messages.take(now):
                self._pump.event(event, now)
            sample = self._sampler.sample(now, time.time())
            if not self._announced_devices:
                self._announce_devices(now)
            if sample:
                self._pump.event(sample, now)
            self._pump.tick(now)
        if now >= self._time_limit and self._ended is None:
            self._time_limit = NEVER
            self._ask_to_end("timeout", now)
        if now >= self._kill_at:
            self._kill_at = NEVER
            self._killed = True
            self._signal_program(signal.SIGKILL)

    # -- what the program says --------------------------------------------------------------------------------------

    def _hear(self, now: float) -> None:
        self._messages.read(now)
        if self._messages.hello is not None:
            self._announce(now)

    def _announce(self, now: float) -> None:
        """The start event, before anything else: when the program introduces itself, or writes, or is late."""
        if self._started:
            return
        self._started = True
        if self._messages.hello is None:
            self._messages.read(now)
        self._send_start(now)
        self._pump.event({"e": "stage", "name": "running"}, now)

    def _announce_devices(self, now: float) -> None:
        devices = self._gpus.devices if self._gpus else []
        if devices is None and now < self._began + DEVICES_PATIENCE_S:
            return
        self._announced_devices = True
        if devices:
            self._send_start(now)

    def _send_start(self, now: float) -> None:
        hello = self._messages.hello or {}
        event = {
            "e": "start",
            "v": protocol.VERSION,
            "python": hello.get("python"),
            "host": socket.gethostname(),
            "pid": self._child.pid,
            "devices": (self._gpus.devices if self._gpus else None) or [],
            "versions": hello.get("versions") or {},
        }
        self._pump.event(event, now)

    # -- signals and limits -----------------------------------------------------------------------------------------

    def _listen(self) -> int:
        """Note signals in a list, and wake the loop through a pipe."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (*FORWARDED, signal.SIGCHLD):
            signal.signal(number, self._note)
        return read_end

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._caught.append(number)

    def _obey(self, now: float) -> None:
        while self._caught:
            number = self._caught.pop(0)
            if number == signal.SIGCHLD:
                self._reap()
            elif number in STOPPING:
                self._ask_to_end("stopped", now, number)
            else:
                self._signal_program(number)

    def _ask_to_end(self, why: str, now: float, number: int = signal.SIGTERM) -> None:
        """Tell the program, by file and by signal; KILL follows after its grace."""
        if self._ended is not None:
            return
        if not self._asked:
            self._asked = why
            self._kill_at = now + (self._spec.get("grace_s") or 0)
            with open(stop_file(self._folder), "w", encoding="ascii"):
                pass
        self._signal_program(number)

    def _signal_program(self, number: int) -> None:
        if self._ended is None and self._child.pid:
            try:
                os.killpg(self._child.pid, number)
            except OSError:
                pass

    def _reap(self) -> None:
        """Every process that has ended, ours and orphans that were handed to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._child.pid:
                self._status = status
                self._ended = time.monotonic()

    # -- the end ----------------------------------------------------------------------------------------------------

    def _finish(self) -> int:
        now = time.monotonic()
        self._announce(now)
        self._pump.finish(time.monotonic)
        self._messages.read(now)
        for event in self._messages.rest():
            self._pump.event(event, now)
        if self._gpus:
            self._gpus.stop()
        results = Results(results_dir(self._folder, self._spec), self._spec)
        status = self._status or 0
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = 128 + number if number is not None else os.WEXITSTATUS(status)
        reason = self._reason(code, number, results.error)
        if results.error:
            self._pump.event(results.error_event(), now)
        if results.anything:
            self._pump.event({"e": "stage", "name": "collecting"}, now)
        for event in results.events():
            self._pump.event(event, time.monotonic())
            if self._output.full and not self._output.drain(STALLED_S, time.monotonic):
                break
        end = self._end_event(TIMED_OUT if reason == "timeout" else code, number, reason)
        end.update(results=results.sent, missing=results.missing, too_large=results.too_large)
        self._sweep()
        return self._send_end(end, results.summary())

    def _reason(self, code: int, number: int | None, error: dict[str, Any] | None) -> str:
        if self._asked:
            return self._asked
        if number is not None:
            return "oom" if number == signal.SIGKILL and self._new_oom_kills() else "signal"
        if error and error.get("reason") == "import" and code:
            return "import"
        return "failed" if code else "completed"

    def _new_oom_kills(self) -> int:
        kills = self._cgroup.oom_kills()
        return max(0, kills - (self._oom_kills or 0)) if kills is not None else 0

    def _end_event(self, code: int, number: int | None, reason: str) -> dict[str, Any]:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        largest_bytes = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        peak_bytes = max(largest_bytes, self._sampler.peak_memory_bytes or 0)
        if reason == "oom":
            peak_bytes = max(peak_bytes, self._cgroup.peak_bytes() or 0)
        end: dict[str, Any] = {
            "e": "end",
            "code": code,
            "signal": number,
            "reason": reason,
            "duration_s": round((self._ended or time.monotonic()) - self._began, 3),
            "cpu_s": round(used.ru_utime + used.ru_stime, 3),
            "peak_memory_bytes": peak_bytes or None,
            "lines": self._pump.totals.lines,
            "bytes": self._pump.totals.bytes,
        }
        if self._new_oom_kills():
            end["oom_kills"] = self._new_oom_kills()
        return end

    def _end_without_program(self) -> int:
        now = time.monotonic()
        self._send_start(now)
        problem = self._child.problem
        error = {"type": "FileNotFoundError", "module": "builtins", "message": problem, "frames": [], "text": problem}
        self._pump.event({"e": "error", **error, "exit": None}, now)
        self._pump.finish(time.monotonic)
        end = {"e": "end", "code": OWN_FAILURE, "signal": None, "reason": "start", "duration_s": 0.0, "cpu_s": 0.0}
        end.update(peak_memory_bytes=None, lines=0, bytes=0, results=[], missing={}, too_large={})
        return self._send_end(end, problem)

    def _send_end(self, end: dict[str, Any], summary: str) -> int:
        write_termination_log(end, summary)
        encoded = protocol.encode_event(end)
        if len(encoded) > protocol.MAX_EVENT_BYTES:  # hundreds of names: the counts say at least how many
            for key in ("missing", "too_large", "results"):
                end[key] = type(end[key])()
            encoded = protocol.encode_event({**end, "shortened": True})
        self._output.write(encoded)
        self._output.drain(STALLED_S, time.monotonic)
        code: int = end["code"]
        return code

    def _sweep(self) -> None:
        """End what the program left behind, as the end of a container does anyway."""
        if os.getpid() != 1:
            for pid in list(descendants(os.getpid())):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            self._reap()


def write_termination_log(end: dict[str, Any], summary: str) -> None:
    """The end once more, where Kubernetes keeps it in the pod's status: it survives the log and needs no right to it."""
    path = os.environ.get("KUBE_MAGICS_TERMINATION_LOG") or TERMINATION_LOG
    short = {key: value for key, value in end.items() if key not in ("results", "missing", "too_large")}
    for event in (
        {**end, "error": summary[:1000]},
        {**short, "error": summary[:1000]},
        {**short, "error": summary[:200]},
    ):
        text = protocol.encode_event(event)[1:]
        if len(text) <= TERMINATION_BYTES:
            break
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    except OSError:
        return  # not in a pod
    try:
        os.write(fd, text)
    except OSError:
        pass
    os.close(fd)


def _adopt_orphans() -> None:
    """Be to our descendants what the first process of a container is: the one that orphans are handed to."""
    import ctypes

    try:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return
