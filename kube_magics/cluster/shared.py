"""One watch for many readers, each of which wants few of its objects: what a kernel follows costs two connections, not
two a job, and the server half as many questions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from kube_magics.cluster.client import Client
from kube_magics.cluster.pieces import Outage
from kube_magics.cluster.watch import Changed, Listed, watch

_News = Listed | Changed | Outage | Exception


class SharedWatch:
    """Open while it has a reader. To be used on one event loop."""

    def __init__(
        self, client: Client, path: str, params: Mapping[str, str], key: Callable[[Mapping[str, Any]], str | None]
    ) -> None:
        """`key`: by which a reader names its objects."""
        self._client = client
        self._path = path
        self._params = params
        self._key = key
        self._readers: list[tuple[str, asyncio.Queue[_News]]] = []
        self._task: asyncio.Task[None] | None = None
        self._so_far: tuple[Listed | Outage, ...] = ()
        """What who comes now has missed: that nothing of theirs was there, and that the cluster is away."""

    async def changes(self, key: str) -> AsyncGenerator[Listed | Changed | Outage, None]:
        """What `watch` yields, of the objects of that key alone; raises what it raises.

        To be begun before the first of them is made: no object is kept for whoever comes later.
        """
        news: asyncio.Queue[_News] = asyncio.Queue()
        reader = (key, news)
        self._readers.append(reader)
        if self._task is None or self._task.done():
            self._so_far = ()
            self._task = asyncio.ensure_future(self._read())
        for missed in self._so_far:
            news.put_nowait(missed)
        try:
            while True:
                found = await news.get()
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            self._readers.remove(reader)
            if not self._readers and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _read(self) -> None:
        try:
            async with aclosing(watch(self._client, self._path, self._params)) as changes:
                async for change in changes:
                    self._tell(change)
        except Exception as error:  # noqa: BLE001 - raised by whoever reads
            for _, news in self._readers:
                news.put_nowait(error)

    def _tell(self, change: Listed | Changed | Outage) -> None:
        listed = [each for each in self._so_far if isinstance(each, Listed)]
        if isinstance(change, Outage):
            self._so_far = tuple(listed) if change.over else (*listed, change)
        elif isinstance(change, Listed) and not listed:
            self._so_far = (Listed(()), *self._so_far)
        for key, news in self._readers:
            if (own := self._of(change, key)) is not None:
                news.put_nowait(own)

    def _of(self, change: Listed | Changed | Outage, key: str) -> Listed | Changed | Outage | None:
        if isinstance(change, Listed):
            return Listed(tuple(each for each in change.items if self._key(each) == key))
        return change if isinstance(change, Outage) or self._key(change.object) == key else None
