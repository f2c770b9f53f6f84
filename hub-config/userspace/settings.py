"""What a site decides, as frozen values. The defaults suit a cluster of which nothing is known but that it has GPUs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network

LABEL = "kube-magics.io/hub"
"""Of each namespace that a hub has made; its value is the hub's own namespace. rbac/bounds.yaml holds the hub to it."""
PREFIX = "jupyter-"
"""How the names of users' namespaces begin; rbac/bounds.yaml holds the hub to that too."""
NAMESPACE_TEMPLATE = PREFIX + "{username}"
MANAGER = "kube-magics-hub"
"""Who the objects' fields belong to (server-side apply)."""

NOTEBOOK_ACCOUNT = "kube-magics-notebook"
JOB_ACCOUNT = "kube-magics-job"
USER_ROLE = "kube-magics-user"
"""The ClusterRole that rbac/kustomization.yaml makes of rbac/user-role.yaml; bound in one namespace at a time."""
COMPONENT = "app.kubernetes.io/component"
SERVER = "singleuser-server"
"""The value of COMPONENT that KubeSpawner gives its pods."""


@dataclass(frozen=True)
class Quota:
    """What one user may have at once: server and jobs together."""

    gpus: int = 2
    cpus: str = "16"
    """Requested cores."""
    memory: str = "64Gi"
    """Requested."""
    storage: str = "100Gi"
    """Of all claims that the namespace provisions or mounts."""
    pods: int = 50
    jobs: int = 200
    """Job objects, ended ones included until their TTL takes them."""


@dataclass(frozen=True)
class Share:
    """A folder of the site that several users see, in servers and jobs, at the same path.

    A claim cannot cross namespaces: each namespace has one of this name, for a volume that an administrator has made
    for it (manifests/shared-volume.yaml).
    """

    name: str
    """The claim's: `shared-vision`, `datasets`."""
    path: str
    """`/shared/vision`."""
    group: str | None = None
    """Whose members have it; None: everybody."""
    read_only: bool = False
    size: str = "1Gi"
    """As the volume says; shared file systems do not enforce it."""

    def volume(self, namespace: str) -> str:
        """The PersistentVolume's name."""
        return f"{namespace}-{self.name}"


@dataclass(frozen=True)
class Team:
    """A group whose members work in one server together, at the same time in the same notebooks.

    Whoever is let into a server runs code as its user, so it is no member's own: the hub has a user for the team, as
    whom nobody logs in, with a namespace, a home and the group's quota and folders (teams.py).
    """

    name: str
    """`vision`: the server is that of the user `team-vision`. Lower-case letters, digits and `-`."""
    group: str
    """Whose members start it, use it and stop it."""

    def __post_init__(self) -> None:
        # It becomes a name of a user, of a role and of a namespace.
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", self.name):
            raise ValueError(f"Team({self.name!r}): up to 40 lower-case letters, digits and -, as in Team('vision')")

    @property
    def user(self) -> str:
        """The hub's user."""
        return f"team-{self.name}"


@dataclass(frozen=True)
class Site:
    """One hub's settings."""

    hub_namespace: str = "jupyterhub"
    pod_security: str = "restricted"
    """The level that is enforced in users' namespaces. kube_magics' jobs pass `restricted`."""
    user_role: str = USER_ROLE
    gpu_resource: str = "nvidia.com/gpu"
    quota: Quota = Quota()
    group_quotas: dict[str, Quota] = field(default_factory=dict)
    """By group; of several the largest of each number counts."""
    internet: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    """What pods may reach beside their own: empty cuts them off. Private networks and the clouds' metadata addresses
    are taken out of it (network.py); a private network that must be reached goes into `reachable`."""
    reachable: tuple[Network, ...] = ()
    """Private networks that pods may reach: a store, a proxy, a package mirror."""
    dns: tuple[Network, ...] = (ip_network("169.254.20.10/32"),)
    """Name servers beside the pods of kube-system: the usual address of a node-local DNS cache."""
    cluster_queue: str | None = None
    """Kueue's: each namespace gets a LocalQueue for it."""
    queue: str = "default"
    """That LocalQueue's name."""
    pull_secret: str | None = None
    """A Secret of the hub's namespace that lets nodes pull images; each namespace gets a copy."""
    shares: tuple[Share, ...] = ()
    teams: tuple[Team, ...] = ()
    server_priority: str | None = "kube-magics-server"
    """Priority class of users' servers (manifests/priority-classes.yaml); None: the cluster has none."""
    job_priority: str | None = "kube-magics-batch"
    """Of their jobs, unless a line asks for another: below the servers'."""
    job_image: str | None = None
    """None: kube_magics' own, a `python:X.Y-slim`."""
    allowed_images: tuple[str, ...] = ()
    """Patterns of the images that a job may run; empty: any."""
    job_selector: tuple[str, ...] = ()
    """Labels of the nodes that jobs run on, each `key=value`: the ML pool's."""
    job_tolerations: tuple[str, ...] = ()
    """Taints of those nodes, as `%%kubetrain --toleration` takes them; the GPUs' own are tolerated with --gpus."""
    contact: str | None = None
    """Whom a user asks for more; told where a limit is met."""

    def quota_of(self, groups: frozenset[str]) -> Quota:
        """Of a user in `groups`."""
        found = [self.group_quotas[name] for name in sorted(groups) if name in self.group_quotas]
        return _largest(found) if found else self.quota

    def team_of(self, name: str) -> Team | None:
        """Whose server it is, of the hub's user `name`; None: a person's."""
        return next((team for team in self.teams if team.user == name), None)

    def shares_of(self, groups: frozenset[str]) -> tuple[Share, ...]:
        """Those that a user in `groups` sees."""
        return tuple(share for share in self.shares if share.group is None or share.group in groups)


@dataclass(frozen=True)
class User:
    """Whose namespace it is."""

    name: str
    """As the hub knows them."""
    namespace: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Found:
    """What the cluster says of itself, asked at each spawn: it changes without a word."""

    api_servers: tuple[tuple[Network, int], ...]
    """Address and port of each."""
    pull_secret: dict[str, str] | None = None
    """The content, base64, of the Secret that `Site.pull_secret` names."""


def _largest(quotas: list[Quota]) -> Quota:
    return Quota(
        gpus=max(quota.gpus for quota in quotas),
        cpus=max((quota.cpus for quota in quotas), key=amount),
        memory=max((quota.memory for quota in quotas), key=amount),
        storage=max((quota.storage for quota in quotas), key=amount),
        pods=max(quota.pods for quota in quotas),
        jobs=max(quota.jobs for quota in quotas),
    )


_UNITS = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def amount(quantity: str) -> float:
    """A quantity of Kubernetes as a number: `500m` is 0.5, `1Ki` is 1024. Raises ValueError."""
    digits = quantity.rstrip("".join(_UNITS))
    unit = quantity[len(digits) :]
    if unit and unit not in _UNITS:
        raise ValueError(f"{quantity} is no quantity")
    return float(digits) * _UNITS.get(unit, 1)
