"""`%kube dashboard` and `kube_magics.Dashboard()`: the jobs of `jobs.overview` in the picture of `widgets`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from IPython.core.getipython import get_ipython

from kube_magics.backends.contract import Backend
from kube_magics.jobs import defaults, loop
from kube_magics.jobs.choose import backend_for
from kube_magics.jobs.overview import Overview, overview
from kube_magics.magics import wishes
from kube_magics.spec.columns import JOBS
from kube_magics.spec.options import PLACE
from kube_magics.spec.parse import checked
from kube_magics.telemetry.board import Delta
from kube_magics.verbs.jobs import rows_of
from kube_magics.verbs.table import Table
from kube_magics.widgets import dashboard as widgets
from kube_magics.widgets.dashboard import Picture, Wish

MOST_IN_TEXT = 20
"""Jobs of the table that stands for the dashboard where it cannot be shown."""
INTRODUCED_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""Until a page has been heard it is told everything at these pauses: while a cell runs, no page is heard."""


class AllJobs:
    """All jobs of one backend, in the page or, where that cannot be, as a table. Not to be used on the loop."""

    def __init__(self, backend: Backend) -> None:
        """Raises what keeps the jobs from being listed."""
        self._backend = backend
        self._views: set[str] = set()
        self._heard = self._looking = self._closed = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """Logs and cards that are shown, by their places; the introduction, under the empty name."""
        self._picture: Picture | None = None
        self._overview: Overview = loop.wait(self._opened())
        shell: Any = get_ipython()
        if hasattr(shell, "kernel") and widgets.supported():
            self._picture = Picture(self._wished)
            loop.wait(self._begun())
        else:
            loop.wait(self._ended())

    def close(self) -> None:
        """Take it out of the page, and end what it kept open."""
        loop.wait(self._ended())
        if self._picture is not None:
            self._picture.close()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        table = self._table()
        if self._picture is None or self._closed:
            return {"text/plain": table.text(), "text/html": table._repr_html_()}, {}
        return self._picture.bundle(table.text())

    def __repr__(self) -> str:
        return self._table().text()

    def _table(self) -> Table:
        found = self._overview.board.newest_first()
        more = len(found) - MOST_IN_TEXT
        notes = (f"and {more} more: %kube jobs",) if more > 0 else ()
        where = self._backend.where()
        return Table("jobs", where, JOBS, tuple(rows_of(found[:MOST_IN_TEXT])), f"no jobs on {where}", notes)

    async def _opened(self) -> Overview:
        found = overview(self._backend)
        self._looking = True
        try:
            await found.look(self._tell)
        except BaseException:
            self._looking = False
            raise
        return found

    async def _begun(self) -> None:
        self._tasks[""] = asyncio.ensure_future(self._introduced())

    async def _introduced(self) -> None:
        for pause_s in INTRODUCED_S:
            self._tell_all()
            await asyncio.sleep(pause_s)
            if self._heard:
                return

    async def _ended(self) -> None:
        self._closed = True
        self._rest()

    def _rest(self) -> None:
        """Nobody looks."""
        self._views.clear()
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        if self._looking:
            self._looking = False
            self._overview.leave(self._tell)

    def _send(self, kind: str, **more: Any) -> None:
        if self._picture is not None and not self._closed:
            self._picture.send({"kind": kind, **more})

    def _tell(self, delta: Delta | None, said: str) -> None:
        self._send("rows", now=time.time(), said=said, **(delta.json() if delta is not None else {}))

    def _tell_all(self) -> None:
        whole = self._overview.board.whole().json()
        self._send("rows", now=time.time(), said=self._overview.said, where=self._backend.where(), **whole)

    def _wished(self, wish: Wish) -> None:
        self._heard = True
        self._send("heard", id=wish.id)
        loop.start(self._answered(wish))

    async def _answered(self, wish: Wish) -> None:
        try:
            self._send("answer", id=wish.id, text=await self._fulfilled(wish))
        except Exception as error:  # noqa: BLE001 - the page is the only place where it can be said
            self._send("error", id=wish.id, text=f"{type(error).__name__}: {error}")

    async def _fulfilled(self, wish: Wish) -> str:
        if wish.what in wishes.LOOKS:
            return await asyncio.to_thread(wishes.LOOKS[wish.what], self._backend, wish.name)
        if wish.what in wishes.DEEDS:
            await wishes.checked(self._backend, wish.name, wish.identity)
            return await asyncio.to_thread(wishes.DEEDS[wish.what], self._backend, wish.name)
        if wish.what == "hello":
            await self._entered(wish.view)
        elif wish.what in ("log", "card"):
            self._stop_reading(wish)
            work = self._read(wish) if wish.what == "log" else self._show(wish)
            self._tasks[_place(wish)] = asyncio.ensure_future(work)
        elif wish.what in ("unlog", "uncard"):
            self._stop_reading(wish)
        elif wish.what == "bye":
            for what in ("log", "card"):
                self._stop_reading(replace(wish, what=what))
            self._left(wish.view)
        return ""

    async def _entered(self, view: str) -> None:
        self._views.add(view)
        if not self._looking and not self._closed:
            self._overview = await self._opened()
        self._tell_all()

    def _left(self, view: str) -> None:
        self._views.discard(view)
        if not self._views:
            self._rest()

    def _stop_reading(self, wish: Wish) -> None:
        if (task := self._tasks.pop(_place(wish), None)) is not None:
            task.cancel()

    async def _show(self, wish: Wish) -> None:
        def shown(html: str) -> None:
            self._send("card", id=wish.id, html=html)

        try:
            await wishes.show(self._backend, self._overview, wish.name, shown)
        except Exception as error:  # noqa: BLE001 - the page is the only place where it can be said
            self._send("error", id=wish.id, text=f"{type(error).__name__}: {error}")

    async def _read(self, wish: Wish) -> None:
        said = ""
        try:
            await wishes.read(
                self._backend, wish.name, lambda text: self._send("log", id=wish.id, text=text, over=False)
            )
        except Exception as error:  # noqa: BLE001 - the page is the only place where it can be said
            said = f"[kube_magics: {error}]\n"
        self._send("log", id=wish.id, text=said, over=True)


def _place(wish: Wish) -> str:
    """Where in a page its answer stands: the next one there takes its place."""
    return f"{wish.what.removeprefix('un')} {wish.view}"


class Dashboard(AllJobs):
    """All jobs of a namespace, or of this machine, live: filter, sort, look into one, stop, delete or re-run it.

    `namespace`, `context` and `backend` say where, as for `train`; where one is None, what is configured holds. Raises
    what keeps the jobs from being listed. Where widgets cannot be shown it is the table of `%kube jobs`.
    """

    def __init__(self, namespace: str | None = None, context: str | None = None, backend: str | None = None) -> None:
        given = {"namespace": namespace, "context": context, "backend": backend}
        named = {field: value for field, value in given.items() if value is not None}
        super().__init__(backend_for(defaults.spec(checked(named), tuple(PLACE))))
