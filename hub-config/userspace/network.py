"""Who reaches whom. Nothing is allowed that is not said here, in either direction.

Servers: hub, API server, their own jobs, DNS, the internet as the site says. Jobs: each other, DNS, the same internet;
no server, no hub, no API server. Nobody else's pods. In force where the cluster's network plugin enforces policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import collapse_addresses, ip_network
from typing import Any

from .settings import COMPONENT, SERVER, Found, Network, Site, User

PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
"""Networks that are not the internet: nodes, pods, services."""
METADATA = (
    "169.254.169.254/32",  # most clouds
    "169.254.170.2/32",  # AWS, of a task
    "169.254.170.23/32",  # AWS, of a pod
    "fd00:ec2::254/128",  # AWS
    "fd00:ec2::23/128",
    "168.63.129.16/32",  # Azure: a public address
    "100.100.100.200/32",  # Alibaba
    "192.0.0.192/32",  # Oracle
    "fd20:ce::254/128",  # Google
)
"""They hand a node's credentials to whoever asks: never reachable, whatever the site says."""
_NEVER: tuple[Network, ...] = tuple(ip_network(each) for each in METADATA)
_NOT_THE_INTERNET: tuple[Network, ...] = (*(ip_network(each) for each in PRIVATE), *_NEVER)

_SERVERS = {"matchLabels": {COMPONENT: SERVER}}
_OTHERS = {"matchExpressions": [{"key": COMPONENT, "operator": "NotIn", "values": [SERVER]}]}
_HERE: dict[str, Any] = {"podSelector": {}}
SERVER_PORT = 8888
_HUB_PORT = 8081


def policies(site: Site, user: User, found: Found) -> list[dict[str, Any]]:
    """All of a namespace; they add up."""
    return [
        _policy(user, "nothing-else", {}, ingress=[], egress=[]),
        _policy(user, "names-and-internet", {}, egress=[*_dns(site), *_outside(site)]),
        _policy(user, "servers", _SERVERS, ingress=[_from_hub(site)], egress=_of_servers(site, found)),
        _policy(user, "jobs", _OTHERS, ingress=[{"from": [_HERE]}], egress=[{"to": [{"podSelector": _OTHERS}]}]),
    ]


def blocks(allowed: Iterable[Network], barred: Sequence[Network]) -> list[dict[str, Any]]:
    """`allowed` without `barred`, as a policy's peers; what is barred as a whole is left out."""
    peers = []
    for net in allowed:
        inside = [each for each in barred if each.version == net.version and each.overlaps(net)]
        if any(each.supernet_of(net) for each in inside):  # type: ignore[arg-type]
            continue
        block: dict[str, Any] = {"cidr": str(net)}
        if inside:
            block["except"] = [str(each) for each in collapse_addresses(inside)]  # type: ignore[type-var]
        peers.append({"ipBlock": block})
    return peers


def _of_servers(site: Site, found: Found) -> list[dict[str, Any]]:
    hub = {"to": [{"namespaceSelector": _named(site.hub_namespace)}], "ports": [_tcp(_HUB_PORT)]}
    api = [{"to": [{"ipBlock": {"cidr": str(net)}}], "ports": [_tcp(port)]} for net, port in found.api_servers]
    return [hub, *api, {"to": [{"podSelector": _OTHERS}]}]


def _from_hub(site: Site) -> dict[str, Any]:
    """The hub asks whether the server is up, the proxy brings the user."""
    return {"from": [{"namespaceSelector": _named(site.hub_namespace)}], "ports": [_tcp(SERVER_PORT)]}


def _dns(site: Site) -> list[dict[str, Any]]:
    ports = [{"protocol": "UDP", "port": 53}, _tcp(53)]
    return [{"to": [{"namespaceSelector": _named("kube-system")}, *blocks(site.dns, _NEVER)], "ports": ports}]


def _outside(site: Site) -> list[dict[str, Any]]:
    """A rule without peers would allow everything: none at all where nothing is left."""
    peers = [*blocks(site.internet, _NOT_THE_INTERNET), *blocks(site.reachable, _NEVER)]
    return [{"to": peers}] if peers else []


def _policy(user: User, name: str, pods: dict[str, Any], **rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": user.namespace},
        "spec": {"podSelector": pods, "policyTypes": [kind.capitalize() for kind in rules], **rules},
    }


def _named(namespace: str) -> dict[str, Any]:
    # The API server itself sets this label: nobody can lend it to another namespace.
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
