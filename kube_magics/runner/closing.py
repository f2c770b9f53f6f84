"""The last words of a job: what it leaves, and how it ended. Imported behind the program's first line."""

from __future__ import annotations

import time

from . import protocol
from .ending import how, resources, send
from .launch import results_dir
from .pump import STALLED_S
from .results import Results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .cgroup import Cgroup
    from .custody import Custody
    from .pump import Pump


class Closing:
    """The end of one job, once nothing of it runs any more."""

    def __init__(self, folder: str, spec: dict[str, Any], began_ns: int, pump: Pump) -> None:
        """`began_ns`: what is younger in the working folder is the job's."""
        self._folder = folder
        self._spec = spec
        self._began_ns = began_ns
        self._pump = pump
        self.peak_memory_bytes: int | None = None
        """As it was sampled."""
        self.error: dict[str, Any] | None = None
        """Of a step that has failed without telling why."""

    def finish(self, status: int, ran_s: float, custody: Custody, cgroup: Cgroup, killed_before: int) -> int:
        """Results and files, then the end; the exit code. `status`: the wait status that decides how the job ended."""
        results = Results(results_dir(self._folder, self._spec), self._spec, self.error)
        self._send_results(results)
        self._pump.end_copy(time.monotonic())
        new_kills = max(0, (cgroup.oom_kills() or 0) - killed_before)
        end = how(status, custody.asked, results.error, new_kills)
        end.update(
            duration_s=round(ran_s, 3),
            **resources(self.peak_memory_bytes, cgroup if end["reason"] == "oom" else None),
            lines=self._pump.totals.lines,
            bytes=self._pump.totals.bytes,
            results=results.sent,
            missing=results.missing,
            too_large=results.too_large,
        )
        if new_kills:
            end["oom_kills"] = new_kills
        custody.sweep()
        return send(end, results.summary(), self._pump.output)

    def _send_results(self, results: Results) -> None:
        now = time.monotonic()
        if results.error:
            self._pump.event(results.error_event(), now)
        if results.anything:
            self._pump.event({"e": "stage", "name": "collecting"}, now)
        output = self._pump.output
        for event in self._brought(results):
            self._pump.event(event, time.monotonic())
            if output.full and not output.drain(STALLED_S, time.monotonic):
                break

    def _brought(self, results: Results) -> Iterator[dict[str, Any]]:
        yield from results.events()
        if not self._spec.get("cwd"):  # a folder of its own, which goes with the job
            try:
                from . import workfiles
            except (ImportError, OSError):
                return  # the program has removed its own folder, and what it wrote there with it
            yield from workfiles.events(self._spec, self._began_ns, results.stored, results.failed)


def cannot_run(problem: str, reason: str, took_s: float, pump: Pump) -> int:
    """What cannot run is told like everything else."""
    now = time.monotonic()
    pump.end_copy(now)
    error = {"type": "StartError", "module": "kube_magics_runner", "message": problem[:4000], "frames": []}
    pump.event({"e": "error", **error, "text": problem[-4000:], "exit": None}, now)
    end: dict[str, Any] = {"e": "end", "code": protocol.OWN_FAILURE, "signal": None, "reason": reason}
    end.update(duration_s=round(took_s, 3), cpu_s=0.0, peak_memory_bytes=None)
    end.update(lines=pump.totals.lines, bytes=pump.totals.bytes, results=[], missing={}, too_large={})
    return send(end, problem, pump.output)
