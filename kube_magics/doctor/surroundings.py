"""The facts of this process and machine: kernel, front end, folders, GPUs."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import psutil

from kube_magics.backends import machine as gpus
from kube_magics.backends.jobfolder import state_folder
from kube_magics.doctor.judging.machine import Device, Machine
from kube_magics.doctor.judging.notebook import Folder, Kernel, Limits
from kube_magics.jobs import here
from kube_magics.jobs.logfile import FOLDER
from kube_magics.spec.job import JobSpec
from kube_magics.version import VERSION

_LIMIT = re.compile(r"""^(?!\s*#).*?iopub_(data|msg)_rate_limit["']?\s*[=:]\s*([0-9][0-9_.e+]*)""", re.MULTILINE)
_CONFIGS = ("jupyter_server_config", "jupyter_notebook_config", "jupyter_lab_config")
START_S = 5.0
"""Of patience with an interpreter that is asked for its version."""


def version_of(package: str) -> str | None:
    """None: it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def kernel() -> Kernel:
    """To be called in the cell's own thread."""
    in_kernel = "ipykernel" in sys.modules
    loop = None
    with suppress(RuntimeError):
        running = asyncio.get_running_loop()
        loop = f"{type(running).__module__.partition('.')[0]}'s {type(running).__name__}"
    return Kernel(
        version=VERSION,
        python=platform.python_version(),
        platform=platform.system(),
        ipython=version_of("ipython") if "IPython" in sys.modules else None,
        ipykernel=version_of("ipykernel") if in_kernel else None,
        front_end=front_end(os.environ, here.notebook().namespace, in_kernel=in_kernel),
        asks=here.answers(),
        loop=loop,
        limits=limits() if in_kernel and "JPY_SESSION_NAME" in os.environ else None,
    )


def front_end(environment: Mapping[str, str], namespace: Mapping[str, object], *, in_kernel: bool) -> str:
    """By the traces that each leaves in its kernels; "": none is known."""
    if "__vsc_ipynb_file__" in namespace or "VSCODE_PID" in environment:
        return "VS Code"
    if "COLAB_RELEASE_TAG" in environment:
        return "Colab"
    if "JPY_SESSION_NAME" in environment:
        hub = f", JupyterHub's of {environment['JUPYTERHUB_USER']}" if environment.get("JUPYTERHUB_USER") else ""
        return f"a Jupyter server{hub}"
    return "" if in_kernel else "a terminal"


def limits() -> Limits:
    """Of the Jupyter server above this kernel: by its command line, its configuration, else its defaults."""
    found: dict[str, tuple[float, str]] = {}
    for where, text in [*_commands(), *_configurations()]:
        for kind, value in _LIMIT.findall(text):
            with suppress(ValueError):
                found.setdefault(kind, (float(value), where))
    default = Limits()
    data, messages = found.get("data", (default.bytes_s, "")), found.get("msg", (default.messages_s, ""))
    return Limits(data[0], messages[0], data[1] or messages[1])


def _commands() -> Iterator[tuple[str, str]]:
    with suppress(psutil.Error):
        for process in psutil.Process().parents()[:3]:
            yield "its command line", "\n".join(process.cmdline())


def _configurations() -> Iterator[tuple[str, str]]:
    """As jupyter_core looks for them, the user's own first."""
    own = os.environ.get("JUPYTER_CONFIG_DIR") or "~/.jupyter"
    for folder in (own, f"{sys.prefix}/etc/jupyter", "/usr/local/etc/jupyter", "/etc/jupyter"):
        for name in _CONFIGS:
            for path in (Path(folder).expanduser() / f"{name}.py", Path(folder).expanduser() / f"{name}.json"):
                with suppress(OSError, ValueError):
                    yield str(path), path.read_text("utf-8")


def folders() -> Sequence[tuple[str, Folder, str]]:
    """Name, folder, and what is lost where it cannot be written to. Blocks: a file system may be away."""
    return (
        ("state", folder(state_folder()), "jobs are not remembered, and cannot be taken up again by another kernel"),
        ("home", folder(Path.home()), "settings and caches are not kept"),
        ("work folder", folder(FOLDER.absolute()), "logs of jobs are not kept, and no cell becomes a job"),
    )


def folder(path: Path) -> Folder:
    """Tried with a file, in the nearest folder above that is there."""
    there = next((each for each in (path, *path.parents) if each.is_dir()), path)
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"kube_magics")
    except OSError as error:
        return Folder(str(path), error.strerror or str(error))
    try:
        return Folder(str(path), free_bytes=shutil.disk_usage(there).free)
    except OSError:
        return Folder(str(path))


def machine(spec: JobSpec) -> Machine:
    """Blocks: starts the interpreter of local jobs."""
    python = spec.python or sys.executable
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(python, _python(python), cores, psutil.virtual_memory().available)


def _python(python: str) -> str | None:
    try:
        done = subprocess.run([python, "-IS", "--version"], capture_output=True, text=True, timeout=START_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or "Python"


def devices() -> list[Device]:
    """Blocks: a sick driver may answer late, or never."""
    busy = gpus.busy()
    return [Device(each.name, each.memory_bytes, each.uuid in busy) for each in gpus.visible()]
