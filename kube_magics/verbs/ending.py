"""`stop` and `delete`: of one job or several, each reported; one that fails does not keep the others."""

from __future__ import annotations

from collections.abc import Callable

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.jobs.job import Job
from kube_magics.verbs.door import Call


def stop(call: Call) -> None:
    """TERM, grace, KILL; the jobs and their logs stay."""
    _each(call, lambda job: job.stop(), "stopped")


def delete(call: Call) -> None:
    """The jobs and all that they own."""
    backend = call.backend
    _each(call, lambda job: removed(job, backend), "deleted")


def removed(job: Job, backend: Backend) -> str:
    """Remove one job; says what was done."""
    job.delete()
    what = "its log" if backend.kind == "local" else "its pod and its log on the cluster"
    return f"{job.name} is deleted, with {what}."


def _each(call: Call, end: Callable[[Job], str], done: str) -> None:
    failed: list[tuple[str, errors.KubeMagicsError]] = []
    backend = call.backend
    for name in call.names:
        try:
            call.door.say(end(Job(backend, name)))
        except errors.KubeMagicsError as error:
            failed.append((name, error))
    if failed and len(call.names) == 1:
        raise failed[0][1]
    if failed:
        said = "\n".join(f"{name}: {error.said or error.message}" for name, error in failed)
        first = failed[0][1]
        kind = type(first) if len({type(error) for _, error in failed}) == 1 else errors.ClusterError
        names = ", ".join(name for name, _ in failed)
        raise kind(
            f"{len(failed)} of {len(call.names)} jobs were not {done}: {names}.", said=said, hint=first.hint
        ) from first
