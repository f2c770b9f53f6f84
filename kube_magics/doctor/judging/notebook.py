"""The notebook's side: its kernel, what its front end lets through, and the folders that are written to."""

from __future__ import annotations

from dataclasses import dataclass

from kube_magics.doctor.line import Line, broken, degraded, ok
from kube_magics.jobs.screen import RATE_BYTES_S
from kube_magics.spec.quantities import human_bytes

OLDEST_IPYKERNEL = (6, 29)
_LEAST = ".".join(map(str, OLDEST_IPYKERNEL))
LEAST_FREE_BYTES = 100_000_000
MESSAGES_S = 50
"""What a cell shows at most: 8 batches of its output a second, pictures, and what else it prints itself."""


@dataclass(frozen=True)
class Limits:
    """What a Jupyter server lets through; 0: everything."""

    bytes_s: float = 1e6
    messages_s: float = 1000
    where: str = ""
    """The file or command that says so; "": the server's own defaults."""


@dataclass(frozen=True)
class Kernel:
    """Of this process."""

    version: str
    """Of kube_magics."""
    python: str
    platform: str
    """`Linux`, `Darwin`, `Windows`."""
    ipython: str | None = None
    """Its version; None: it is not loaded."""
    ipykernel: str | None = None
    front_end: str = ""
    """In words; "": none that can be told."""
    asks: bool = True
    """Whether a person may answer its cells."""
    loop: str | None = None
    """The event loop that runs in the cell's own thread; None: none does."""
    limits: Limits | None = None
    """None: no Jupyter server is in between."""


@dataclass(frozen=True)
class Folder:
    """One that is written to."""

    path: str
    said: str | None = None
    """Why nothing can be written there."""
    free_bytes: int | None = None
    """None: unknown."""


def kernel(found: Kernel) -> list[Line]:
    lines = [ok("kube_magics", f"{found.version}, Python {found.python} on {found.platform}")]
    if found.ipykernel is not None and _numbers(found.ipykernel) < OLDEST_IPYKERNEL:
        what = f"ipykernel {found.ipykernel} is older than {_LEAST}, the oldest that is tested."
        lines.append(degraded("notebook", what, "%pip install -U ipykernel   (then restart the kernel)"))
    else:
        lines.append(ok("notebook", _notebook(found)))
    return lines + ([output(found.limits)] if found.limits else [])


def _notebook(found: Kernel) -> str:
    packages = [("ipykernel", found.ipykernel), ("IPython", found.ipython)]
    named = ", ".join(f"{name} {version}" for name, version in packages if version) or "plain Python, without magics"
    loop = f"{found.loop} runs in the cell's thread" if found.loop else "no event loop in this thread (none is needed)"
    nobody = "" if found.asks else "; nobody answers questions (an executor)"
    return f"{named}; {found.front_end or 'a front end that does not say its name'}{nobody}; {loop}"


def output(limits: Limits) -> Line:
    """Whether a job's output gets through: what is above these limits a server drops, for good."""
    where = limits.where or "the server's defaults, as far as is seen from here"
    size = f"{human_bytes(limits.bytes_s)}/s" if limits.bytes_s else "output of any size"
    count = f"{limits.messages_s:g} messages/s" if limits.messages_s else "any number of messages"
    shown = f"{size} and {count} ({where})"
    option = (
        "ZMQChannelsWebsocketConnection.iopub_data_rate_limit=1e6"
        if limits.messages_s >= MESSAGES_S
        else "ZMQChannelsWebsocketConnection.iopub_msg_rate_limit=1000"
    )
    if 0 < limits.bytes_s < 1.25 * RATE_BYTES_S or 0 < limits.messages_s < MESSAGES_S:
        what = f"The server lets {shown} through, less than a job may show: the rest is lost, but for the log file."
        return degraded("output", what, f"jupyter lab --{option}   (whoever starts the server)")
    return ok("output", f"the server lets {shown} through; jobs stay below that")


def folder(check: str, found: Folder, lost: str) -> Line:
    """`lost`: what nothing comes of where it cannot be written to."""
    if found.said is not None:
        return degraded(
            check,
            f"{found.path} cannot be written to: {lost}.",
            f"chmod u+w {found.path}   (in a terminal)",
            found.said,
        )
    if found.free_bytes is None:
        return ok(check, f"{found.path} can be written to")
    free = human_bytes(found.free_bytes)
    if found.free_bytes < LEAST_FREE_BYTES:
        return degraded(check, f"{found.path} has {free} free: logs and values of jobs may not fit.", "make room there")
    return ok(check, f"{found.path}, {free} free")


def store(url: str, said: str | None, package: str | None, took: str) -> Line:
    """Of --artifacts: a small object was written, read and removed; `said`: why it was not."""
    if said is None:
        return ok("store", f"{url}: written, read and removed in {took}, from here; a job has its own way there")
    fix = f"%pip install {package}" if package else "%kube config artifacts=URL   (one that this notebook may write to)"
    return broken("store", f"{url} cannot be used from here.", fix, said)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split(".")[:2] if each.isdigit())
