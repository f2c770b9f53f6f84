"""The container's first process, once the first process of the job is starting: one loop over poll(), until the end.

The job is its program, with the steps of spec.json before and after it. Whatever happens to them, the log gets its
`end`.
"""

from __future__ import annotations

import os
import select
import time

from . import quickjson, spoiled
from .cgroup import Cgroup
from .custody import NEVER, Custody
from .launch import WISH
from .messages import Messages
from .opening import Opening
from .output import Output
from .pump import Pump
from .signals import SIGKILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .closing import Closing
    from .gallery import Gallery
    from .gpus import Gpus
    from .launch import Child, Launcher
    from .sampler import Sampler

PIPE_GRACE_S = 2.0
"""Grandchildren that keep the program's output open hold the end for at most so long."""
HEIRS_LOOK_S = 0.2
"""Where the end of what the program has left behind is not told to us."""
GET_READY_S = 0.25
"""A program that has written nothing by then will not mind the rest of the runner being imported."""
START_PATIENCE_S = 1.0
"""A program that has not introduced itself by then is announced without what it would have said."""
LONGEST_SLEEP_S = 60.0
FULL_DISK_RETRY_S = 1.0


class CannotStart(Exception):
    """A process of the job could not be started."""


class Supervisor:
    """Follows one job, whose first process has been started, to its end."""

    def __init__(self, folder: str, spec: dict[str, Any], launcher: Launcher, child: Child) -> None:
        now = child.began
        self._strangers = {launcher.guard}
        """Processes below this one that are none of the job's."""
        self._custody = Custody(child.pid, folder, spec, now, self._strangers)
        self._folder = folder
        self._spec = spec
        self._launcher = launcher
        self._child = child
        self._fresh = True
        """Nobody has followed the child yet."""
        self._output = Output(1)
        self._pump = Pump(self._output, child.out, child.err, now)
        if spec.get("log_to"):
            from .logcopy import LogCopy

            self._pump.copy = LogCopy(spec["log_to"])
        self._messages = Messages(launcher.events)
        self._gallery: Gallery | None = None
        self._cgroup = Cgroup()
        # The first process of a container has a group of its own, in which nothing was killed before: what is counted
        # there by now may be the program itself, which starts while this is read.
        self._killed_before = 0 if os.getpid() == 1 else self._cgroup.oom_kills() or 0
        self._opening = Opening(self._pump, self._messages, bool(spec.get("gpus")))
        self._announced = False
        """The log knows that the program runs. While a step runs there is nothing to announce."""
        self._gpus: Gpus | None = None
        self._sampler: Sampler | None = None
        self._closing: Closing | None = None
        self._ready_by = time.monotonic() + GET_READY_S
        self._wished = False
        self._status = 0
        """The wait status that decides how the job ended: the program's, or that of the step that failed."""
        self._ran_s = 0.0
        """Of the program."""
        self._error: dict[str, Any] | None = None
        """Of a step that has failed without telling why."""

    def run(self) -> int:
        """The whole life of the job; the runner's exit code."""
        try:
            if self._spec.get("gpus") and self._child.pid:
                from .gpus import Gpus

                self._gpus = self._opening.gpus = Gpus(self._strangers)
                self._gpus.start()
            if self._before() and self._program():
                self._after()
            return self._finish()
        except CannotStart as problem:
            return self._without_program(str(problem))
        except Exception:  # noqa: BLE001  (a fault of ours must not look like silence)
            import traceback

            self._custody.signal(SIGKILL)
            return self._without_program(f"the runner failed:\n{traceback.format_exc()}", "runner")

    # -- the processes, one after the other -------------------------------------------------------------------------

    def _before(self) -> bool:
        return all(self._step(step) for step in self._spec.get("before") or ())

    def _program(self) -> bool:
        """The user's program, to its end; False if there was none. It may ask for one step before it begins."""
        last = not self._spec.get("after")
        self._take(self._launcher.program, step=False, last=last)
        self._follow()
        wish = self._wish()
        if wish is not None:
            if not self._step(wish):
                return False
            self._take(self._launcher.program, step=False, last=last)
            self._follow()
        self._status = self._custody.status or 0
        self._ran_s = (self._custody.ended or 0.0) - self._child.began
        now = time.monotonic()
        self._announce(now)
        self._let_go(now)
        self._messages.read(now)
        self._send_pictures(now)
        for event in self._messages.rest():
            self._pump.event(event, now)
        return True

    def _let_go(self, now: float) -> None:
        """Of the program's output; who holds it open longer than is waited for is named in the log."""
        held = self._pump.finish(time.monotonic)
        if held:
            try:
                from .lingering import sentence

                said = sentence(held, PIPE_GRACE_S)
            except (ImportError, OSError):  # the program has removed our files
                said = f"something held the program's output for {PIPE_GRACE_S:g} s after its end"
            self._pump.say(said, now)
        self._pump.close()

    def _wish(self) -> dict[str, Any] | None:
        """The step that a program wants done first, which has ended without even introducing itself."""
        self._messages.read(time.monotonic())
        if self._messages.hello is not None or self._custody.status or self._custody.asked or not self._wishes():
            return None
        self._wished = True
        return quickjson.read_file(os.path.join(self._folder, WISH))

    def _wishes(self) -> bool:
        return not self._wished and os.path.exists(os.path.join(self._folder, WISH))

    def _after(self) -> None:
        """What follows a program that succeeded; after one that did not, only steps marked `always`."""
        steps = self._spec.get("after") or []
        good = not self._status and not self._custody.asked
        for step in steps:
            if good or step.get("always"):
                self._step(step, last=step is steps[-1])

    def _step(self, step: dict[str, Any], *, last: bool = False) -> bool:
        """Whether it succeeded, and the job is to go on."""
        self._take(lambda: self._launcher.step(step), step=True, last=last)
        if not self._opening.said:
            self._opening.start(self._child.pid, self._child.began)
        self._opening.stage(step["stage"], self._child.began)
        self._follow()
        self._pump.finish(time.monotonic)
        self._pump.close()
        status = self._custody.status
        if status and not self._custody.asked:
            said = self._pump.kept(time.monotonic())
            from .ending import why

            self._error = self._error or why(step, status, said)
        self._status = self._status or status or 0
        return not status and not self._custody.asked

    def _take(self, start: Callable[[], Child], *, step: bool, last: bool) -> None:
        """The next process under our eyes; the first one has been started already."""
        if not self._fresh:
            self._child = start()
            self._custody.take(self._child.pid)
        self._fresh = False
        self._announced = step
        self._custody.last = last
        if not self._child.pid:
            raise CannotStart(self._child.problem)
        self._pump.take(self._child.out, self._child.err, step=step)

    def _follow(self) -> None:
        """Until the process has ended and its pipes are empty, or held open by others."""
        while not self._over():
            self._turn()

    def _over(self) -> bool:
        ended = self._custody.ended
        if ended is None or self._custody.heirs():
            return False
        return not self._pump.open or time.monotonic() >= ended + PIPE_GRACE_S

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        ready = self._wait(time.monotonic())
        now = time.monotonic()
        if self._custody.wakeup in ready:
            os.read(self._custody.wakeup, 4096)
        self._custody.obey(now)
        if self._launcher.events in ready:
            self._messages.read(now)
            if self._messages.hello is not None:
                self._announce(now)
        self._send_pictures(now)
        for fd in self._pump.readable(now):
            if fd in ready:
                self._announce(now)
                self._pump.read(fd, now)
        if self._output.waiting:
            self._output.flush()
        self._tick(now)

    def _send_pictures(self, now: float) -> None:
        """After what was printed before them. Whoever announced one waits, so that what it prints next comes after."""
        if self._messages.pictures and self._gallery is None:
            from .gallery import Gallery

            self._gallery = Gallery(self._folder)
        while self._messages.pictures and self._gallery is not None:
            self._announce(now)
            if not self._pump.settle(now):
                return
            for event in self._gallery.events(self._messages.pictures.pop(0)):
                self._pump.event(event, now)

    def _wait(self, now: float) -> set[int]:
        """Sleep until there is something to do; the descriptors that have something."""
        poll = select.poll()
        poll.register(self._custody.wakeup, select.POLLIN)
        poll.register(self._launcher.events, select.POLLIN)
        for fd in self._pump.readable(now):
            poll.register(fd, select.POLLIN)
        if self._output.waiting and self._output.pollable:
            poll.register(self._output.fd, select.POLLOUT)
        sleep_s = min(max(0.0, self._due(now) - now), LONGEST_SLEEP_S)
        return {fd for fd, _ in poll.poll(sleep_s * 1000 + 0.5)}

    def _due(self, now: float) -> float:
        """When the clock asks for something."""
        due = [self._pump.due(now), self._custody.due()]
        if self._custody.ended is not None:
            held_until = self._custody.ended + PIPE_GRACE_S
            due.append(held_until if held_until > now else now + HEIRS_LOOK_S)
        if self._output.waiting and not self._output.pollable:
            due.append(now + FULL_DISK_RETRY_S)
        if self._announced:
            due.append(self._messages.due(now))
            due.append(self._sampler.due() if self._sampler else self._ready_by)
        else:
            due.append(self._child.began + START_PATIENCE_S)
        return min(due)

    def _tick(self, now: float) -> None:
        if not self._announced and now < self._child.began + START_PATIENCE_S:
            return
        self._announce(now)
        for event in self._messages.take(now):
            self._pump.event(event, now)
        if self._pump.totals.lines or now >= self._ready_by:
            self._get_ready()
        sample = self._sampler.sample(now, time.time()) if self._sampler else None
        if sample:
            self._pump.event(sample, now)
        self._opening.devices(self._child, now)
        self._pump.tick(now)

    # -- the start --------------------------------------------------------------------------------------------------

    def _announce(self, now: float) -> None:
        """The start event, before anything else: when the program introduces itself, or writes, or is late."""
        if self._announced:
            return
        if self._messages.hello is None:
            self._messages.read(now)
        if self._messages.hello is None and self._wishes():
            return
        self._announced = True
        self._ready_by = now + GET_READY_S
        self._opening.start(self._child.pid, now)
        self._opening.stage("running", now)

    # -- the end ----------------------------------------------------------------------------------------------------

    def _get_ready(self) -> None:
        """What the program's first line need not wait for: a third of all that is imported here."""
        if self._sampler is None and self._ready_by != NEVER:
            try:
                from .closing import Closing
                from .sampler import Sampler, Usage

                if not self._spec.get("cwd"):
                    from . import workfiles  # noqa: F401 - which `closing` will ask for
            except (ImportError, OSError):  # removed, or just being removed
                self._ready_by = NEVER
                return

            usage = Usage(self._cgroup, os.getpid() == 1, self._strangers)
            self._sampler = Sampler(usage, self._gpus, time.monotonic())
            self._closing = Closing(self._folder, self._spec, self._launcher.began_ns, self._pump)

    def _finish(self) -> int:
        self._get_ready()
        if self._gpus:
            self._gpus.stop()
        if self._sampler is None or self._closing is None:
            returns = self._spec.get("returns") or []
            return spoiled.end(self._status, self._custody.asked, returns, self._ran_s, self._pump)
        now = time.monotonic()
        sample = self._sampler.rest(now, time.time())
        if sample:
            self._pump.event(sample, now)
        self._closing.error = self._error
        self._closing.peak_memory_bytes = self._sampler.peak_memory_bytes
        return self._closing.finish(self._status, self._ran_s, self._custody, self._cgroup, self._killed_before)

    def _without_program(self, problem: str, reason: str = "start") -> int:
        from .closing import cannot_run

        now = time.monotonic()
        if not self._opening.said:
            self._opening.start(self._child.pid, now)
        return cannot_run(problem, reason, now - self._child.began, self._pump)
