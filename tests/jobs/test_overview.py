"""All jobs, live: who looks is told, all look through one watch, and the last one to leave closes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from kube_magics import errors
from kube_magics.backends.contract import Outage
from kube_magics.backends.local import LocalBackend
from kube_magics.jobs.overview import Overview, overview
from kube_magics.telemetry.board import Delta
from kube_magics.telemetry.snapshot import Snapshot
from tests.jobs.local import backend_in, prepared

pytestmark = pytest.mark.jobs


class Looker:
    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}
        self.said: list[str] = []

    def tell(self, delta: Delta | None, said: str) -> None:
        self.said.append(said)
        if delta is not None:
            self.statuses |= {each["name"]: each["status"] for each in delta.rows}
            for name in delta.gone:
                del self.statuses[name]

    async def sees(self, **statuses: str) -> None:
        async with asyncio.timeout(30):
            while self.statuses != statuses:
                await asyncio.sleep(0.02)


class Counting(LocalBackend):
    """Counts its watches; the next one may be made to fail, or to say what is not known."""

    opened = closed = 0
    fails: errors.KubeMagicsError | None = None
    breaks: errors.KubeMagicsError | None = None
    """With the next change, which is lost."""
    away: Outage | str | None = None

    async def watch(self) -> AsyncGenerator[Mapping[str, Snapshot | None] | Outage | str, None]:
        self.opened += 1
        try:
            if self.fails is not None:
                raise self.fails
            if self.away is not None:
                yield self.away
            async for each in super().watch():
                if self.breaks is not None:
                    error, self.breaks = self.breaks, None
                    raise error
                yield each
        finally:
            self.closed += 1


def run(test: Callable[[Counting], Awaitable[None]], folder: Path) -> None:
    asyncio.run(asyncio.wait_for(test(Counting("a test", folder / "jobs")), 60))  # type: ignore[arg-type]


def test_a_job_is_seen_from_its_start_to_its_removal(tmp_path: Path) -> None:
    async def test(backend: LocalBackend) -> None:
        looker = Looker()
        await overview(backend).look(looker.tell)
        await looker.sees()
        waits = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.05)"
        await backend.submit(prepared(backend, waits, name="short").submission)
        await looker.sees(short="running")
        (tmp_path / "go").touch()
        await looker.sees(short="succeeded")
        late = Looker()
        await overview(backend).look(late.tell)
        assert set(overview(backend).board.rows) == {"short"}, "known at once"
        await backend.delete("short")
        await looker.sees()
        for each in (looker, late):
            overview(backend).leave(each.tell)

    asyncio.run(asyncio.wait_for(test(backend_in(tmp_path)), 60))


def test_all_look_through_one_watch_that_the_last_one_closes(tmp_path: Path) -> None:
    async def test(backend: Counting) -> None:
        first, second = Looker(), Looker()
        tasks = len(asyncio.all_tasks())
        shared = overview(backend)
        await asyncio.gather(shared.look(first.tell), shared.look(second.tell))
        assert (backend.opened, backend.closed) == (1, 0)
        shared.leave(first.tell)
        await asyncio.sleep(0)
        assert (backend.closed, shared.open) == (0, True)
        shared.leave(second.tell)
        await asyncio.sleep(0.01)
        assert (backend.closed, shared.open) == (1, False)
        assert len(asyncio.all_tasks()) == tasks
        await shared.look(first.tell)
        assert backend.opened == 2
        shared.leave(first.tell)

    run(test, tmp_path)


def test_of_a_job_that_somebody_looks_into_the_row_has_what_it_says(tmp_path: Path) -> None:
    def progress(shown: Overview) -> str:
        return str(shown.board.rows["far"]["progress"])

    async def test(backend: Counting) -> None:
        looker, shared = Looker(), overview(backend)
        await shared.look(looker.tell)
        bar = "print(' 75%|#######   | 3/4 [00:03<00:01, 1.0it/s]', flush=True)"
        await backend.submit(
            prepared(backend, f"{bar}\nimport time\ntime.sleep(60)", "--grace", "1s", name="far").submission
        )
        await looker.sees(far="running")
        assert progress(shared) == "", "nobody has asked for its log"
        async with shared.near(backend, "far"), asyncio.timeout(30):
            while not progress(shared).startswith("75 % (3 of 4)"):
                await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            while progress(shared):
                await asyncio.sleep(0.05)
        await backend.delete("far")
        shared.leave(looker.tell)

    run(test, tmp_path)


def test_what_keeps_jobs_from_being_listed_is_raised(tmp_path: Path) -> None:
    async def test(backend: Counting) -> None:
        backend.fails = errors.Forbidden("You may not list jobs.")
        looker = Looker()
        with pytest.raises(errors.Forbidden):
            await overview(backend).look(looker.tell)
        backend.fails, backend.away = None, Outage(9.0)
        with pytest.raises(errors.Unreachable):
            await overview(backend).look(looker.tell)
        assert not overview(backend).open

    run(test, tmp_path)


def test_what_of_the_jobs_cannot_be_seen_is_said(tmp_path: Path) -> None:
    async def test(backend: Counting) -> None:
        backend.away = "You may not list pods."
        looker = Looker()
        await overview(backend).look(looker.tell)
        assert overview(backend).said == "You may not list pods."
        overview(backend).leave(looker.tell)

    run(test, tmp_path)


def test_a_watch_that_breaks_later_is_said_and_begun_again(tmp_path: Path) -> None:
    async def test(backend: Counting) -> None:
        await backend.submit(prepared(backend, "1", name="gone").submission)
        looker, shared = Looker(), Overview(backend, again_s=0.01)
        await shared.look(looker.tell)
        backend.breaks = errors.Unauthorized("Your login has expired.")
        await backend.delete("gone")
        await looker.sees()
        assert backend.opened == 2
        assert [said for said in looker.said if said] == ["Your login has expired."]
        assert shared.said == ""
        shared.leave(looker.tell)

    run(test, tmp_path)
