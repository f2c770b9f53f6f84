"""The end event: how the program ended and what it took, in the log and in the pod's status."""

from __future__ import annotations

import os
import resource
import sys
import time

from . import protocol
from .pump import STALLED_S
from .signals import SIGKILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .cgroup import Cgroup
    from .output import Output

STOPPED = 143
"""Of a program that ended well when it was told to: with 0 the cluster would call a job complete that is not."""
TERMINATION_LOG = "/dev/termination-log"
TERMINATION_BYTES = 4096
HOPELESS = ("import", "bytecode")
"""Ends that every further attempt in the same image would come to."""
QUOTED_LINES = 8
"""Of what a failed step said last."""


def how(status: int, asked: str, error: dict[str, Any] | None, oom_kills: int) -> dict[str, Any]:
    """Code, signal and reason from a wait status. `asked`: why we ended it ourselves, "timeout" or "stopped", or ""."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    code = 128 + number if number is not None else os.WEXITSTATUS(status)
    if asked:
        reason = asked
        code = protocol.TIMED_OUT if asked == "timeout" else code or STOPPED
    elif number == SIGKILL and oom_kills:
        reason = "oom"
    elif code and error and error.get("reason"):
        reason = error["reason"]  # an import is missing, or a step before or after the program has failed
        code = protocol.OWN_FAILURE if reason in HOPELESS else code
    elif number is not None:
        reason = "signal"
    else:
        reason = "failed" if code else "completed"
    return {"e": "end", "code": code, "signal": number, "reason": reason}


def why(step: dict[str, Any], status: int, said: str) -> dict[str, Any]:
    """The error event of a step that failed, where the step itself has left none; `said`: the last that it said."""
    last = [line for line in said.splitlines() if line.strip()][-QUOTED_LINES:]
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    how = f"signal {number}" if number is not None else f"exit code {os.WEXITSTATUS(status)}"
    return {
        "type": "StepError",
        "module": "kube_magics_runner",
        "message": "\n".join(last) or f"it ended with {how} and said nothing",
        "frames": [],
        "text": said,
        "exit": None,
        "reason": step["reason"],
    }


def resources(sampled_bytes: int | None, killed_in: Cgroup | None) -> dict[str, Any]:
    """Processor time and peak memory. The kernel's own peak counts file caches: it is asked only after an oom kill."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    largest_bytes = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    peak_bytes = max(largest_bytes, sampled_bytes or 0, (killed_in.peak_bytes() or 0) if killed_in else 0)
    return {"cpu_s": round(used.ru_utime + used.ru_stime, 3), "peak_memory_bytes": peak_bytes or None}


def send(end: dict[str, Any], summary: str, output: Output) -> int:
    """The last line of the log, and the termination log; the exit code."""
    write_termination_log(end, summary)
    encoded = protocol.encode_event(end)
    if len(encoded) > protocol.MAX_EVENT_BYTES:  # hundreds of names; the results themselves have been sent
        encoded = protocol.encode_event({**end, "results": [], "missing": {}, "too_large": {}, "shortened": True})
    output.write(encoded)
    output.drain(STALLED_S, time.monotonic)
    code: int = end["code"]
    return code


def write_termination_log(end: dict[str, Any], summary: str) -> None:
    """The end once more, in the pod's status: it outlives the log and needs no right to read logs."""
    path = os.environ.get("KUBE_MAGICS_TERMINATION_LOG") or TERMINATION_LOG
    short = {key: value for key, value in end.items() if key not in ("results", "missing", "too_large")}
    text = b""
    for event, room in ((end, 1000), (short, 1000), (short, 200)):
        text = protocol.encode_event({**event, "error": summary[:room]})[1:]
        if len(text) <= TERMINATION_BYTES:
            break
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    except OSError:
        return  # not in a pod
    try:
        os.write(fd, text)
    except OSError:
        pass  # a full disk: the log has it
    finally:
        os.close(fd)
