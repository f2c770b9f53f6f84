"""Which backend, and why; nobody trains on production by accident."""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.backends.jobfolder import state_folder
from kube_magics.cluster import auth
from kube_magics.jobs import loop
from kube_magics.spec.job import JobSpec

_NO_CLUSTER = "--backend local   (runs on this machine), or put a kubeconfig at ~/.kube/config or name it in KUBECONFIG"
LEAVE_S = 2.0
_lock = threading.Lock()
_backends: dict[tuple[str, ...], Backend] = {}


def backend_for(spec: JobSpec) -> Backend:
    """The backend of `spec` (defaults filled in), one object per place; blocks while a kubeconfig is read."""
    if spec.backend == "local":
        return _local("as asked")
    source = auth.find()
    if source is not None:
        return _kubernetes(source, spec)
    if spec.backend == "kubernetes":
        raise errors.ConfigError(
            "No cluster is configured: there is no kubeconfig and no in-cluster account.",
            hint=_NO_CLUSTER,
        )
    if spec.context or spec.namespace:
        # Who names a cluster's context must not be given this machine in silence.
        named = f"context {spec.context}" if spec.context else f"namespace {spec.namespace}"
        raise errors.ConfigError(
            f"There is no {named}: no kubeconfig and no in-cluster account was found.",
            hint=_NO_CLUSTER,
        )
    return _local("no kubeconfig was found")


def _local(why: str) -> Backend:
    if os.name != "posix":
        raise errors.ConfigError(
            f"Jobs cannot run as processes on {sys.platform}, and no cluster is configured.",
            hint="put a kubeconfig at ~/.kube/config or name it in KUBECONFIG",
        )
    from kube_magics.backends.local import LocalBackend

    with _lock:
        key = ("local", why, str(state_folder()))  # which an error says how to change
        if key not in _backends:
            _backends[key] = LocalBackend(why)
        return _backends[key]


def _kubernetes(source: auth.Source, spec: JobSpec) -> Backend:
    from kube_magics.backends.kubernetes import KubernetesBackend

    key = (source.kind, source.path, spec.context or "", spec.namespace or "", _stamp(source))
    with _lock:
        if key not in _backends:
            _backends[key] = KubernetesBackend(auth.load(source, spec.context, spec.namespace))
        return _backends[key]


def leave() -> None:
    """Give back the connections of all backends: a process that ends says so to its servers."""
    with _lock:
        left = list(_backends.values())
        _backends.clear()
    for backend in left:
        with suppress(TimeoutError):
            loop.start(backend.close()).result(LEAVE_S)


def _stamp(source: auth.Source) -> str:
    """Changes when the kubeconfig's files do."""
    if source.kind == "in-cluster":
        return os.environ.get("KUBERNETES_SERVICE_HOST", "")
    times = []
    for part in source.path.split(os.pathsep):
        try:
            times.append(str(Path(part).expanduser().stat().st_mtime_ns))
        except OSError:
            times.append("-")
    return ",".join(times)


def _known_file() -> Path:
    return state_folder() / "contexts.json"


def confirm_context(backend: Backend, spec: JobSpec) -> None:
    """The first submit to a context that this user never used before needs it named once.

    Raises ConfigError; a named context is remembered.
    """
    place = backend.place
    if place is None:
        return
    known = _known()
    if place in known:
        return
    if not spec.context:
        raise errors.ConfigError(
            f"This would be your first job on {place}.",
            hint=f"%kube config context={place.split()[0]}   (once; it is remembered), or --backend local",
        )
    remember(backend)


def remember(backend: Backend) -> None:
    """From now on, jobs on this context need no confirmation."""
    if backend.place is None:
        return
    path = _known_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sorted({*_known(), backend.place})), "utf-8")
    except OSError:
        # A home that cannot be written to: the question comes again in the next session, nothing worse.
        return


def _known() -> set[str]:
    try:
        found = json.loads(_known_file().read_text("utf-8"))
    except (OSError, ValueError):
        return set()
    return {str(place) for place in found} if isinstance(found, list) else set()
