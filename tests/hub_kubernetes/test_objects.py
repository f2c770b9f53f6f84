"""The objects of a user's namespace, as they are written.

The network plugin of tests/cluster enforces no NetworkPolicy: what policies say is asserted in the manifest, and the tests'
names say so.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from userspace.network import METADATA, blocks, policies
from userspace.settings import COMPONENT, SERVER, Found, Quota, Share, Site, Team, User, amount
from userspace.space import objects

SITE = Site(pull_secret="image-pull", cluster_queue="gpus", shares=(
    Share("shared-vision", "/shared/vision", "vision"), Share("datasets", "/datasets", read_only=True)
))  # fmt: skip
ADA = User("ada@lab.example", "jupyter-ada", frozenset({"vision"}))
FOUND = Found(((ip_network("10.96.0.1"), 443), (ip_network("192.0.2.2"), 6443)), {".dockerconfigjson": "e30="})
NETWORKS = st.one_of(
    st.ip_addresses(v=4).flatmap(lambda a: st.integers(0, 32).map(lambda n: ip_network((a, n), strict=False))),
    st.ip_addresses(v=6).flatmap(lambda a: st.integers(0, 128).map(lambda n: ip_network((a, n), strict=False))),
)


def made(site: Site = SITE, user: User = ADA) -> dict[tuple[str, str], dict[str, Any]]:
    """By kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in objects(site, user, FOUND)}


def allows(policy: dict[str, Any], address: str) -> bool:
    """Whether a block of one of the policy's egress rules holds the address."""
    peers = [peer for rule in policy["spec"].get("egress", []) for peer in rule["to"] if "ipBlock" in peer]
    return any(_within(peer["ipBlock"], address) for peer in peers)


def _within(block: dict[str, Any], address: str) -> bool:
    found = ip_address(address)
    inside = found in ip_network(block["cidr"])
    return inside and not any(found in ip_network(each) for each in block.get("except", []))


def test_all_objects_are_there_in_the_order_they_are_needed() -> None:
    assert list(made()) == [
        ("Namespace", "jupyter-ada"),
        ("ResourceQuota", "kube-magics-user"),
        ("ResourceQuota", "priority-system"),
        ("ResourceQuota", "priority-server"),
        ("LimitRange", "kube-magics-user"),
        ("NetworkPolicy", "nothing-else"),
        ("NetworkPolicy", "names-and-internet"),
        ("NetworkPolicy", "servers"),
        ("NetworkPolicy", "jobs"),
        ("ServiceAccount", "default"),
        ("ServiceAccount", "kube-magics-job"),
        ("ServiceAccount", "kube-magics-notebook"),
        ("RoleBinding", "kube-magics-notebook"),
        ("PersistentVolumeClaim", "shared-vision"),
        ("PersistentVolumeClaim", "datasets"),
        ("Secret", "image-pull"),
        ("LocalQueue", "default"),
    ]


def test_every_object_but_the_namespace_stands_in_it() -> None:
    assert {each["metadata"].get("namespace") for each in made().values()} == {None, "jupyter-ada"}
    assert made()["Namespace", "jupyter-ada"]["metadata"] == {
        "name": "jupyter-ada",
        "labels": {
            "kube-magics.io/hub": "jupyterhub",
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        },
        "annotations": {"kube-magics.io/hub-user": "ada@lab.example"},
    }


def test_only_the_servers_account_has_rights_and_a_token() -> None:
    tokens = {
        name: each["automountServiceAccountToken"] for (kind, name), each in made().items() if kind == "ServiceAccount"
    }
    assert tokens == {"default": False, "kube-magics-job": False, "kube-magics-notebook": True}
    assert [each["subjects"] for (kind, _), each in made().items() if kind == "RoleBinding"] == [
        [{"kind": "ServiceAccount", "name": "kube-magics-notebook", "namespace": "jupyter-ada"}]
    ]


def test_every_account_brings_the_pull_secret_and_none_is_named_where_there_is_none() -> None:
    def named(site: Site) -> list[Any]:
        return [each.get("imagePullSecrets") for (kind, _), each in made(site).items() if kind == "ServiceAccount"]

    assert named(SITE) == [[{"name": "image-pull"}]] * 3
    assert named(replace(SITE, pull_secret=None)) == [None] * 3


@pytest.mark.parametrize("name", ["", "Vision", "vision lab", "-x", "a" * 41])
def test_a_team_has_a_name_that_can_be_a_users_a_roles_and_a_namespaces(name: str) -> None:
    assert Team("v-2", "Vision Lab").user == "team-v-2"
    with pytest.raises(ValueError, match="lower-case letters"):
        Team(name, "vision")


def test_gpus_are_bounded_where_the_cluster_heeds_it_and_none_is_given_unasked() -> None:
    allowed = made()["ResourceQuota", "kube-magics-user"]["spec"]["hard"]
    assert [key for key in allowed if "gpu" in key] == ["requests.nvidia.com/gpu"]
    [limit] = made()["LimitRange", "kube-magics-user"]["spec"]["limits"]
    assert (limit["default"], limit["defaultRequest"]["nvidia.com/gpu"]) == ({"nvidia.com/gpu": "0"}, "0")
    assert limit["max"] == {"nvidia.com/gpu": allowed["requests.nvidia.com/gpu"]}


def test_of_several_groups_the_largest_quota_counts() -> None:
    site = replace(SITE, group_quotas={"vision": Quota(gpus=8, memory="512Gi"), "night": Quota(gpus=4, memory="1Ti")})
    both = site.quota_of(frozenset({"vision", "night", "others"}))
    assert (both.gpus, both.memory) == (8, "1Ti")
    assert site.quota_of(frozenset({"others"})) == site.quota
    assert site.quota_of(frozenset({"none"})).gpus == 2


@pytest.mark.parametrize(("text", "number"), [("500m", 0.5), ("16", 16), ("2Ki", 2048), ("1Ti", 2**40), ("3G", 3e9)])
def test_quantities_are_compared_as_numbers(text: str, number: float) -> None:
    assert amount(text) == number


def test_a_share_is_for_its_group_and_has_a_volume_of_this_namespace() -> None:
    assert ("PersistentVolumeClaim", "shared-vision") not in made(user=replace(ADA, groups=frozenset()))
    claim = made()["PersistentVolumeClaim", "datasets"]["spec"]
    assert (claim["volumeName"], claim["accessModes"]) == ("jupyter-ada-datasets", ["ReadOnlyMany"])


def test_asserted_in_the_manifest_everything_is_denied_that_no_policy_allows() -> None:
    spec = made()["NetworkPolicy", "nothing-else"]["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []}


def test_asserted_in_the_manifest_servers_are_reached_by_the_hub_alone_and_reach_hub_api_and_their_jobs() -> None:
    spec = made()["NetworkPolicy", "servers"]["spec"]
    hub = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "jupyterhub"}}}
    jobs = {"podSelector": {"matchExpressions": [{"key": COMPONENT, "operator": "NotIn", "values": [SERVER]}]}}
    assert spec["podSelector"] == {"matchLabels": {COMPONENT: SERVER}}
    assert spec["ingress"] == [{"from": [hub], "ports": [{"protocol": "TCP", "port": 8888}]}]
    assert spec["egress"] == [
        {"to": [hub], "ports": [{"protocol": "TCP", "port": 8081}]},
        {"to": [{"ipBlock": {"cidr": "10.96.0.1/32"}}], "ports": [{"protocol": "TCP", "port": 443}]},
        {"to": [{"ipBlock": {"cidr": "192.0.2.2/32"}}], "ports": [{"protocol": "TCP", "port": 6443}]},
        {"to": [jobs]},
    ]


def test_asserted_in_the_manifest_jobs_reach_each_other_and_no_server_no_hub_no_api() -> None:
    spec = made()["NetworkPolicy", "jobs"]["spec"]
    assert spec["ingress"] == [{"from": [{"podSelector": {}}]}]
    assert spec["egress"] == [{"to": [{"podSelector": spec["podSelector"]}]}]
    assert spec["podSelector"]["matchExpressions"][0]["operator"] == "NotIn"


def test_asserted_in_the_manifest_nobody_of_another_namespace_is_let_in_but_the_hub_and_name_servers() -> None:
    peers = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for policy in policies(SITE, ADA, FOUND)
        for rules in (policy["spec"].get("ingress", []), policy["spec"].get("egress", []))
        for rule in rules
        for peer in rule.get("to", rule.get("from"))
        if "namespaceSelector" in peer
    ]
    assert set(peers) == {"jupyterhub", "kube-system"}


def test_asserted_in_the_manifest_the_internet_is_reached_and_private_networks_are_not() -> None:
    policy = made()["NetworkPolicy", "names-and-internet"]
    assert allows(policy, "93.184.216.34")
    assert allows(policy, "2606:2800:220:1::1")
    for address in ("10.1.2.3", "172.20.0.1", "192.168.7.7", "fd00::1"):
        assert not allows(policy, address), address


def test_asserted_in_the_manifest_a_private_network_can_be_opened_and_the_internet_closed() -> None:
    site = replace(SITE, internet=(), reachable=(ip_network("10.20.0.0/16"),), dns=())
    policy = made(site)["NetworkPolicy", "names-and-internet"]
    assert (allows(policy, "10.20.1.1"), allows(policy, "93.184.216.34")) == (True, False)
    closed = made(replace(site, reachable=()))["NetworkPolicy", "names-and-internet"]
    assert [rule.get("ports") is not None for rule in closed["spec"]["egress"]] == [True]


@given(st.lists(NETWORKS), st.lists(NETWORKS), st.lists(NETWORKS))
def test_asserted_in_the_manifest_the_metadata_address_is_never_reached_whatever_the_site_says(
    internet: list[Any], reachable: list[Any], dns: list[Any]
) -> None:
    site = replace(SITE, internet=tuple(internet), reachable=tuple(reachable), dns=tuple(dns))
    for policy in policies(site, ADA, FOUND):
        for each in METADATA:
            assert not allows(policy, each.partition("/")[0])


@given(NETWORKS, st.lists(NETWORKS, max_size=4))
def test_what_is_taken_out_of_a_block_lies_within_it(net: Any, barred: list[Any]) -> None:
    """The API server refuses any other exception."""
    for peer in blocks([net], barred):
        for each in peer["ipBlock"].get("except", []):
            assert ip_network(each).subnet_of(net)
            assert ip_network(each) != net
