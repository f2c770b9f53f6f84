"""The pictures that the user's process has left, as events. Whoever can write to the FIFO can ask for any: all are
checked."""

from __future__ import annotations

import os
import stat

from . import images

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Gallery:
    """Takes files, in the order they are announced."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, images.FOLDER)
        self._budget = images.Budget()
        self._number = 0

    def events(self, told: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The chunks of an announced picture; its file is removed once the last one was taken."""
        path = os.path.join(self._folder, os.path.basename(str(told.get("file"))))
        data = _content(path)
        if data is None:
            return
        asked = images.Picture(data, str(told.get("text") or ""), str(told.get("note") or ""))
        picture = self._budget.admitted(asked) if self._number < 2 * images.MOST else None
        if picture is not None:
            self._number += 1
            yield from images.events(self._number, picture)
        try:
            os.remove(path)
        except OSError:
            return


def _content(path: str) -> bytes | None:
    """As much as a picture may have, and one byte; None: it is no file. Never waits, as a pipe would have us."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return file.read(images.EACH_BYTES + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError:
        return None
