"""The door: everything about the cluster or machine that jobs would run on, and about this notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from kube_magics import errors
from kube_magics.cluster import auth
from kube_magics.cluster.auth import Source
from kube_magics.doctor import cluster, store, surroundings
from kube_magics.doctor.bounds import Patience, in_thread
from kube_magics.doctor.judging import machine, notebook
from kube_magics.doctor.judging.notebook import Kernel
from kube_magics.doctor.line import BROKEN, DEGRADED, Line, Report, of_error, ok
from kube_magics.jobs import defaults, loop
from kube_magics.jobs.choose import backend_for
from kube_magics.spec.job import JobSpec


def examine(given: Mapping[str, Any], *, pulls: bool = False) -> Report:
    """What the options `given`, and the defaults of this process, lead to. Takes 15 s at most, a pull two minutes."""
    kernel = surroundings.kernel()
    try:
        spec = defaults.spec(given)
    except errors.OptionError as error:
        # Nothing can be asked with it, and no job be made.
        return Report((of_error("settings", error), *notebook.kernel(kernel)))
    return Report(tuple(loop.wait(_all(spec, kernel, pulls=pulls))))


async def _all(spec: JobSpec, kernel: Kernel, *, pulls: bool) -> list[Line]:
    patience = Patience()
    found = await asyncio.gather(_place(spec, patience, pulls=pulls), *_here(spec, kernel, patience))
    return [line for some in found for line in some]


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


async def _place(spec: JobSpec, patience: Patience, *, pulls: bool) -> list[Line]:
    """Where jobs run."""
    chosen: list[Source] = []
    lines = await patience.lines("kubeconfig", _chosen(spec, chosen))
    if chosen:
        return await cluster.lines(chosen[0], spec, patience, pulls=pulls)
    if any(line.state == BROKEN for line in lines):
        return lines
    checks = [patience.lines("python", _machine(spec)), patience.lines("GPUs", _devices(spec), DEGRADED)]
    return [*lines, *(line for some in await asyncio.gather(*checks) for line in some)]


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
