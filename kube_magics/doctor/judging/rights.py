"""What the user may do, and what is lost where they may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kube_magics.cluster.permissions import BEYOND, ROLE, Permission
from kube_magics.doctor.line import BROKEN, DEGRADED, Line, ok

CHECK = "permissions"


def rights(allowed: Mapping[Permission, bool | None], namespace: str) -> list[Line]:
    """A line for each resource that is open, each right of the Role that is missing, each that most users do
    without; None: the cluster does not say."""
    known = {permission: may for permission, may in allowed.items() if may is not None}
    if not known:
        what = "The cluster does not say what you may do."
        return [Line(DEGRADED, CHECK, what, "kubectl auth can-i --list   (in a terminal)")]
    lines = _given([permission for permission, may in known.items() if may])
    refused = [permission for permission, may in known.items() if not may]
    lines += [_lost(permission, namespace) for permission in refused if permission in ROLE]
    beyond = [permission for permission in refused if permission in BEYOND]
    return lines + [ok(CHECK, f"not given, and not needed: {each} ({each.lost})") for each in beyond]


def _given(permissions: Sequence[Permission]) -> list[Line]:
    """A line a resource."""
    verbs: dict[str, list[str]] = {}
    for each in permissions:
        verbs.setdefault(each.resource + (" of the whole cluster" if each.everywhere else ""), []).append(each.verb)
    return [ok(CHECK, f"{resource}: {', '.join(found)}") for resource, found in verbs.items()]


def _lost(permission: Permission, namespace: str) -> Line:
    ask = f"ask your administrator for `{permission}` in {namespace}   (hub-config/rbac/user-role.yaml)"
    state = BROKEN if permission.vital else DEGRADED
    return Line(state, CHECK, f"You may not {permission}: {permission.lost}.", ask)
