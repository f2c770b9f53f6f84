"""What one user would do to another, as requests of the API server, and the same sent from a notebook's kernel.

Each must succeed as an administrator, else its refusal would prove nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.kubectl import Kubectl

PROGRAM = '''
import json, os, ssl, urllib.error, urllib.request
FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
def send(method, url, body, authorization):
    """What is answered: a number, never a broken connection."""
    headers = {"Content-Type": "application/json", **({"Authorization": authorization} if authorization else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    blind = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
    try:
        return urllib.request.build_opener(urllib.request.ProxyHandler({}), blind).open(request, timeout=60).status
    except urllib.error.HTTPError as error:
        return error.code
def attempt(method, path, body):
    """By the API server, or by whom a whole URL names, to the account of this pod."""
    server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    try:
        token = "Bearer " + open(f"{FOLDER}/token").read()
    except FileNotFoundError:
        token = None
    return send(method, path if path.startswith("https:") else server + path, body, token)
'''
"""Of a kernel or of a job: `attempt(method, path, body)`."""
KNOCK = '''
def knock(method, path, body):
    """By the hub's API, to the token of this server."""
    return send(method, os.environ["JUPYTERHUB_API_URL"] + path, body, "token " + os.environ["JUPYTERHUB_API_TOKEN"])
'''
"""Of a kernel that has PROGRAM."""


def here(method: str, url: str, body: object, authorization: str) -> int:
    """The same from this process."""
    program: dict[str, Any] = {}
    exec(PROGRAM, program)
    return int(program["send"](method, url, body, authorization))


@dataclass(frozen=True)
class Attack:
    name: str
    path: str
    method: str = "GET"
    body: Mapping[str, Any] | None = field(default=None, repr=False)

    def works_for(self, admin: Kubectl) -> bool:
        """Whether what is attacked is really there to be had: nothing is created or left."""
        if self.method == "GET":
            return admin("get", "--raw", self.path, check=False).returncode == 0
        done = admin(
            "create", f"--raw={self.path}?dryRun=All", "--filename=-", input=json.dumps(self.body), check=False
        )
        return done.returncode == 0


@dataclass(frozen=True)
class Door:
    """Of the hub's API; what it answers an administrator, and to a server's token that has no business there.

    JupyterHub's 404 for the latter is also "not for you": what the administrator was answered says that it is there.
    """

    method: str
    path: str
    admin: int
    user: int = 403
    body: Mapping[str, Any] | None = field(default=None, repr=False)


def doors(me: str, bob: str) -> list[Door]:
    """In the order in which an administrator opens them: at the end nothing is changed but that there is a bob."""
    return [
        Door("GET", "/users", 200),
        Door("GET", "/services", 200),
        Door("GET", "/proxy", 200),
        Door("POST", f"/users/{bob}", 201),
        Door("GET", f"/users/{bob}", 200, user=404),
        Door("POST", f"/users/{bob}/tokens", 201, body={}),
        Door("GET", f"/users/{bob}/tokens", 200),
        Door("PATCH", f"/users/{me}", 200, body={"admin": False}),
        Door("GET", "/groups", 200),
        Door("POST", "/groups/gpu-heavy", 201),
        Door("POST", "/groups/gpu-heavy/users", 200, body={"users": [bob]}),
        Door("DELETE", "/groups/gpu-heavy", 204),
    ]


SERVER = "jupyter-bob"
"""The pod of the other user's server."""


def known(mine: str, theirs: str, hub: str, node: str) -> list[Attack]:
    """Of a user in the namespace `mine`."""
    kubelet = f"/api/v1/nodes/{node}/proxy"
    return [
        *_reading(theirs),
        Attack("secrets of the hub", f"/api/v1/namespaces/{hub}/secrets"),
        Attack("secrets of their own namespace", f"/api/v1/namespaces/{mine}/secrets"),
        Attack("all pods", "/api/v1/pods"),
        Attack("all secrets", "/api/v1/secrets"),
        Attack("nodes", "/api/v1/nodes"),
        Attack("volumes", "/api/v1/persistentvolumes"),
        Attack("the kubelet's pods", f"{kubelet}/pods"),
        Attack("a server's log, from the kubelet", f"{kubelet}/containerLogs/{theirs}/{SERVER}/main"),
        Attack("claims of the hub", f"/api/v1/namespaces/{hub}/persistentvolumeclaims"),
        _token(theirs, "kube-magics-notebook"),
        _token(hub, "hub"),
        _token(mine, "kube-magics-notebook"),
        _job(theirs),
        _job(theirs, serviceAccountName="kube-magics-notebook"),
        _job(theirs, volumes=[_volume("home")]),
        _job(hub, serviceAccountName="hub"),
        # Zero to JupyterHub's, with the hub's database.
        _job(hub, volumes=[_volume("hub-db-dir")]),
        _created(mine, "persistentvolumeclaims", "v1", {"kind": "PersistentVolumeClaim", "spec": _claim(theirs)}),
        _created(mine, "pods", "v1", {"kind": "Pod", "spec": _spec("example/none:1")}),
        _created(mine, "resourcequotas", "v1", {"kind": "ResourceQuota"}),
        _created(mine, "roles", f"{_RBAC}/v1", {"kind": "Role", "rules": [_SECRETS]}),
        _created(mine, "rolebindings", f"{_RBAC}/v1", {"kind": "RoleBinding", "roleRef": _ADMIN}),
        _created(
            mine, "networkpolicies", "networking.k8s.io/v1", {"kind": "NetworkPolicy", "spec": {"podSelector": {}}}
        ),
    ]


def server(space: str, image: str) -> dict[str, Any]:
    """A pod that runs there, with a hub's token in its environment."""
    spec = _spec(image)
    spec["containers"][0]["env"] = [{"name": "JUPYTERHUB_API_TOKEN", "value": "of-bob"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": SERVER, "namespace": space}, "spec": spec}


def secret(space: str) -> dict[str, Any]:
    """Something to be had."""
    meta = {"name": "wandb", "namespace": space}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"token": "s3cr3t"}}


_RBAC = "rbac.authorization.k8s.io"
_ADMIN = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
_SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


def _reading(space: str) -> list[Attack]:
    core = f"/api/v1/namespaces/{space}"
    kinds = ("pods", "secrets", "persistentvolumeclaims", "configmaps", "serviceaccounts", "events")
    return [
        *(Attack(f"{kind} of another user", f"{core}/{kind}") for kind in kinds),
        Attack("jobs of another user", f"/apis/batch/v1/namespaces/{space}/jobs"),
        Attack("a secret of another user", f"{core}/secrets/wandb"),
        Attack("a server's pod, with its token", f"{core}/pods/{SERVER}"),
        Attack("a server's log", f"{core}/pods/{SERVER}/log"),
    ]


def _spec(image: str) -> dict[str, Any]:
    """Of a pod that passes Pod Security."""
    user = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    rights = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    main: dict[str, Any] = {"name": "main", "image": image, "command": ["sleep", "3600"], "securityContext": rights}
    return {"restartPolicy": "Never", "containers": [main], "securityContext": user}


def _job(space: str, **pod: Any) -> Attack:
    body = {"kind": "Job", "spec": {"template": {"spec": {**_spec("example/none:1"), **pod}}}}
    return _created(space, "jobs", "batch/v1", body, f" with {', '.join(pod) or 'nothing'}")


def _volume(claim: str) -> dict[str, Any]:
    return {"name": "files", "persistentVolumeClaim": {"claimName": claim}}


def _claim(theirs: str) -> dict[str, Any]:
    """On the volume of another user's share."""
    resources = {"requests": {"storage": "1Gi"}}
    volume = f"{theirs}-datasets"
    return {"accessModes": ["ReadOnlyMany"], "storageClassName": "", "volumeName": volume, "resources": resources}


def _token(space: str, account: str) -> Attack:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    path = f"/api/v1/namespaces/{space}/serviceaccounts/{account}/token"
    return Attack(f"a token of {account} in {space}", path, "POST", body)


def _created(space: str, kind: str, version: str, body: Mapping[str, Any], more: str = "") -> Attack:
    root = f"/apis/{version}" if "/" in version else "/api/v1"
    whole = {"apiVersion": version, **body, "metadata": {"name": "attack", "namespace": space}}
    return Attack(f"{kind} made in {space}{more}", f"{root}/namespaces/{space}/{kind}", "POST", whole)
