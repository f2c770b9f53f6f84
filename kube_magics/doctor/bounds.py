"""No check takes longer than it may, and none takes another with it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from kube_magics.cluster.auth import bare
from kube_magics.doctor.line import BROKEN, Line, of_error
from kube_magics.errors import KubeMagicsError

T = TypeVar("T")

EACH_S = 8.0
ALL_S = 14.0
"""Of all checks together, but for the one that pulls an image."""


class Patience:
    """Of one examination."""

    def __init__(self, all_s: float = ALL_S, each_s: float = EACH_S) -> None:
        self._until = asyncio.get_running_loop().time() + all_s
        self._each_s = each_s

    async def lines(self, check: str, work: Awaitable[Sequence[Line]], state: str = BROKEN) -> list[Line]:
        """What `work` finds; where it raises, or takes too long, a line of `state` about that."""
        now = asyncio.get_running_loop().time()
        limit_s = max(0.1, min(self._each_s, self._until - now))
        return await within(limit_s, check, work, state)


async def within(limit_s: float, check: str, work: Awaitable[Sequence[Line]], state: str = BROKEN) -> list[Line]:
    """What `work` finds in this time."""
    try:
        async with asyncio.timeout(limit_s):
            return list(await work)
    except TimeoutError:
        return [Line(state, check, f"This could not be found out within {limit_s:.0f} s.", "%kube doctor   (again)")]
    except KubeMagicsError as error:
        return [of_error(check, error, state)]
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one check, the others are worth having
        what = f"This check itself failed: {type(error).__name__}: {bare(str(error))}"
        return [Line(state, check, what, "please report this line to kube_magics")]


async def in_order(works: Iterable[Awaitable[Sequence[Line]]]) -> AsyncIterator[Line]:
    """What all of these find, which begin at once, in their order: each as soon as those before it are done."""
    begun = [asyncio.ensure_future(work) for work in works]
    try:
        for each in begun:
            for line in await each:
                yield line
    finally:
        for each in begun:
            each.cancel()


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns, which may block for ever: a file system that is away, a log-in program. Its thread keeps
    neither the loop nor, at its end, the process (those of asyncio.to_thread do)."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(value: T | None, error: BaseException | None) -> None:
        if not done.cancelled():
            done.set_exception(error) if error is not None else done.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value, failed = None, None
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failed = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, value, failed)

    threading.Thread(target=run, name="kube_magics-doctor", daemon=True).start()
    return await done
