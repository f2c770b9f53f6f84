"""The one background event loop of a process: not a thread per job, and not the kernel's own loop.

In a notebook cell a loop is running already, so synchronous doors wait on futures of this one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The loop, started at first use; its thread never keeps the process alive."""
    global _loop  # noqa: PLW0603 - one loop per process is the design
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="kube_magics", daemon=True).start()
        return _loop


def start(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Run `work` on the loop; the future can be waited for from any other thread."""
    return asyncio.run_coroutine_threadsafe(work, loop())


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the loop and block for its result; an interrupt here cancels it there."""
    future = start(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
