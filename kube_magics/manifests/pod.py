"""The pod template of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kube_magics.manifests import scheduling
from kube_magics.manifests.volumes import WORK_ROOT, volumes
from kube_magics.spec import names
from kube_magics.spec.job import JobSpec

DEFAULT_CPU_REQUEST = "500m"
DEFAULT_MEMORY_REQUEST = "1Gi"
"""Stated defaults: a quota on cpu or memory refuses pods without requests."""

USER, GROUP = 1000, 100
"""Those of Jupyter's images."""
GRACE_S = 30
"""From TERM to KILL, for the user's code; the pod's own grace is longer, so that the runner's last word gets out."""
RUNNER_GRACE_S = 10
BACKSTOP_S = 60
"""The pod's deadline stands this long behind the runner's own: it fires only when the runner hangs."""

_ENVIRONMENT = {
    # A uid without a passwd entry has `/` as its home and breaks getpass.getuser(), and with it torch.compile.
    "HOME": WORK_ROOT,
    "TMPDIR": WORK_ROOT,
    "USER": "user",
    "LOGNAME": "user",
    "XDG_CACHE_HOME": f"{WORK_ROOT}/.cache",
    "MPLCONFIGDIR": f"{WORK_ROOT}/.cache/matplotlib",
    "NUMBA_CACHE_DIR": f"{WORK_ROOT}/.cache/numba",
    "TORCHINDUCTOR_CACHE_DIR": f"{WORK_ROOT}/.cache/torchinductor",
    "HF_HOME": f"{WORK_ROOT}/.cache/huggingface",
}


@dataclass(frozen=True)
class Placement:
    """What the pod needs to know that the user did not say."""

    image: str
    boot: str
    """Text of `runner/boot.py`, the program that the container starts."""
    bundle_env: tuple[tuple[str, str], ...]
    """Environment that tells `boot` where the bundle is."""
    bundle_maps: tuple[str, ...] = ()
    """Names of the ConfigMaps that carry the bundle, in order; empty when it travels in the environment."""
    shm: str | None = None
    """Limit of an in-memory /dev/shm, "" without a limit; None: no such volume."""
    fixed_user: bool = True
    """False where the cluster assigns user ids itself (OpenShift)."""
    arguments: tuple[str, ...] | None = None
    """Of the image's own entry point, which is then what runs; None: `boot` does."""


def template(
    spec: JobSpec, placement: Placement, labels: dict[str, str], annotations: dict[str, str]
) -> dict[str, Any]:
    """The `spec.template` of a Job."""
    mounted, mounts = volumes(spec, placement.bundle_maps, placement.shm)
    grace_s = grace(spec)
    return {
        "metadata": {
            "labels": {**labels, "sidecar.istio.io/inject": "false"},
            "annotations": {
                **annotations,
                "sidecar.istio.io/inject": "false",
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                "karpenter.sh/do-not-disrupt": "true",
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": grace_s + RUNNER_GRACE_S,
            **_deadline(spec, 0 if placement.arguments is not None else grace_s + BACKSTOP_S),
            "securityContext": _pod_security(spec, placement),
            **scheduling.of(spec),
            "containers": [_container(spec, placement, mounts)],
            **({"volumes": mounted} if mounted else {}),
        },
    }


def _container(spec: JobSpec, placement: Placement, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    whole = [{"secretRef": {"name": secret.name}} for secret in spec.secret if secret.key is None]
    return {
        "name": names.CONTAINER,
        "image": placement.image,
        **_program(spec, placement),
        **({"workingDir": spec.workdir} if spec.workdir and placement.arguments is not None else {}),
        "env": _environment(spec, placement),
        **({"envFrom": whole} if whole else {}),
        "resources": _resources(spec),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            **({"readOnlyRootFilesystem": True} if spec.read_only_root else {}),
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **({"volumeMounts": mounts} if mounts else {}),
    }


def _program(spec: JobSpec, placement: Placement) -> dict[str, Any]:
    if placement.arguments is None:
        # Isolated and without site, whose start-up files can take longer than boot itself; the user's program has both.
        return {"command": [spec.python or "python3", "-BISc", placement.boot]}
    return {"args": [each.replace("$", "$$") for each in placement.arguments]} if placement.arguments else {}


def _environment(spec: JobSpec, placement: Placement) -> list[dict[str, Any]]:
    """Ours, overridden by the user's, but for those that tell the runner where its bundle is."""
    found: dict[str, dict[str, Any]] = {name: {"value": value} for name, value in _ENVIRONMENT.items()}
    # `$(NAME)` in a value would be replaced by the kubelet; a doubled `$` is one, wherever it stands.
    found |= {name: {"value": value.replace("$", "$$")} for name, value in spec.env}
    for secret in spec.secret:
        if secret.variable is not None:
            found[secret.variable] = {"valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}}
    found |= {name: {"value": value} for name, value in placement.bundle_env}
    return [{"name": name, **value} for name, value in found.items()]


def _deadline(spec: JobSpec, behind_s: int) -> dict[str, Any]:
    # The template's deadline counts from the start on the node and keeps pod and log; the Job's would delete both.
    if spec.timeout is None:
        return {}
    return {"activeDeadlineSeconds": spec.timeout + behind_s}


def grace(spec: JobSpec) -> int:
    """From TERM to KILL, in seconds."""
    return spec.grace or GRACE_S


def _pod_security(spec: JobSpec, placement: Placement) -> dict[str, Any]:
    user: dict[str, int] = {}
    if spec.run_as and spec.run_as != "image":
        user = {"runAsUser": int(spec.run_as), "fsGroup": GROUP}
    elif not spec.run_as and placement.fixed_user:
        user = {"runAsUser": USER, "fsGroup": GROUP}
    # Root only where it is asked for by its number: an image's own user may be anybody but root.
    return {"runAsNonRoot": user.get("runAsUser") != 0, **user, "seccompProfile": {"type": "RuntimeDefault"}}


def _resources(spec: JobSpec) -> dict[str, Any]:
    requests = {"cpu": spec.cpus or DEFAULT_CPU_REQUEST, "memory": spec.memory or DEFAULT_MEMORY_REQUEST}
    # No CPU limit: throttling slows training for nothing. A memory limit only where the user named the size.
    limits = {"memory": spec.memory} if spec.memory else {}
    if spec.gpus:
        requests[spec.gpu_resource] = limits[spec.gpu_resource] = str(spec.gpus)
    return {"requests": requests, **({"limits": limits} if limits else {})}
