"""The end of a job that has removed its own folder (`rm -rf /tmp/*`) before the rest of the runner was imported."""

from __future__ import annotations

import os
import time

from . import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .pump import Pump

MISSING = "the job has removed or replaced the folder that its values are kept in"
PATIENCE_S = 60.0


def end(status: int, asked: str, returns: list[str], ran_s: float, pump: Pump) -> int:
    """What is known without `closing`, as its event; the exit code."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    code = 128 + number if number is not None else os.WEXITSTATUS(status)
    reason = asked or ("signal" if number is not None else "failed" if code else "completed")
    event: dict[str, Any] = {"e": "end", "code": code, "signal": number, "reason": reason}
    event.update(duration_s=round(ran_s, 3), cpu_s=0.0, peak_memory_bytes=None)
    event.update(lines=pump.totals.lines, bytes=pump.totals.bytes, results=[], too_large={})
    event["missing"] = dict.fromkeys(returns, MISSING)
    pump.output.write(protocol.encode_event(event))
    pump.output.drain(PATIENCE_S, time.monotonic)
    return code
