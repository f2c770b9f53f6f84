"""Whether the versions of cluster, client and notebook go together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kube_magics.doctor.line import Line, broken, degraded, ok

OLDEST_SERVER = (1, 21)
"""Immutable ConfigMaps, seccomp profiles and job TTLs: without them our Jobs are refused, or stay for ever."""
OLD_SERVER = (1, 27)
"""`%kube create` relies on the server's check of unknown fields, which is there for everybody since."""
OLDEST_CLIENT = 31


def server(found: Mapping[str, Any]) -> Line:
    """Of the answer to /version."""
    version = str(found.get("gitVersion") or "")
    match = re.match(r"v?(\d+)\.(\d+)", version)
    if match is None:
        return degraded("server", "The cluster does not say its version.", None)
    number, least = (int(match[1]), int(match[2])), ".".join(map(str, OLDEST_SERVER))
    if number < OLDEST_SERVER:
        what = f"Kubernetes {version} is too old: jobs need {least} or newer."
        return broken("server", what, "ask your administrator, or another --context")
    if number < OLD_SERVER:
        return degraded("server", f"Kubernetes {version}: older than what is tested", "ask your administrator")
    return ok("server", f"Kubernetes {version}")


def client(version: str | None) -> Line:
    """Of the `kubernetes` package, whose log-ins are used; None: it is not installed."""
    if version is None:
        return broken("client", "The Python package kubernetes is not installed.", "%pip install kubernetes")
    if int(version.partition(".")[0]) < OLDEST_CLIENT:
        what = f"kubernetes {version} (Python) is older than {OLDEST_CLIENT}: some log-ins fail."
        return degraded("client", what, "%pip install -U kubernetes")
    return ok("client", f"kubernetes {version} (Python)")
