"""What the doctor says of a cluster as its administrator has set it up."""

from __future__ import annotations

from typing import Any

import pytest
from userspace.settings import LABEL, USER_ROLE, Found, Site, User
from userspace.space import objects

from kube_magics.doctor.judging import site
from kube_magics.doctor.line import BROKEN, DEGRADED, OK, Line

Object = dict[str, Any]


def named(name: str, **more: Any) -> Object:
    return {"metadata": {"name": name}, **more}


def states(lines: list[Line]) -> list[tuple[str, str]]:
    assert all(line.hint for line in lines if line.state != OK), lines
    return [(line.state, line.check) for line in lines]


ROLES = [named(site.HUB), named(site.USER)]
POLICY = [named(site.HUB)]
BINDING = [named("any", spec={"policyName": site.HUB, "validationActions": ["Deny"]})]


@pytest.mark.parametrize(
    ("roles", "policies", "bindings", "wanted"),
    [
        (ROLES, POLICY, BINDING, [(OK, "hub"), (OK, "hub bounds")]),
        ([], POLICY, BINDING, [(DEGRADED, "hub")]),
        (ROLES[:1], POLICY, BINDING, [(BROKEN, "hub"), (OK, "hub bounds")]),
        (ROLES, [], BINDING, [(OK, "hub"), (BROKEN, "hub bounds")]),
        (ROLES, POLICY, [], [(OK, "hub"), (BROKEN, "hub bounds")]),
    ],
)
def test_the_hubs_rights_and_bounds(roles: Any, policies: Any, bindings: Any, wanted: Any) -> None:
    assert states(site.hub(roles, policies, bindings)) == wanted


def test_the_names_are_those_of_hub_config() -> None:
    assert (site.LABEL, site.USER) == (LABEL, USER_ROLE)
    assert (Site().server_priority, Site().job_priority) == (site.SERVERS, site.BATCH)


SERVERS, BATCH = named(site.SERVERS, value=10000), named(site.BATCH, value=-100, preemptionPolicy="Never")


@pytest.mark.parametrize(
    ("classes", "state", "text"),
    [
        ([SERVERS, BATCH], OK, "outrank"),
        ([SERVERS], DEGRADED, "no priority class kube-magics-batch"),
        ([SERVERS, {**BATCH, "value": 20000}], DEGRADED, "does not outrank"),
        (
            [SERVERS, named(site.BATCH, value=-100, preemptionPolicy="PreemptLowerPriority")],
            DEGRADED,
            "push others out",
        ),
    ],
)
def test_priorities(classes: list[Object], state: str, text: str) -> None:
    line = site.priorities(classes)
    assert (line.state, text in line.text) == (state, True), line


def node(name: str, *, labelled: bool = True, tainted: bool = True, gpus: str = "8") -> Object:
    labels = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"} if labelled else {}
    taints = [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}] if tainted else []
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": taints},
        "status": {"allocatable": {"nvidia.com/gpu": gpus} if gpus else {}},
    }


def test_nodes_with_gpus_want_a_label_and_a_taint() -> None:
    assert states(site.pool([node("a"), node("b", gpus="", labelled=False, tainted=False)])) == [(OK, "GPU nodes")]
    assert site.pool([node("b", gpus="")]) == []
    first, second = site.pool([node("a", labelled=False, tainted=False)])
    assert "kind of GPU is not known of a" in first.text
    assert second.hint == "kubectl taint node a nvidia.com/gpu=present:NoSchedule"


def corner(name: str) -> dict[str, list[Object]]:
    """What a hub makes, by kind."""
    made: dict[str, list[Object]] = {}
    for each in objects(Site(), User(name, f"jupyter-{name}"), Found((), None)):
        made.setdefault(each["kind"], []).append(each)
    return made


def judged(made: dict[str, list[Object]]) -> list[Line]:
    kinds = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy")
    return site.corners(*(made.get(kind, []) for kind in kinds))


def test_a_namespace_as_the_hub_makes_it_is_well() -> None:
    [line] = judged(corner("ada"))
    assert (line.state, line.text[:10]) == (OK, "1 of users")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ResourceQuota", "jupyter-ada: without a quota on GPUs."),
        ("LimitRange", "jupyter-ada: without a LimitRange."),
        ("NetworkPolicy", "jupyter-ada: without a NetworkPolicy."),
    ],
)
def test_what_is_missing_is_said_with_whose_it_is(kind: str, text: str) -> None:
    made = corner("ada")
    del made[kind]
    [line] = judged(made)
    assert (line.state, line.text) == (DEGRADED, text)


def test_lifted_pod_security_is_said() -> None:
    made = corner("ada")
    made["Namespace"][0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"
    [line] = judged(made)
    assert line.text == "jupyter-ada: without Pod Security."


def test_quotas_and_limits_that_do_nothing_are_said_of_any_namespace() -> None:
    space = {"name": "x", "namespace": "team-a"}
    quota = {"metadata": space, "spec": {"hard": {"limits.nvidia.com/gpu": "4"}}}
    limit = {"metadata": space, "spec": {"limits": [{"type": "Container", "max": {"nvidia.com/gpu": "4"}}]}}
    [line] = site.corners([named("team-a")], [quota], [], [])
    assert (line.check, "team-a" in line.text) == ("quota", True)
    [line] = site.corners([named("team-a")], [], [limit], [])
    assert (line.check, "every pod is given that many" in line.text) == ("limits", True)


def test_of_many_namespaces_three_are_named() -> None:
    spaces = [named(f"jupyter-{n}") for n in range(5)]
    for each in spaces:
        each["metadata"]["labels"] = {site.LABEL: "jupyterhub", "pod-security.kubernetes.io/enforce": "restricted"}
    line = site.corners(spaces, [], [], [])[0]
    assert line.text == "jupyter-0, jupyter-1, jupyter-2 and 2 more: without a quota on GPUs."


def test_a_cluster_without_users_of_a_hub_has_nothing_to_say() -> None:
    assert site.corners([named("default")], [], [], []) == []
