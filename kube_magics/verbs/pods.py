"""A job's pods as text, from near: what the dashboard shows of them. `describe` has them in short."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from kube_magics.backends.contract import Backend
from kube_magics.jobs import loop
from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry.pods import Container, Pod, pods_of
from kube_magics.verbs.table import aligned, plain

MOST_PODS = 500
"""That are shown of one job: an indexed one may have a hundred thousand."""
_HEAD = ("POD", "INDEX", "PHASE", "REASON", "RESTARTS", "AGE", "NODE")


def of(backend: Backend, name: str) -> str:
    """The pods of a job; raises what the backend's `objects` raises."""
    found = loop.wait(backend.objects(name))
    if not found.job:
        return f"{name} is a process of this machine: it has no pods."
    pods = pods_of(found.pods)
    return shown(pods, time.time()) if pods else f"{name} has no pods: there are none yet, or they were removed."


def shown(pods: Sequence[Pod], now: float) -> str:
    """A line a pod, its containers below; each line is one, whatever the cluster and its users have written."""
    kept = pods[:MOST_PODS]
    indexed = any(pod.index for pod in kept)
    cells = [_HEAD, *(_cells(pod, now) for pod in kept)]
    head, *lines = aligned([row if indexed else (row[0], *row[2:]) for row in cells])
    found = [head]
    for line, pod in zip(lines, kept, strict=True):
        found += [line, *_below(pod, now)]
    more = len(pods) - len(kept)
    return "\n".join([*found, *([f"and {more} more pods"] if more else [])])


def _cells(pod: Pod, now: float) -> tuple[str, ...]:
    age = "" if pod.created_at is None else human_seconds(max(0.0, now - pod.created_at))
    texts = (pod.name, pod.index, pod.phase, pod.reason, str(pod.restarts), age, pod.node)
    return tuple(plain(text) or "-" for text in texts)


def _below(pod: Pod, now: float) -> Iterator[str]:
    if pod.said:
        yield f"    {plain(pod.said)}"
    for each in pod.containers:
        yield f"    {plain(_container(each, now))}"


def _container(found: Container, now: float) -> str:
    """`main: running for 2 min 1 s`, `main: ended 5 s ago: OOMKilled, exit code 137`."""
    since = None if found.since is None else human_seconds(max(0.0, now - found.since))
    when = "" if since is None else f" for {since}" if found.status == "running" else f" {since} ago"
    code = "" if found.exit_code is None else f"exit code {found.exit_code}"
    restarts = f"restarts: {found.restarts}" if found.restarts else ""
    why = ", ".join(filter(None, (found.reason, code, restarts, found.said)))
    return f"{found.name}: {found.status or 'not started'}{when}" + (f": {why}" if why else "")
