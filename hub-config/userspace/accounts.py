"""The namespace and who may do what in it."""

from __future__ import annotations

from typing import Any

from .settings import JOB_ACCOUNT, LABEL, NOTEBOOK_ACCOUNT, Site, User

_SECURITY = "pod-security.kubernetes.io"


def namespace(site: Site, user: User) -> dict[str, Any]:
    """Its labels are set when it is made, and never by the hub again: who may write them may lift Pod Security."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": user.namespace,
            "labels": {
                LABEL: site.hub_namespace,
                f"{_SECURITY}/enforce": site.pod_security,
                f"{_SECURITY}/warn": site.pod_security,
            },
            # A user's name is no label: it may be an e-mail address.
            "annotations": {f"{LABEL}-user": user.name},
        },
    }


def notebook_account(site: Site, user: User) -> dict[str, Any]:
    """The server's: kube_magics in it speaks to the cluster by this account's token."""
    return _account(site, user, NOTEBOOK_ACCOUNT, token=True)


def job_account(site: Site, user: User) -> dict[str, Any]:
    """Of the jobs: no rights, and no token is mounted."""
    return _account(site, user, JOB_ACCOUNT, token=False)


def default_account(site: Site, user: User) -> dict[str, Any]:
    """Of pods that name none, as those of a file that somebody applies: no token either."""
    return _account(site, user, "default", token=False)


def user_binding(site: Site, user: User) -> dict[str, Any]:
    """What hub-config/rbac/user-role.yaml says, here and nowhere else."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": NOTEBOOK_ACCOUNT, "namespace": user.namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": site.user_role},
        "subjects": [{"kind": "ServiceAccount", "name": NOTEBOOK_ACCOUNT, "namespace": user.namespace}],
    }


def _account(site: Site, user: User, name: str, *, token: bool) -> dict[str, Any]:
    """Servers and jobs name the pull secret themselves; pods of files, which do not, get it from their account."""
    pull = {"imagePullSecrets": [{"name": site.pull_secret}]} if site.pull_secret else {}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": user.namespace},
        "automountServiceAccountToken": token,
        **pull,
    }
