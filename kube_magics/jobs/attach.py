"""To a job that is there already, from any notebook: its log, its values, its exception, as if the cell had stayed."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.cells.definitions.jobcode import Definitions
from kube_magics.jobs import followed, here, loop, records
from kube_magics.jobs.follow import Follower
from kube_magics.jobs.homecoming import Home
from kube_magics.jobs.job import Job
from kube_magics.jobs.logfile import FOLDER, LogFile, free
from kube_magics.jobs.origin import Origin
from kube_magics.jobs.screen import Screen
from kube_magics.jobs.store import Store
from kube_magics.telemetry.snapshot import INCOMPLETE, Snapshot


def attach(
    backend: Backend,
    name: str,
    namespace: MutableMapping[str, Any],
    *,
    trust: bool = False,
    tail: int | None = None,
    loads: bool = True,
) -> Job:
    """Job `name`, followed from its first line on; of the lines that are there already, the last `tail` are shown.

    `trust`: load what it sends back although this user's records do not know it. `loads` False: its values stay where
    they are, for a notebook that takes it up later. Raises NotFound.
    """
    state = _state(backend, name)
    if state.phase == INCOMPLETE:
        raise errors.JobNotStarted(f"Job {name} never ran: its files did not arrive.", hint="run its cell again")
    own = backend.kind == "local" or records.is_own(state)
    origin = None
    if state.ours and not loads and state.returns:
        origin = replace(_sealed(state, namespace), returns=())
    elif state.ours:
        origin = _origin(backend, state, namespace, own=own) if own or trust else _sealed(state, namespace)
    return follow(backend, state, origin, tail=tail)


def again(backend: Backend, state: Snapshot, origin: Origin, returns_files: Sequence[str]) -> Job:
    """The job of `state`, which a record of this user's knows as the job of the very cell that `origin` is of."""
    whole = completed(origin, state, returns_files)
    return follow(backend, state, replace(whole, sealed=not records.is_own(state)))


def _state(backend: Backend, name: str) -> Snapshot:
    try:
        return loop.wait(backend.poll(name))
    except errors.NotFound as error:
        kept = FOLDER / f"{name}.log"
        if kept.is_file():
            error.hint = "\n".join(filter(None, (error.hint, f"{kept} is what was printed here of a job of this name")))
        raise


def follow(backend: Backend, state: Snapshot, origin: Origin | None, *, tail: int | None = None) -> Job:
    """The job of `state`, followed on the background loop; `origin` as in `Job`."""
    follower = followed.find(backend, state)
    if follower is not None:
        screen = Screen(str(follower.log.path), tail=tail, limited=here.limited())
        with suppress(OSError):  # its log file is gone: from the cluster, then
            loop.wait(follower.show_on(screen))
            return Job(backend, state.name, follower, origin, screen=screen)
    path = free(FOLDER / f"{state.name}.log")
    screen = Screen(str(path), tail=tail, limited=here.limited())
    follower = Follower(backend, state.name, LogFile(path, needed=False), screen, ours=state.ours)
    followed.begin(backend, follower)
    return Job(backend, state.name, follower, origin, screen=screen)


def completed(origin: Origin, state: Snapshot, returns_files: Sequence[str]) -> Origin:
    """`origin` with what only the job of `state` knows: for one that was not submitted in this run."""
    return replace(
        origin,
        store=Store.parse(state.artifacts or "", state.name, state.submission_id),
        home=Home(Path.cwd(), returns_files),
        submission_id=state.submission_id,
    )


def _origin(backend: Backend, state: Snapshot, namespace: MutableMapping[str, Any], *, own: bool) -> Origin:
    """As the cell had it that submitted the job: from the bundle, which is still there."""
    told = {name: json.loads(data) for name, data in loop.wait(backend.bundled(state.name)).items()}
    spec: Mapping[str, Any] = told["spec.json"]
    origin = Origin(namespace, Definitions(told["program.json"]), state.returns, spec.get("timeout_s"), own=own)
    return completed(origin, state, tuple(spec.get("returns_files") or ()))


def _sealed(state: Snapshot, namespace: MutableMapping[str, Any]) -> Origin:
    nothing: dict[str, Any] = {"cells": {}, "definitions": [], "statements": [], "returns": []}
    return Origin(namespace, Definitions(nothing), state.returns, sealed=True)
