"""The door: everything about the cluster or machine that jobs would run on, and about this notebook."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from kube_magics import errors
from kube_magics.cluster import auth
from kube_magics.cluster.auth import Source
from kube_magics.doctor import cluster, store, surroundings
from kube_magics.doctor.bounds import Patience, in_order, in_thread
from kube_magics.doctor.judging import machine, notebook
from kube_magics.doctor.judging.notebook import Kernel
from kube_magics.doctor.line import BROKEN, DEGRADED, Line, of_error, ok
from kube_magics.jobs import defaults, loop
from kube_magics.jobs.choose import backend_for
from kube_magics.spec.job import JobSpec


def examine(given: Mapping[str, Any], *, pulls: bool = False, admin: bool = False) -> Iterator[Line]:
    """What the options `given`, and the defaults of this process, lead to: in a fixed order, each line as soon as it is
    known. Takes 15 s at most, a pull two minutes. `admin`: how the cluster is set up for all its users, too."""
    kernel = surroundings.kernel()
    try:
        spec = defaults.spec(given)
    except errors.OptionError as error:
        # Nothing can be asked with it, and no job be made.
        yield from (of_error("settings", error), *notebook.kernel(kernel))
        return
    found: SimpleQueue[Line | None] = SimpleQueue()
    work = loop.start(_tell(_all(spec, kernel, pulls=pulls, admin=admin), found.put))
    work.add_done_callback(lambda _: found.put(None))
    try:
        while (line := found.get()) is not None:
            yield line
        work.result()
    finally:
        work.cancel()


async def _tell(lines: AsyncIterator[Line], tell: Callable[[Line], None]) -> None:
    async for line in lines:
        tell(line)


async def _all(spec: JobSpec, kernel: Kernel, *, pulls: bool, admin: bool) -> AsyncIterator[Line]:
    patience = Patience()
    here = [asyncio.ensure_future(work) for work in _here(spec, kernel, patience)]
    try:
        async for line in _place(spec, patience, pulls=pulls, admin=admin):
            yield line
        async for line in in_order(here):
            yield line
    finally:
        for each in here:
            each.cancel()


def _here(spec: JobSpec, kernel: Kernel, patience: Patience) -> list[Any]:
    url = spec.artifacts
    checks = [
        patience.lines("notebook", _kernel(kernel)),
        patience.lines("folders", _folders(), DEGRADED),
    ]
    if url:
        checks.append(patience.lines("store", in_thread(lambda: store.lines(url))))
    return checks


async def _kernel(found: Kernel) -> Sequence[Line]:
    return notebook.kernel(found)


async def _folders() -> Sequence[Line]:
    return [notebook.folder(*each) for each in await in_thread(surroundings.folders)]


async def _place(spec: JobSpec, patience: Patience, *, pulls: bool, admin: bool) -> AsyncIterator[Line]:
    """Where jobs run."""
    chosen: list[Source] = []
    lines = await patience.lines("kubeconfig", _chosen(spec, chosen))
    for line in lines:
        yield line
    if chosen:
        async for line in cluster.lines(chosen[0], spec, patience, pulls=pulls, admin=admin):
            yield line
    elif all(line.state != BROKEN for line in lines):
        checks = [patience.lines("python", _machine(spec)), patience.lines("GPUs", _devices(spec), DEGRADED)]
        async for line in in_order(checks):
            yield line


async def _chosen(spec: JobSpec, chosen: list[Source]) -> Sequence[Line]:
    """The cluster, if there is one; else a line about the backend that there is."""
    source = None if spec.backend == "local" else await in_thread(auth.find)
    if source is not None:
        chosen.append(source)
        return []
    return [ok("backend", backend_for(spec).where())]


async def _machine(spec: JobSpec) -> Sequence[Line]:
    return machine.machine(await in_thread(lambda: surroundings.machine(spec)))


async def _devices(spec: JobSpec) -> Sequence[Line]:
    return [machine.devices(await in_thread(surroundings.devices), spec.gpus)]
