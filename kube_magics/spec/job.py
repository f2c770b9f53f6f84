"""A job as the user asked for it, and as it is handed over to a backend."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kube_magics.spec.environment import Secret
from kube_magics.spec.marks import Pairs, Toleration
from kube_magics.spec.options import GPU_RESOURCE
from kube_magics.spec.volumes import Volume


@dataclass(frozen=True)
class JobSpec:
    """The checked options of one job; the fields are the rows of `spec.options.OPTIONS`, and `given`."""

    gpus: int = 0
    """Devices; 0 asks for none."""
    gpu_resource: str = GPU_RESOURCE
    """What the nodes call them."""
    cpus: str | None = None
    """Cores as a quantity (`4`, `500m`); None: the stated default."""
    memory: str | None = None
    """Bytes as a quantity (`16Gi`), request and limit; None: the stated default, no limit."""
    shm: str | None = None
    """Limit of an in-memory /dev/shm as a quantity, "" without one; None: as GPUs and torch need it."""
    timeout: int | None = None
    """Seconds on the node; None: no limit."""
    grace: int | None = None
    """Seconds from TERM to KILL; None: the stated default."""
    retries: int = 0
    """Attempts after the first."""
    ttl: int | None = None
    """Seconds that the ended job stays; None: the stated default."""
    image: str | None = None
    """None: the slim image of the notebook's Python minor."""
    image_pull_secret: tuple[str, ...] = ()
    python: str | None = None
    """Interpreter in the image; None: `python3`, on the local backend the kernel's own."""
    pip: str = "auto"
    """`auto`: what the notebook's imports come from and the image lacks; `none`; else requirements, blanks between."""
    requirements: str | None = None
    """Path of a requirements file, here."""
    cache: str | None = None
    """Claim that keeps installed packages between jobs."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables of the job's environment."""
    secret: tuple[Secret, ...] = ()
    """Secrets of the namespace that become variables of the job's environment."""
    workdir: str | None = None
    """Absolute path in the job; None: a folder of its own, on the local backend the notebook's."""
    run_as: str | None = None
    """A user id, or `image`; None: the stated default."""
    read_only_root: bool = False
    returns: tuple[str, ...] = ()
    """Names of the cell whose values come back."""
    returns_files: tuple[str, ...] = ()
    """Globs, relative to the job's working folder, whose files come back."""
    files: tuple[str, ...] = ()
    """Paths and globs, relative to the notebook's folder, that travel into the job's working folder."""
    volume: tuple[Volume, ...] = ()
    """Claims that the job mounts."""
    artifacts: str | None = None
    """fsspec URL of a folder that carries what is too large for the cluster's database and the log."""
    log_to: str | None = None
    """File, in the job's container, in which it keeps its own copy of its log; ends with `/`: a folder's."""
    capture: tuple[str, ...] = ()
    """Names that travel although their values look like credentials."""
    backend: str | None = None
    """`kubernetes`, `local`, or None: chosen by what is found."""
    context: str | None = None
    """None: the kubeconfig's current one."""
    namespace: str | None = None
    """None: the context's."""
    queue: str | None = None
    """Of Kueue."""
    priority: str | None = None
    """A PriorityClass."""
    node_selector: Pairs = ()
    toleration: tuple[Toleration, ...] = ()
    service_account: str | None = None
    labels: Pairs = ()
    """Of the Job and its pod, besides ours."""
    annotations: Pairs = ()
    """Of the Job and its pod, besides ours."""
    cpu_ok: bool = False
    """On the local backend: run without the asked GPUs where there are none."""
    name: str | None = None
    """None: generated."""
    detach: bool = False
    """The cell does not wait for it."""
    new: bool = False
    """Submit although a job of the same cell is there."""
    dry_run: bool = False
    debug: bool = False
    """Full tracebacks, and every request."""
    given: frozenset[str] = frozenset()
    """The fields that the line itself names, or the call; all else comes from further away."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> JobSpec:
        """From the values that `spec.parse` has checked."""
        return cls(**values, given=frozenset(values))


def image_of(spec: JobSpec) -> str:
    """The image that a job of `spec` runs: what is asked for, else the slim image of the notebook's Python minor."""
    return spec.image or f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


class Parcel(Protocol):
    """A large file that is not in memory a second time."""

    @property
    def size_bytes(self) -> int: ...

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The file, from its beginning to its end."""

    def parts(self) -> list[list[Any]]:
        """[at, size, digest] of all that a reader must find, as `artifacts.pieces` checks it."""


@dataclass(frozen=True)
class Submission:
    """One job on its way: the facts that every backend keeps, so that it can be found again."""

    spec: JobSpec
    name: str
    """Chosen here: a repeated request of the same submission finds the first one's job."""
    submission_id: str
    """Tells a repetition from a stranger of the same name."""
    bundle: bytes
    """The zip that travels."""
    bundle_sha256: str
    """Hex."""
    cell_digest: str
    """Hex; equal cells have equal ones."""
    data: Parcel | None = None
    """Captured values that are too large for the bundle: the content of its data.pkl; None: it is in it."""
    artifacts: str | None = None
    """The URL of this job's folder in the store of --artifacts; None: it has none."""
    imports: tuple[str, ...] = ()
    """Top-level modules that the cell imports."""
    notebook: str | None = None
    """Its path as the user knows it; None: unknown."""
    label: str | None = None
    """Of the cell as the user knows it: In [3]; None: none is known."""
    folder: str = ""
    """The work folder: stands for the notebook where that is unknown."""
    version: str = ""
    """Of kube_magics."""
    seeds: tuple[tuple[str, int], ...] = ()
    """By function, those that the code sets: (("numpy.random.seed", 0),)."""
    arguments: tuple[str, ...] | None = None
    """Of an image that runs as it is, without the runner; None: a cell, a call or a script."""
