"""Several desks at work at the same time: a pod's start is mostly waiting, and the cases know nothing of each other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from tests.corpus.desk import Desk, Worked
from tests.corpus.reading import Case

DESKS = 4


class Abreast:
    """Cases at `DESKS` desks; each desk belongs to one thread."""

    def __init__(self, folder: Path, environment: Mapping[str, str], options: str) -> None:
        self._folder = folder
        self._environment = environment
        self._options = options
        self._pool = ThreadPoolExecutor(DESKS, "desk")
        self._of_thread = threading.local()
        self._desks: list[Desk] = []
        self._loops: list[asyncio.AbstractEventLoop] = []
        self._making = threading.Lock()
        self._begun: dict[str, Future[Worked]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for desk in self._desks:
            desk.__exit__()
        for loop in self._loops:
            loop.close()

    def begin(self, cases: Mapping[str, Case]) -> None:
        """In their order."""
        self._begun = {name: self._pool.submit(self._run, case) for name, case in cases.items()}

    def worked(self, name: str) -> Worked:
        """Waits for it."""
        return self._begun[name].result()

    def _run(self, case: Case) -> Worked:
        if "alone" in case.words:
            return self._new().run(case)
        if not hasattr(self._of_thread, "desk"):
            self._of_thread.desk = self._new()
        desk: Desk = self._of_thread.desk
        return desk.run(case)

    def _new(self) -> Desk:
        # One at a time: two kernels that look for free ports at once can find the same.
        with self._making:
            folder = self._folder / f"desk-{len(self._desks)}"
            folder.mkdir()
            self._desks.append(Desk(folder, self._environment, self._options))
            # What Jupyter gives each thread that talks to a kernel, and closes for none but the main one.
            self._loops.append(asyncio.get_event_loop())
            return self._desks[-1]
