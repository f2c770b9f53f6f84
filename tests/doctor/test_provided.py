"""What the doctor says of what a hub takes for granted: a login, storage, a network plugin, an autoscaler."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml
from aiohttp import web

from kube_magics.doctor import site
from kube_magics.doctor.judging import provided
from kube_magics.doctor.line import DEGRADED, OK, Line
from tests.api.servers import api
from tests.cluster.paths import CHECKOUT

Object = dict[str, Any]
HUB_CONFIG = CHECKOUT / "hub-config"


def check(line: Line, state: str, text: str) -> None:
    assert (line.state, text in line.text) == (state, True), line
    assert (line.hint is None) == (state == OK), line


def workload(name: str, *words: str, space: str = "kube-system", **container: Any) -> Object:
    main = {"name": "main", "image": f"registry.lab/{name}:1", "args": list(words), **container}
    return {
        "metadata": {"name": name, "namespace": space},
        "spec": {"template": {"spec": {"containers": [main]}}},
        "status": {"desiredNumberScheduled": 3, "numberReady": 3},
    }


HTTPS = {name: f"https://login.example/{name}" for name in provided.ADDRESSES}


def hub(**variables: str) -> Object:
    """A Deployment as the chart makes it of values.yaml, and of a site's own."""
    values = yaml.safe_load((HUB_CONFIG / "values.yaml").read_text())["hub"]
    env = [{"name": name, "value": value} for name, value in {**values["extraEnv"], **variables}.items()]
    secret = {"name": "OAUTH_CLIENT_SECRET", "valueFrom": {"secretKeyRef": {"name": "oidc-client", "key": "secret"}}}
    made = workload("hub", space="jupyterhub", env=[*env, secret])
    made["spec"]["template"]["spec"]["volumes"] = values["extraVolumes"]
    return made


@pytest.mark.parametrize(
    ("variables", "state", "text"),
    [
        (HTTPS, OK, "OpenID Connect, over https"),
        (HTTPS | {"HUB_LOGIN": "oidc"}, OK, "OpenID Connect, over https"),
        (
            HTTPS | {"OAUTH2_TOKEN_URL": "http://login.example"},
            DEGRADED,
            "OAUTH2_TOKEN_URL of jupyterhub/hub: no https",
        ),
        ({}, OK, "not known whether over https: jupyterhub/hub does not say OAUTH_CALLBACK_URL"),
        ({"HUB_LOGIN": "shared-password"}, DEGRADED, "Whoever knows the shared password of jupyterhub/hub"),
    ],
)
def test_how_people_log_in(variables: dict[str, str], state: str, text: str) -> None:
    [line] = provided.login([workload("proxy"), hub(**variables)])
    check(line, state, text)


def test_a_login_that_is_not_to_be_seen_is_not_known() -> None:
    made = hub()
    made["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "HUB_LOGIN", "valueFrom": {}}]
    for deployments in ([], [workload("hub", space="jupyterhub")], [made]):
        [line] = provided.login(deployments)
        check(line, OK, "not known")


def storage_class(name: str, default: str = "", made: str = "2026-01-01T00:00:00Z") -> Object:
    notes = {"storageclass.kubernetes.io/is-default-class": default} if default else {}
    return {"metadata": {"name": name, "annotations": notes, "creationTimestamp": made}}


@pytest.mark.parametrize(
    ("classes", "state", "text"),
    [
        ([], DEGRADED, "no StorageClass"),
        ([storage_class("a"), storage_class("b", "false")], DEGRADED, "No StorageClass is the default"),
        ([storage_class("a"), storage_class("b", "true")], OK, "default class, b"),
        (
            [storage_class("new", "true", "2026-02-01T00:00:00Z"), storage_class("old", "true")],
            OK,
            "default class, new",
        ),
    ],
)
def test_storage_for_homes(classes: list[Object], state: str, text: str) -> None:
    check(provided.storage(classes), state, text)


def some_not_ready() -> Object:
    made = workload("cilium")
    return {**made, "status": {"desiredNumberScheduled": 3, "numberReady": 1}}


@pytest.mark.parametrize(
    ("daemons", "state", "text"),
    [
        ([], DEGRADED, "Not known whether NetworkPolicies are enforced"),
        ([workload("kube-proxy")], DEGRADED, "Not known"),
        ([workload("kube-proxy"), workload("calico-node")], OK, "Calico is there"),
        ([some_not_ready()], DEGRADED, "Cilium is ready on 1 of 3 nodes"),
        ([workload("rke2-canal")], OK, "Canal is there"),
        ([workload("kube-flannel-ds")], DEGRADED, "flannel enforces no NetworkPolicy"),
        ([workload("kube-flannel"), workload("kube-network-policies")], OK, "kube-network-policies is there"),
        ([workload("aws-node", "--enable-network-policy=false")], DEGRADED, "AWS plugin, as it is set, enforces no"),
        ([workload("aws-node", "--enable-network-policy=true")], OK, "AWS plugin is there"),
    ],
)
def test_whether_network_policies_hold(daemons: list[Object], state: str, text: str) -> None:
    check(provided.network(daemons), state, text)


def batch(value: int) -> Object:
    return {"metadata": {"name": "kube-magics-batch"}, "value": value}


def pool(name: str, key: str) -> Object:
    """A NodePool with one requirement."""
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"requirements": [{"key": key}]}}}}


AUTOSCALER = workload("cluster-autoscaler", "--expander=least-waste", "--nodes=0:4:gpu-h100", "--nodes=1:9:cpus")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (([], None, []), "none is to be seen"),
        (([AUTOSCALER], None, []), "cluster-autoscaler; its node groups with GPUs: gpu-h100"),
        (([], {"data": {}}, []), "cluster-autoscaler; not known whether one of its node groups has GPUs"),
        (([], None, [pool("any", "kubernetes.io/arch")]), "Karpenter; not known whether one of its NodePools has GPUs"),
        (
            ([], None, [pool("a", "karpenter.k8s.aws/instance-gpu-count"), pool("b", "x")]),
            "Karpenter; its NodePools with GPUs: a",
        ),
    ],
)
def test_whether_nodes_come_when_they_are_asked_for(found: Any, text: str) -> None:
    [line] = provided.autoscaler(*found, [batch(-5)])
    check(line, OK, text)


def test_a_class_for_which_no_node_is_added_is_said() -> None:
    first, second = provided.autoscaler([AUTOSCALER], None, [], [batch(-100)])
    check(first, DEGRADED, "kube-magics-batch is -100, and below -10 cluster-autoscaler adds no node")
    check(second, OK, "gpu-h100")
    lower = workload("cluster-autoscaler", "--expendable-pods-priority-cutoff=-1000")
    assert [line.state for line in provided.autoscaler([lower], None, [], [batch(-100)])] == [OK]


def test_nodes_are_added_for_jobs_of_the_class_that_hub_config_makes() -> None:
    made = list(yaml.safe_load_all((HUB_CONFIG / "manifests" / "priority-classes.yaml").read_text()))
    assert [line.state for line in provided.autoscaler([AUTOSCALER], None, [], made)] == [OK]


def test_a_cluster_without_any_of_it_is_asked_and_told() -> None:
    """As of a real server: what it does not know is no error."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path in (site.PATHS["pools"], site.AUTOSCALER):
            return web.json_response({"message": "not found", "reason": "NotFound"}, status=404)
        return web.json_response({"items": []})

    async def run() -> list[Line]:
        async with api(answer) as client:
            return await site.lines(client)

    found = [(line.check, line.state) for line in asyncio.run(run())]
    assert found == [
        ("hub", DEGRADED),
        ("priorities", DEGRADED),
        ("login", OK),
        ("storage", DEGRADED),
        ("network", DEGRADED),
        ("autoscaler", OK),
    ]


def test_objects_of_any_shape_are_read() -> None:
    strange: list[Object] = [{}, {"metadata": None, "spec": {"template": "no"}}, workload("x", env=7, command="no")]
    provided.login(strange)
    provided.storage(strange)
    provided.network(strange)
    provided.autoscaler(strange, {}, strange, strange)
