"""A job as the user asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
    """Limit of an in-memory /dev/shm as a quantity, "" without a limit; None: not asked for (GPUs and torch bring one)."""
    read_only_root: bool = False
    cpu_ok: bool = False
    """On the local backend: run without the asked GPUs where there are none."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> JobSpec:
        """From the values that `spec.options` has checked."""
        return cls(**values)
