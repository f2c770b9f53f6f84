"""Makes the objects in the cluster, by the hub's own account. Idempotent: it runs before every spawn.

The one file of this package that speaks to the cluster; KubeSpawner's own client, `kubernetes_asyncio`, does it. Each
object is applied by the server (one request, no read before it), so whoever changes one by hand loses the change at the
user's next spawn. A namespace is only ever created: the hub has no right to change one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

import aiohttp
from kubernetes_asyncio.client import ApiClient, ApiException

from .errors import SpaceError
from .settings import LABEL, MANAGER, Found, Network, Site

PATIENCE_S = 90.0
"""For an API server that is away: a restart takes less. JupyterHub does not count this into start_timeout."""
WAIT_S = 1.0
"""Between two attempts."""
_REQUEST_S = 15.0

_PLURALS = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "RoleBinding": "rolebindings",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Secret": "secrets",
    "LocalQueue": "localqueues",
}


async def apply(api: ApiClient, objects: Iterable[Mapping[str, Any]]) -> None:
    """Make all of `objects`, or change them to what they say. Raises SpaceError."""
    for each in objects:
        if each["kind"] == "Namespace":
            await _create(api, each)
        else:
            path = f"{collection(each)}/{each['metadata']['name']}?fieldManager={MANAGER}&force=true"
            await _request(api, "PATCH", path, each)


async def found(api: ApiClient, site: Site) -> Found:
    """What has to be asked for `objects`. Raises SpaceError."""
    service = await _request(api, "GET", "/api/v1/namespaces/default/services/kubernetes")
    part = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
    servers = [*_of_service(service), *_of_slice(await _request(api, "GET", part))]
    secret = None
    if site.pull_secret:
        path = f"/api/v1/namespaces/{site.hub_namespace}/secrets/{site.pull_secret}"
        secret = (await _request(api, "GET", path))["data"]
    return Found(tuple(dict.fromkeys(servers)), secret)


def collection(body: Mapping[str, Any]) -> str:
    """The path of its kind: `/api/v1/namespaces/jupyter-ada/secrets`."""
    version, kind = body["apiVersion"], _PLURALS[body["kind"]]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = body["metadata"].get("namespace")
    return f"{root}/namespaces/{namespace}/{kind}" if namespace else f"{root}/{kind}"


async def _create(api: ApiClient, namespace: Mapping[str, Any]) -> None:
    """Raises SpaceError for one of this name that is not this user's."""
    name, wanted = namespace["metadata"]["name"], namespace["metadata"]
    try:
        await _request(api, "POST", collection(namespace), namespace)
        return
    except SpaceError as error:
        if getattr(error.__cause__, "status", None) != 409:
            raise
    there = (await _request(api, "GET", f"{collection(namespace)}/{name}"))["metadata"]
    labels, notes = there.get("labels") or {}, there.get("annotations") or {}
    user = f"{LABEL}-user"
    if (labels.get(LABEL), notes.get(user)) != (wanted["labels"][LABEL], wanted["annotations"][user]):
        raise SpaceError(
            f"There is a namespace {name} already, which this hub did not make for {wanted['annotations'][user]}. "
            f"An administrator can rename or remove it: kubectl describe namespace {name}"
        )
    differing = {key: value for key, value in wanted["labels"].items() if labels.get(key) != value}
    if differing:
        pairs = " ".join(f"{key}={value}" for key, value in differing.items())
        raise SpaceError(
            f"Namespace {name} has not the labels that this hub asks for, and the hub may not change them. "
            f"An administrator can: kubectl label --overwrite namespace {name} {pairs}"
        )


async def _request(api: ApiClient, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The answer, read. Repeated while the API server is away. Raises SpaceError, the API's own error as its cause."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await _once(api, method, path, body)
        except (ApiException, aiohttp.ClientError, TimeoutError) as error:
            if not passing(error) or time.monotonic() > until:
                raise SpaceError(_told(error, method, path), 503 if passing(error) else 403) from error
        await asyncio.sleep(WAIT_S)


async def _once(api: ApiClient, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
    kind = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
    headers = {"Accept": "application/json", "Content-Type": kind}
    # The client's own way of adding its credentials, which it refreshes.
    await api.update_params_for_auth(headers, [], ["BearerToken"])
    answer = await api.rest_client.request(
        method, api.configuration.host + path, headers=headers, body=body, _request_timeout=_REQUEST_S
    )
    return json.loads(answer.data)


def passing(error: Exception) -> bool:
    """429 and 5xx: an API server that is busy, or behind a proxy that has lost it."""
    return not isinstance(error, ApiException) or error.status == 429 or (error.status or 0) >= 500


def said(error: Exception) -> str:
    """The API server's own words, where it has said some."""
    if not isinstance(error, ApiException):
        return str(error) or type(error).__name__
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


def _told(error: Exception, method: str, path: str) -> str:
    fix = "   (kubectl apply -k hub-config/rbac)" if getattr(error, "status", None) == 403 else ""
    return f"Your namespace could not be made ready: {method} {path.partition('?')[0]}: {said(error)}{fix}"


def _of_service(service: Mapping[str, Any]) -> list[tuple[Network, int]]:
    spec = service["spec"]
    addresses = spec.get("clusterIPs") or [spec["clusterIP"]]
    return [(ip_network(address), port["port"]) for address in addresses for port in spec["ports"]]


def _of_slice(part: Mapping[str, Any]) -> list[tuple[Network, int]]:
    """Behind the service: most network plugins look at a packet when it already goes there."""
    addresses = [address for each in part["endpoints"] for address in each["addresses"]]
    return [(ip_network(address), port["port"]) for address in addresses for port in part["ports"]]
