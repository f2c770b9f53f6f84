"""A Secret or ConfigMap, or a key of one, that a job names and that is not there: for its variables, or its volumes."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ABSENT = re.compile(
    r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found'
    r"|couldn't find key (?P<key>\S+) in (?P<in>Secret|ConfigMap) (?P<of>\S+)"
    r"|references non-existent (?P<volumes>secret|config) key: (?P<mounted>\S+)",
    re.IGNORECASE,
)
"""pkg/kubelet/kubelet_pods.go, pkg/volume/configmap/configmap.go, pkg/volume/secret/secret.go"""


@dataclass(frozen=True)
class Absent:
    is_secret: bool
    sentence: str


def absent(said: str | None) -> Absent | None:
    """Of what the kubelet says; None: of something else."""
    found = _ABSENT.search(said or "")
    if found is None:
        return None
    is_secret = (found["kind"] or found["in"] or found["volumes"]).lower() == "secret"
    kind = "Secret" if is_secret else "ConfigMap"
    if found["mounted"]:
        return Absent(is_secret, f"A volume asks for the key {found['mounted']}, which its {kind} does not have.")
    if found["key"]:
        # With its namespace before it, or without.
        return Absent(is_secret, f"The {kind} {found['of'].rpartition('/')[2]} has no key {found['key']}.")
    return Absent(is_secret, f"There is no {kind} {found['name']} in the job's namespace.")
