"""The container's first process, once the user's program is starting: one loop over poll(), until the last event.

Whatever happens to the program, the log gets its `end`.
"""

from __future__ import annotations

import os
import select
import time

from . import protocol
from .cgroup import Cgroup
from .custody import SIGKILL, Custody
from .ending import OWN_FAILURE, how, resources, send
from .launch import results_dir
from .messages import Messages
from .output import Output
from .pump import STALLED_S, Pump
from .results import Results
from .sampler import Sampler, Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .launch import Child
    from .nvml import Gpus

PIPE_GRACE_S = 2.0
"""Grandchildren that keep the program's output open hold the end for at most so long."""
START_PATIENCE_S = 1.0
"""A program that has not introduced itself by then is announced without what it would have said."""
DEVICES_PATIENCE_S = 10.0
LONGEST_SLEEP_S = 60.0
FULL_DISK_RETRY_S = 1.0


class Supervisor:
    """Follows one started program to its end."""

    def __init__(self, folder: str, spec: dict[str, Any], child: Child) -> None:
        now = child.began
        self._custody = Custody(child.pid, folder, spec, now)
        self._folder = folder
        self._spec = spec
        self._child = child
        self._began = now
        self._output = Output(1)
        self._pump = Pump(self._output, child.out, child.err, now)
        self._messages = Messages(child.events)
        self._cgroup = Cgroup()
        self._oom_kills = self._cgroup.oom_kills()
        self._started = False
        self._gpus: Gpus | None = None
        self._devices_announced = not spec.get("gpus")

    def run(self) -> int:
        """The whole life of the program; the runner's exit code."""
        try:
            if not self._child.pid:
                return self._without_program(self._child.problem)
            if self._spec.get("gpus"):
                from .nvml import Gpus

                self._gpus = Gpus()
                self._gpus.start()
            self._sampler = Sampler(Usage(self._cgroup, os.getpid() == 1), self._gpus, time.monotonic())
            while not self._over():
                self._turn()
            return self._finish()
        except Exception:  # noqa: BLE001  (a fault of ours must not look like silence)
            import traceback

            self._custody.signal(SIGKILL)
            return self._without_program(f"the runner failed:\n{traceback.format_exc()}")

    def _over(self) -> bool:
        ended = self._custody.ended
        return ended is not None and (not self._pump.open or time.monotonic() >= ended + PIPE_GRACE_S)

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        ready = self._wait(time.monotonic())
        now = time.monotonic()
        if self._custody.wakeup in ready:
            os.read(self._custody.wakeup, 4096)
        self._custody.obey(now)
        if self._child.events in ready:
            self._messages.read(now)
            if self._messages.hello is not None:
                self._announce(now)
        for fd in self._pump.readable(now):
            if fd in ready:
                self._announce(now)
                self._pump.read(fd, now)
        if self._output.waiting:
            self._output.flush()
        self._tick(now)

    def _wait(self, now: float) -> set[int]:
        """Sleep until there is something to do; the descriptors that have something."""
        poll = select.poll()
        poll.register(self._custody.wakeup, select.POLLIN)
        poll.register(self._child.events, select.POLLIN)
        for fd in self._pump.readable(now):
            poll.register(fd, select.POLLIN)
        if self._output.waiting and self._output.pollable:
            poll.register(self._output.fd, select.POLLOUT)
        sleep_s = min(max(0.0, self._due(now) - now), LONGEST_SLEEP_S)
        return {fd for fd, _ in poll.poll(sleep_s * 1000 + 0.5)}

    def _due(self, now: float) -> float:
        """When the clock asks for something."""
        due = [self._pump.due(now), self._sampler.due(), self._custody.due()]
        if self._custody.ended is not None:
            due.append(self._custody.ended + PIPE_GRACE_S)
        if self._output.waiting and not self._output.pollable:
            due.append(now + FULL_DISK_RETRY_S)
        due.append(self._messages.due(now) if self._started else self._began + START_PATIENCE_S)
        return min(due)

    def _tick(self, now: float) -> None:
        if not self._started and now < self._began + START_PATIENCE_S:
            return
        self._announce(now)
        for event in self._messages.take(now):
            self._pump.event(event, now)
        sample = self._sampler.sample(now, time.time())
        if sample:
            self._pump.event(sample, now)
        if not self._devices_announced:
            self._announce_devices(now)
        self._pump.tick(now)

    # -- the start --------------------------------------------------------------------------------------------------

    def _announce(self, now: float) -> None:
        """The start event, before anything else: when the program introduces itself, or writes, or is late."""
        if self._started:
            return
        if self._messages.hello is None:
            self._messages.read(now)
        self._send_start(now)
        self._pump.event({"e": "stage", "name": "running"}, now)

    def _announce_devices(self, now: float) -> None:
        """Finding devices may take the driver seconds: the start event is repeated with them."""
        devices = self._gpus.devices if self._gpus else []
        if devices is None and now < self._began + DEVICES_PATIENCE_S:
            return
        self._devices_announced = True
        if devices:
            self._send_start(now)

    def _send_start(self, now: float) -> None:
        self._started = True
        hello = self._messages.hello or {}
        event = {
            "e": "start",
            "v": protocol.VERSION,
            "python": hello.get("python"),
            "host": os.uname().nodename,
            "pid": self._child.pid,
            "devices": (self._gpus.devices if self._gpus else None) or [],
            "versions": hello.get("versions") or {},
        }
        self._pump.event(event, now)

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
        self._send_results(results)
        new_kills = self._new_oom_kills()
        end = how(self._custody.status or 0, self._custody.asked, results.error, new_kills)
        end.update(
            duration_s=round((self._custody.ended or now) - self._began, 3),
            **resources(self._sampler.peak_memory_bytes, self._cgroup if end["reason"] == "oom" else None),
            lines=self._pump.totals.lines,
            bytes=self._pump.totals.bytes,
            results=results.sent,
            missing=results.missing,
            too_large=results.too_large,
        )
        if new_kills:
            end["oom_kills"] = new_kills
        self._custody.sweep()
        return send(end, results.summary(), self._output)

    def _send_results(self, results: Results) -> None:
        now = time.monotonic()
        if results.error:
            self._pump.event(results.error_event(), now)
        if results.anything:
            self._pump.event({"e": "stage", "name": "collecting"}, now)
        for event in results.events():
            self._pump.event(event, time.monotonic())
            if self._output.full and not self._output.drain(STALLED_S, time.monotonic):
                break

    def _new_oom_kills(self) -> int:
        kills = self._cgroup.oom_kills()
        return max(0, kills - (self._oom_kills or 0)) if kills is not None else 0

    def _without_program(self, problem: str) -> int:
        """What cannot run is told like everything else."""
        now = time.monotonic()
        if not self._started:
            self._send_start(now)
        error = {"type": "StartError", "module": "kube_magics_runner", "message": problem[:4000], "frames": []}
        self._pump.event({"e": "error", **error, "text": problem[-4000:], "exit": None}, now)
        end: dict[str, Any] = {"e": "end", "code": OWN_FAILURE, "signal": None, "reason": "start"}
        end.update(duration_s=round(now - self._began, 3), cpu_s=0.0, peak_memory_bytes=None)
        end.update(lines=self._pump.totals.lines, bytes=self._pump.totals.bytes, results=[], missing={}, too_large={})
        return send(end, problem, self._output)
