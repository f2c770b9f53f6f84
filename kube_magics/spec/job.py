"""A job as the user asked for it, and as it is handed over to a backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kube_magics.spec.environment import Secret
from kube_magics.spec.volumes import Volume


@dataclass(frozen=True)
class JobSpec:
    """The checked options of one job; the fields are the rows of `spec.options.OPTIONS`."""

    gpus: int = 0
    """Devices; 0 asks for none."""
    cpus: str | None = None
    """Cores as a quantity (`4`, `500m`); None: the stated default."""
    memory: str | None = None
    """Bytes as a quantity (`16Gi`), request and limit; None: the stated default, no limit."""
    image: str | None = None
    """None: KUBE_MAGICS_IMAGE, else the slim image of the notebook's Python minor."""
    name: str | None = None
    """None: generated."""
    returns: tuple[str, ...] = ()
    """Names of the cell whose values come back."""
    namespace: str | None = None
    """None: the context's."""
    context: str | None = None
    """None: the kubeconfig's current one."""
    backend: str | None = None
    """`kubernetes`, `local`, or None: chosen by what is found."""
    dry_run: bool = False
    timeout: int | None = None
    """Seconds on the node; None: no limit."""
    python: str | None = None
    """Interpreter in the image; None: `python3`, on the local backend the kernel's own."""
    shm: str | None = None
    """Limit of an in-memory /dev/shm as a quantity, "" without one; None: as GPUs and torch need it."""
    read_only_root: bool = False
    cpu_ok: bool = False
    """On the local backend: run without the asked GPUs where there are none."""
    capture: tuple[str, ...] = ()
    """Names that travel although their values look like credentials."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables of the job's environment."""
    secret: tuple[Secret, ...] = ()
    """Secrets of the namespace that become variables of the job's environment."""
    pip: str = "auto"
    """`auto`: what the notebook's imports come from and the image lacks; `none`; else requirements, blanks between."""
    requirements: str | None = None
    """Path of a requirements file, here."""
    cache: str | None = None
    """Claim that keeps installed packages between jobs."""
    files: tuple[str, ...] = ()
    """Paths and globs, relative to the notebook's folder, that travel into the job's working folder."""
    volume: tuple[Volume, ...] = ()
    """Claims that the job mounts."""
    artifacts: str | None = None
    """fsspec URL of a folder that carries what is too large for the cluster's database and the log."""
    returns_files: tuple[str, ...] = ()
    """Globs, relative to the job's working folder, whose files come back."""
    log_to: str | None = None
    """File, in the job's container, in which it keeps its own copy of its log; ends with `/`: a folder's."""
    detach: bool = False
    """The cell does not wait for it."""
    new: bool = False
    """Submit although a job of the same cell is there."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> JobSpec:
        """From the values that `spec.options` has checked."""
        return cls(**values)


class Parcel(Protocol):
    """A large file that is not in memory a second time."""

    @property
    def size_bytes(self) -> int: ...

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The file, from its beginning to its end."""


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
    folder: str = ""
    """The work folder: stands for the notebook where that is unknown."""
    version: str = ""
    """Of kube_magics."""
    arguments: tuple[str, ...] | None = None
    """Of an image that runs as it is, without the runner; None: a cell, a call or a script."""
