"""One event loop for a cell with `await` outside of functions; travels only with those.

All of the cell's statements run inside it, as in a notebook: what one statement starts the next can wait for.
"""

from __future__ import annotations

import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from types import CodeType
    from typing import Any

COROUTINE = 0x80


class Loop:
    """`cells` are the file names of the user's code: no frame of the loop stands above them in a traceback."""

    def __init__(self, cells: Container[str]) -> None:
        self._cells = cells
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def run(self, code: CodeType, names: dict[str, Any]) -> Any:
        async def inside() -> Any:
            value = eval(code, names)  # noqa: S307  (the user's program is what this is for)
            return await value if code.co_flags & COROUTINE else value

        try:
            return self._loop.run_until_complete(inside())
        except BaseException as error:  # noqa: BLE001  (raised again below)
            failed, at = error, error.__traceback__
        while at is not None and at.tb_frame.f_code.co_filename not in self._cells:
            at = at.tb_next
        raise failed.with_traceback(at or failed.__traceback__)

    def end(self) -> None:
        """What nobody waited for is cancelled, as asyncio.run() does it."""
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
