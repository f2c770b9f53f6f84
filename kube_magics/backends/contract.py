"""What every backend does, one sentence a verb; tests/contract runs every case against each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kube_magics.cluster.pieces import Gap, Outage, Piece
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.telemetry.snapshot import Snapshot

__all__ = ["Backend", "Gap", "Gpu", "GpuNode", "GpuReport", "Outage", "Piece"]


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

    async def bundled(self, name: str) -> Mapping[str, bytes]:
        """What the job was told: spec.json and program.json of its bundle, by name; raises NotFound where they are not
        kept."""

    async def fetched(self, name: str, uid: str | None) -> None:
        """Note on the job (of this uid) that what it sent back has arrived."""

    async def stop(self, name: str) -> str:
        """TERM, grace, KILL; the job and its log stay. Returns a sentence that says what was done."""

    async def delete(self, name: str) -> None:
        """Remove the job and all that it owns; a job that does not exist raises NotFound."""

    async def jobs(self) -> list[Snapshot]:
        """All jobs here that the user may see, newest first."""

    async def gpus(self) -> GpuReport:
        """GPUs by node: total and in use."""

    async def names(self, kind: str) -> list[str]:
        """Names of all `jobs` here, or of the `claims` or `namespaces` that the user may see; none where there are
        none of that kind."""

    def manifests(self, submission: Submission) -> list[dict[str, Any]]:
        """Exactly what `submit` would create; raises where there are no manifests."""

    async def close(self) -> None:
        """Give back connections."""
