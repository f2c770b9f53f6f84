"""What users choose from when they start their server, who may have how much, and what they share: folders, servers.

This is the page that a site edits. A profile is the size of a *server*: jobs ask for their own cores and GPUs, which
are free again when they end, while a GPU in a server is taken as long as it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from userspace.settings import Quota, Share, Team, amount

PRODUCT = "nvidia.com/gpu.product"
"""The label that GPU feature discovery writes on nodes: `NVIDIA-H100-80GB-HBM3`."""


@dataclass(frozen=True)
class Profile:
    slug: str
    title: str
    text: str
    """One line below the title."""
    cpus: str
    """Cores that are reserved; more are used where they are free."""
    memory: str
    """Reserved, and the limit: a notebook that grows is killed before its node is in trouble. `8G`, as JupyterHub
    writes it, is 8 GiB."""
    gpus: int = 0
    """Of the server itself."""
    product: str | None = None
    """The kind of GPU, of the server and as the default of its jobs."""


PROFILES: tuple[Profile, ...] = (
    Profile("cpu", "CPU", "For notebooks whose training runs as jobs: take this one.", "500m", "4G"),
    Profile("large", "Large memory", "For data that must be in the notebook's own memory.", "4", "64G"),
    Profile("gpu", "1 GPU", "A GPU in the notebook itself, taken as long as the server runs.", "4", "32G", 1),
    Profile("gpus", "2 GPUs", "The same, for code that needs two in one process.", "8", "64G", 2),
    Profile("eight", "8 GPUs", "A whole node of them; for groups with such a quota.", "32", "256G", 8),
    Profile("h100", "1 H100", "An H100 in the notebook, and for its jobs.", "4", "64G", 1, "NVIDIA-H100-80GB-HBM3"),
)
"""The first is the default."""

QUOTA = Quota(gpus=2, cpus="16", memory="96Gi", storage="200Gi")
"""Of users in none of the groups below: server and jobs together."""
GROUP_QUOTAS: dict[str, Quota] = {
    "gpu-heavy": Quota(gpus=8, cpus="64", memory="512Gi", storage="1Ti"),
}
"""By the group's name as the login brings it; of several the largest of each number counts."""
SHARES: tuple[Share, ...] = ()
"""Folders that several see: Share("shared-vision", "/shared/vision", group="vision"),
Share("datasets", "/datasets", read_only=True). Their volumes are made first: manifests/shared-volume.yaml."""
TEAMS: tuple[Team, ...] = ()
"""Groups that work in one server together, at the same time in the same notebooks: Team("vision", group="vision") has
the server at /user/team-vision. Its image needs jupyter-collaboration (images/server/Containerfile)."""


def profile_list(gpu_resource: str, quota: Quota) -> list[dict[str, Any]]:
    """KubeSpawner's, of the profiles that fit into `quota`: the others could only be refused."""
    fitting = [each for each in PROFILES if fits(each, quota)]
    return [{**_listed(each, gpu_resource), "default": each is fitting[0]} for each in fitting]


def fits(profile: Profile, quota: Quota) -> bool:
    """Whether a server of it may start at all."""
    # JupyterHub's G is Kubernetes' Gi.
    memory = amount(profile.memory + "i")
    return (
        profile.gpus <= quota.gpus
        and amount(profile.cpus) <= amount(quota.cpus)
        and memory <= amount(quota.memory)
    )  # fmt: skip


def _listed(profile: Profile, gpu_resource: str) -> dict[str, Any]:
    gpus = {gpu_resource: str(profile.gpus)} if profile.gpus else {}
    override: dict[str, Any] = {
        "cpu_guarantee": amount(profile.cpus),
        "mem_guarantee": profile.memory,
        "mem_limit": profile.memory,
        "extra_resource_guarantees": gpus,
        "extra_resource_limits": gpus,
    }
    if gpus:
        override["tolerations"] = _tolerations(gpu_resource)
    if profile.product:
        override["node_selector"] = {PRODUCT: profile.product}
        override["environment"] = {"KUBE_MAGICS_NODE_SELECTOR": f"{PRODUCT}={profile.product}"}
    return {
        "slug": profile.slug,
        "display_name": profile.title,
        "description": profile.text,
        "kubespawner_override": override,
    }


def _tolerations(gpu_resource: str) -> Sequence[dict[str, str]]:
    """GPU nodes are tainted so, to keep away what needs none."""
    return [{"key": gpu_resource, "operator": "Exists", "effect": "NoSchedule"}]
