"""What every backend does, one sentence a verb; tests/contract runs every case against each of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kube_magics.cluster.pieces import Attempt, Gap, Outage, Piece
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.telemetry.snapshot import Snapshot

__all__ = [
    "Attempt",
    "Backend",
    "Findings",
    "Gap",
    "Gpu",
    "GpuNode",
    "GpuReport",
    "Node",
    "NodeReport",
    "Objects",
    "Outage",
    "Piece",
    "Source",
    "Sources",
]


@dataclass(frozen=True)
class Gpu:
    """One device of this machine."""

    index: int
    uuid: str
    name: str | None
    memory_bytes: int | None


@dataclass(frozen=True)
class GpuNode:
    """GPUs of one node."""

    name: str
    product: str | None
    total: int
    used: int | None
    """None: the user's rights do not show it."""
    ready: bool = True


@dataclass(frozen=True)
class GpuReport:
    """GPUs that this user can see."""

    nodes: tuple[GpuNode, ...] = ()
    hidden: tuple[str, ...] = field(default=())
    """What cannot be seen, and which right would show it: a sentence each."""


@dataclass(frozen=True)
class Node:
    """A node as a whole; what is not known is None."""

    name: str
    status: str
    """ready, cordoned, not ready, unknown."""
    gpus: int | None = None
    used: int | None = None
    """GPUs that jobs have."""
    product: str | None = None
    cpus: float | None = None
    cpus_free: float | None = None
    memory_bytes: int | None = None
    memory_free_bytes: int | None = None
    taints: tuple[str, ...] = ()
    """As --toleration takes them: KEY=VALUE:EFFECT."""
    users: Mapping[str, int] = field(default_factory=dict)
    """GPUs by NAMESPACE/JOB, as far as the user's rights show it."""


@dataclass(frozen=True)
class NodeReport:
    """Nodes that this user can see."""

    nodes: tuple[Node, ...] = ()
    hidden: tuple[str, ...] = ()
    """As in `GpuReport`."""


@dataclass(frozen=True)
class Objects:
    """What is kept of one job, as it is kept."""

    job: Mapping[str, Any] = field(default_factory=dict)
    """The cluster's object; empty on this machine."""
    pods: tuple[Mapping[str, Any], ...] = ()
    """Of the job, the oldest first."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What a process of this machine has instead, by what it is called."""


@dataclass(frozen=True)
class Findings:
    """A job's state, and what else was seen of it."""

    state: Snapshot
    """With the cause that all of it tells."""
    events: tuple[Mapping[str, Any], ...] = ()
    """Of the job and of its newest pod, the oldest first."""
    hidden: tuple[str, ...] = ()
    """What could not be seen, and which right would show it: a sentence each."""


@dataclass(frozen=True)
class Source:
    """A log: of one container, of one run of it."""

    pod: str
    """Empty on this machine."""
    container: str
    previous: bool = False
    """Of the run before its present one."""


@dataclass(frozen=True)
class Sources:
    """The logs of one job."""

    every: tuple[Source, ...]
    """The oldest pod first."""
    in_turn: bool = True
    """One container, one pod at a time: `log` and `follow` have all of it, as one log."""


class Backend(Protocol):
    """Where jobs run. All methods belong on the one background loop."""

    kind: str
    """`kubernetes` or `local`."""
    namespace: str
    bundle_limit_bytes: int | None
    """What may travel with one job, packed; None: there is no limit."""

    @property
    def place(self) -> str | None:
        """`CONTEXT at SERVER`, where a kubeconfig chose it; None where there is nothing to confirm."""

    @property
    def address(self) -> str:
        """Equal where the same jobs are seen, whatever a context is called."""

    async def connect(self) -> None:
        """Make the first request, so that the next one is quick; raises what stands in the way."""

    def where(self) -> str:
        """For people: which backend, context and namespace, and why this one."""

    def warnings(self) -> list[str]:
        """What was said beside the answers to this user's wishes since this was asked last: each sentence once."""

    def runner_options(self, submission_name: str) -> Mapping[str, Any]:
        """The fields of the bundle's spec.json that depend on where it runs."""

    def check(self, spec: JobSpec) -> None:
        """Raises OptionError for what a job cannot have here, as far as that is known without a request."""

    def remarks(self, spec: JobSpec) -> list[str]:
        """Options of `spec` that mean something else here, or nothing: a sentence each."""

    async def preflight(self, spec: JobSpec) -> None:
        """Raises for what a job cannot have here, as far as the user's rights show it; makes nothing."""

    async def submit(self, submission: Submission) -> str | None:
        """Create the job, or raise and leave nothing behind; the same submission twice creates one job. Returns its
        uid, where it has one."""

    async def resubmit(self, objects: Sequence[Mapping[str, Any]]) -> str | None:
        """As `submit`, of a job that `recipe` gave and that has another name and submission by now."""

    async def create(self, manifest: Mapping[str, Any]) -> str:
        """Create one object of whatever kind exactly as it is; what it is called: `job.batch/NAME`."""

    async def poll(self, name: str) -> Snapshot:
        """The job's state now; a job that does not exist raises NotFound."""

    def follow(self, name: str) -> AsyncIterator[Snapshot | Piece]:
        """Every change of state and every block of whole log lines, until the job is over and its log is read."""

    async def stored(self, name: str, result: str) -> Path | None:
        """The file of a result that did not travel in the log; None: it is not kept."""

    def log(self, name: str) -> AsyncIterator[Piece]:
        """The log as far as it is kept, without waiting for more."""

    async def sources(self, name: str, *, previous: bool = False) -> Sources:
        """The logs of the job's containers that have started; `previous`: of the runs before the last one. A job that
        does not exist raises NotFound."""

    def read(self, name: str, source: Source, *, follow: bool = False) -> AsyncIterator[Piece]:
        """One of these logs, as far as it is kept; `follow`: then what comes, until its container has ended."""

    async def objects(self, name: str) -> Objects:
        """What is kept of the job; one that does not exist raises NotFound."""

    async def recipe(self, name: str) -> list[dict[str, Any]]:
        """The objects of a job, as they are: the Job, then what carries its files; raises where there are none."""

    async def kept(self, name: str) -> Submission | None:
        """What a job was submitted as; None where the job itself is all there is (`recipe`). Raises NotFound where it
        is not kept any more, or not whole."""

    async def events(self, name: str | None) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
        """What has happened to a job and its pods, or to all that the user may see, the oldest first; and what cannot
        be seen, a sentence each."""

    async def findings(self, name: str) -> Findings:
        """As `poll`, with all that may say why it is so: events, nodes, queue, the last lines of its log."""

    async def bundled(self, name: str) -> Mapping[str, bytes]:
        """What the job was told: spec.json and program.json of its bundle, by name; raises NotFound where they are not
        kept."""

    async def fetched(self, name: str, uid: str | None) -> None:
        """Note on the job (of this uid) that what it sent back has arrived."""

    async def stop(self, name: str) -> str:
        """TERM, grace, KILL; the job and its log stay. Returns a sentence that says what was done."""

    async def delete(self, name: str) -> None:
        """Remove the job and all that it owns; a job that does not exist raises NotFound."""

    async def jobs(self, selector: str | None = None) -> list[Snapshot]:
        """All jobs here that the user may see, newest first; `selector`: only those with these labels."""

    def watch(self) -> AsyncGenerator[Mapping[str, Snapshot | None] | Outage | str, None]:
        """All jobs here that the user may see, by name, then whatever changes of them (None: it is gone), for ever; a
        sentence for what of them cannot be seen, an empty one where it can be by now."""

    async def gpus(self) -> GpuReport:
        """GPUs by node: total and in use."""

    async def nodes(self) -> NodeReport:
        """What each node has, what is free, and who uses its GPUs."""

    async def names(self, kind: str) -> list[str]:
        """Names of all `jobs` here, or of the `claims` or `namespaces` that the user may see; none where there are
        none of that kind."""

    def manifests(self, submission: Submission) -> list[dict[str, Any]]:
        """Exactly what `submit` would create; raises where there are no manifests."""

    async def close(self) -> None:
        """Give back connections."""
