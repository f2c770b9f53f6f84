"""What a user's server knows of their corner of the cluster: defaults and limits of `%%kubetrain`, as its variables.

The table of options is in docs/options.md: KUBE_MAGICS_ and the option's name in capitals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .settings import JOB_ACCOUNT, Share, Site, User

PREFIX = "KUBE_MAGICS_"


def variables(site: Site, user: User) -> dict[str, str]:
    """All that a site can set are there; an empty one sets nothing."""
    found = {
        "NAMESPACE": user.namespace,
        "SERVICE_ACCOUNT": JOB_ACCOUNT,
        "IMAGE": site.job_image,
        "IMAGE_PULL_SECRET": site.pull_secret,
        "QUEUE": site.queue if site.cluster_queue else None,
        "PRIORITY": site.job_priority,
        "GPU_RESOURCE": site.gpu_resource,
        "NODE_SELECTOR": _several(site.job_selector),
        "TOLERATION": _several(site.job_tolerations),
        "VOLUME": _several([_mounted(share) for share in site.shares_of(user.groups)]),
        "MAX_GPUS": str(site.quota_of(user.groups).gpus),
        "ALLOWED_IMAGES": ",".join(site.allowed_images),
        "CONTACT": site.contact,
    }
    return {PREFIX + name: value or "" for name, value in found.items()}


def names(site: Site) -> Sequence[str]:
    """Of all variables, whoever the user is."""
    return tuple(variables(site, User("", "")))


def volumes(site: Site, user: User) -> list[tuple[Mapping[str, object], Mapping[str, object]]]:
    """A volume and its mount in the server, for each share: at the path where the jobs have it."""
    return [
        (
            {"name": share.name, "persistentVolumeClaim": {"claimName": share.name, "readOnly": share.read_only}},
            {"name": share.name, "mountPath": share.path, "readOnly": share.read_only},
        )
        for share in site.shares_of(user.groups)
    ]


def _several(values: Sequence[str]) -> str:
    """Blanks separate several: none of them has one."""
    return " ".join(values)


def _mounted(share: Share) -> str:
    return f"{share.name}:{share.path}{':ro' if share.read_only else ''}"
