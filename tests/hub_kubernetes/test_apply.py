"""A user's namespace, really made by the hub's own account: twice the same, and nothing beyond what rbac/ allows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import profiles
import pytest
import yaml
from userspace.settings import Found, Quota, Share
from userspace.space import objects

from tests.acceptance.desk import eventually
from tests.cluster import Cluster
from tests.cluster.paths import CHECKOUT, CONTEXT
from tests.hub_kubernetes import attacks
from tests.hub_kubernetes.accounts import HubAccount, hub_account, made_by, rendered

pytest.importorskip("kubernetes_asyncio", reason="the hub's own packages are not installed")
pytestmark = pytest.mark.cluster

SHARE = Share("datasets", "/datasets", read_only=True)


@pytest.fixture(scope="module")
def hub(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubAccount]:
    """Its bounds are in force: an admission policy takes a moment."""
    with hub_account(cluster, tmp_path_factory.mktemp("hub")) as made:
        secret = ["create", "secret", "docker-registry", "image-pull", "--docker-username=u", "--docker-password=p"]
        made.admin(*secret, f"--namespace={made.site.hub_namespace}")
        probe = ("create", "serviceaccount", "probe", f"--namespace={made.site.hub_namespace}", "--dry-run=server")

        def bounded() -> bool:
            return "users' namespaces only" in made.kubectl(*probe, check=False).stderr

        eventually(bounded, "the admission policy of bounds.yaml")
        yield replace(made, site=replace(made.site, pull_secret="image-pull", shares=(SHARE,)))


def test_the_namespace_is_made_and_made_again_without_a_change(hub: HubAccount) -> None:
    user = hub.user("ada")
    made_by(hub, user)
    kinds = "resourcequotas,limitranges,networkpolicies,serviceaccounts,rolebindings,secrets,persistentvolumeclaims"

    def versions() -> dict[str, str]:
        found = hub.admin.get(kinds, f"--namespace={user.namespace}")["items"]
        # The cluster counts in a quota's status by itself.
        return {
            f"{each['kind']}/{each['metadata']['name']}": str(each["metadata"]["uid"]) + json.dumps(each.get("spec"))
            for each in found
        }

    first = versions()
    wanted = objects(hub.site, user, Found((), {}))
    assert {f"{each['kind']}/{each['metadata']['name']}" for each in wanted[1:]} <= set(first)
    made_by(hub, user, times=2)
    assert versions() == first
    policy = hub.admin.get("networkpolicy", "servers", f"--namespace={user.namespace}")
    ports = [rule["ports"][0]["port"] for rule in policy["spec"]["egress"] if "ports" in rule]
    assert len(ports) >= 3, "hub, the API server's service, and what is behind it"


def test_what_somebody_changed_by_hand_is_as_the_site_says_again(hub: HubAccount) -> None:
    user = hub.user("grace", "vision")
    made_by(hub, user)
    here = f"--namespace={user.namespace}"
    hub.admin(
        "patch",
        "resourcequota",
        "kube-magics-user",
        here,
        "--type=merge",
        '--patch={"spec":{"hard":{"requests.nvidia.com/gpu":"64"}}}',
    )
    more = replace(hub, site=replace(hub.site, group_quotas={"vision": Quota(gpus=3)}))
    made_by(more, user)
    hard = hub.admin.get("resourcequota", "kube-magics-user", here)["spec"]["hard"]
    assert hard["requests.nvidia.com/gpu"] == "3"


def test_a_pod_that_asks_for_no_gpu_gets_none_and_starts(hub: HubAccount, cluster: Cluster) -> None:
    """Also as the jobs' account, without a token."""
    user = hub.user("emmy")
    made_by(hub, user)
    here = f"--namespace={user.namespace}"
    container = {
        "name": "main",
        "image": cluster.images.quickstart,
        "command": ["sh", "-c", "test ! -e /var/run/secrets/kubernetes.io && echo none"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "containers": [container], "securityContext": security}
    pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    hub.admin("create", here, "--filename=-", input=json.dumps(pod))
    eventually(lambda: hub.admin.get("pod", "p", here)["status"]["phase"] == "Succeeded", "the pod's end")
    [resources] = [each["resources"] for each in hub.admin.get("pod", "p", here)["spec"]["containers"]]
    assert resources["limits"] == {"nvidia.com/gpu": "0"}
    assert hub.admin("logs", "p", here).stdout == "none\n"


def test_the_pull_secret_is_copied_and_comes_with_every_account(hub: HubAccount) -> None:
    """Also to a pod that names none, as those of a file that somebody applies."""
    user = hub.user("noor")
    made_by(hub, user)
    space, here = f"--namespace={hub.site.hub_namespace}", f"--namespace={user.namespace}"
    assert hub.admin.get("secret", "image-pull", here)["data"] == hub.admin.get("secret", "image-pull", space)["data"]
    for account in ("default", "kube-magics-job", "kube-magics-notebook"):
        pod = attacks.server(user.namespace, "registry.lab/private:1")
        pod["spec"]["serviceAccountName"] = account
        dry = ("create", "--dry-run=server", "--output=json", "--filename=-")

        def named(pod: dict[str, Any] = pod, dry: tuple[str, ...] = dry) -> bool:
            made = json.loads(hub.admin(*dry, input=json.dumps(pod)).stdout)
            return bool(made["spec"].get("imagePullSecrets") == [{"name": "image-pull"}])

        eventually(named, f"the pull secret in a pod of {account}")


def test_a_namespace_of_somebody_else_is_refused_with_a_sentence(hub: HubAccount) -> None:
    user = hub.user("eve")
    made_by(hub, user)
    from userspace.apply import SpaceError

    with pytest.raises(SpaceError, match="did not make for mallory"):
        made_by(hub, replace(user, name="mallory"))


def test_a_namespace_whose_pod_security_was_lifted_is_refused_with_what_to_type(hub: HubAccount) -> None:
    from userspace.apply import SpaceError

    user = hub.user("kurt")
    made_by(hub, user)
    level = "pod-security.kubernetes.io/enforce"
    hub.admin("label", "--overwrite", "namespace", user.namespace, f"{level}=privileged")
    with pytest.raises(SpaceError, match=f"kubectl label --overwrite namespace {user.namespace} {level}=restricted"):
        made_by(hub, user)


def test_a_right_that_is_missing_is_named(hub: HubAccount) -> None:
    from userspace.apply import SpaceError

    site = replace(hub.site, pull_secret="of-somebody-else")
    with pytest.raises(SpaceError, match=r'secrets "of-somebody-else" is forbidden.*kubectl apply -k hub-config/rbac'):
        made_by(replace(hub, site=site), hub.user("hedy"))


ESCAPES: dict[str, tuple[dict[str, Any], str]] = {
    "a folder of the node": ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "PodSecurity"),
    "the node's network": ({"hostNetwork": True}, "PodSecurity"),
    "the node's processes": ({"hostPID": True}, "PodSecurity"),
    "Kubernetes' own priority": ({"priorityClassName": "system-node-critical"}, "priority-system"),
    "more GPUs than a user has": ({}, "maximum nvidia.com/gpu usage per Container is 2"),
    "every right on the node": ({}, "PodSecurity"),
}


@pytest.mark.parametrize("what", ESCAPES)
def test_no_pod_of_a_users_namespace_gets_out_of_it(hub: HubAccount, what: str) -> None:
    """Not even an administrator's there; in a namespace without bounds the same pod is accepted."""
    user = hub.user("lise")
    made_by(hub, user)
    spec, refusal = ESCAPES[what]
    pod = attacks.server(user.namespace, "example/none:1")
    pod["spec"].update(spec)
    container = pod["spec"]["containers"][0]
    if "GPUs" in what:
        container["resources"] = {"limits": {"nvidia.com/gpu": "3"}}
    if "every right" in what:
        container["securityContext"] = {"privileged": True}
    dry = ("create", "--dry-run=server", "--filename=-")
    elsewhere = {**pod, "metadata": {**pod["metadata"], "namespace": "default"}}
    hub.admin(*dry, input=json.dumps(elsewhere))
    assert refusal in hub.admin(*dry, input=json.dumps(pod), check=False).stderr


def test_the_pod_of_every_profile_is_accepted(hub: HubAccount) -> None:
    """By Pod Security, limits and quotas of the namespace of a user whose group may have eight GPUs."""
    group = "gpu-heavy"
    user = hub.user("maria", group)
    made_by(replace(hub, site=replace(hub.site, group_quotas=profiles.GROUP_QUOTAS)), user)
    ours = {
        "KUBECONFIG": str(hub.kubeconfig),
        "HUB_NAMESPACE": hub.site.hub_namespace,
        "HUB_SERVER_PRIORITY": hub.site.server_priority or "",
        "HUB_LOGIN": "oidc",
    }
    command = [sys.executable, str(Path(__file__).with_name("print_pods.py")), user.name, group]
    done = subprocess.run(command, env=os.environ | ours, capture_output=True, text=True, check=True)
    pods = json.loads(done.stdout)
    assert list(pods) == [each.slug for each in profiles.PROFILES]
    for slug, pod in pods.items():
        body = json.dumps({**pod, "metadata": {**pod["metadata"], "namespace": user.namespace}})
        accepted = hub.kubectl("create", "--dry-run=server", "--output=json", "--filename=-", input=body, check=False)
        assert accepted.returncode == 0, (slug, accepted.stderr)
        spec = json.loads(accepted.stdout)["spec"]
        assert (spec["serviceAccountName"], spec["priorityClassName"]) == (
            "kube-magics-notebook",
            hub.site.server_priority,
        )


OUT_OF_BOUNDS = {
    "a pod in kube-system": ("kube-system", {"kind": "Pod", "spec": {"containers": [{"name": "a", "image": "b"}]}}),
    "an account in its own namespace": (None, {"kind": "ServiceAccount"}),
    "a secret in default": ("default", {"kind": "Secret"}),
    "a namespace of another name": ("", {"kind": "Namespace"}),
}


@pytest.mark.parametrize("what", OUT_OF_BOUNDS)
def test_the_hub_is_held_to_its_users_namespaces(hub: HubAccount, what: str) -> None:
    """Its rights are cluster-wide; what refuses it is bounds.yaml, which refuses nobody else."""
    namespace, body = OUT_OF_BOUNDS[what]
    space = hub.site.hub_namespace if namespace is None else namespace
    name = f"probe-{hub.site.hub_namespace}"
    whole = json.dumps(
        {"apiVersion": "v1", **body, "metadata": {"name": name, **({"namespace": space} if space else {})}}
    )
    dry = ("create", "--dry-run=server", "--filename=-")
    hub.admin(*dry, input=whole)
    refused = hub.kubectl(*dry, input=whole, check=False)
    assert "ValidatingAdmissionPolicy" in refused.stderr, refused


def test_the_hub_binds_no_account_but_the_namespaces_own_and_no_role_but_the_users(hub: HubAccount) -> None:
    user = hub.user("rosa")
    made_by(hub, user)
    here = f"--namespace={user.namespace}"

    def bind(role: str, account: str) -> str:
        return hub.kubectl("create", "rolebinding", "b", here, "--dry-run=server", role, account, check=False).stderr

    own, other = f"--serviceaccount={user.namespace}:x", "--serviceaccount=default:default"
    assert bind(f"--clusterrole={hub.site.user_role}", own) == ""
    assert "same namespace only" in bind(f"--clusterrole={hub.site.user_role}", other)
    assert "forbidden" in bind("--clusterrole=cluster-admin", own)


@pytest.mark.long
def test_the_doctor_tells_an_administrator_what_a_namespace_lacks(hub: HubAccount) -> None:
    user = hub.user("aase")
    made_by(hub, user)
    assert not [line for line in examined(hub) if user.namespace in line]
    hub.admin("delete", "limitrange", "kube-magics-user", f"--namespace={user.namespace}")
    assert [line for line in examined(hub) if user.namespace in line] == [f"{user.namespace}: without a LimitRange."]


def examined(hub: HubAccount) -> list[str]:
    """What `kube-magics doctor --admin` says, as an administrator."""
    ours = {"KUBECONFIG": str(hub.admin.kubeconfig), "KUBE_MAGICS_CONTEXT": "", "PYTHONPATH": str(CHECKOUT)}
    program = "import sys\nfrom kube_magics.terminal.main import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "doctor", "--admin", "--json", "--context", CONTEXT]
    done = subprocess.run(command, env=os.environ | ours, capture_output=True, text=True, check=True)
    return [line["text"] for line in json.loads(done.stdout)["lines"]]


def test_the_manifests_are_accepted_as_they_stand(cluster: Cluster) -> None:
    """Kustomize makes the user's Role one ClusterRole with the same rules."""
    text = rendered(cluster.kubectl)
    parts = [each for each in yaml.safe_load_all(text) if each["metadata"].get("namespace") != "jupyterhub"]
    for each in parts:
        cluster.kubectl("apply", "--server-side", "--dry-run=server", "--filename=-", input=json.dumps(each))
    [role] = [each for each in parts if each["metadata"]["name"] == "kube-magics-user"]
    written = yaml.safe_load((CHECKOUT / "hub-config/rbac/user-role.yaml").read_text())
    assert (role["kind"], role["rules"]) == ("ClusterRole", written["rules"])
