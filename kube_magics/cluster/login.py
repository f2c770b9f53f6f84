"""What a user logs in with, for people: its kind, and until when it is good. No secret leaves this file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kube_magics.cluster import validity
from kube_magics.cluster.auth import Access
from kube_magics.cluster.kubeconfig import Kubeconfig


@dataclass(frozen=True)
class Login:
    """Of one access."""

    kind: str
    """`a token`, `the log-in program aws`, `a client certificate`, `the pod's account`; "": nothing at all."""
    ends_at: float | None = None
    """Seconds since the epoch; None: unknown, or never."""
    renews: bool = False
    """It is had anew when it ends, without the user."""


def of(access: Access) -> Login:
    """Blocks: reads files, and may start the log-in program. Raises ConfigError."""
    configuration = access.configuration
    token = access.headers().get("Authorization", "").removeprefix("Bearer ")
    ends_at = validity.of_token(token)
    if access.source.kind == "in-cluster":
        return Login("the pod's account", ends_at, renews=True)
    user = Kubeconfig.read(access.source.path, access.source.where).user(access.context)
    if configuration.cert_file and not token:
        with suppress(OSError, ValueError):  # what cannot be read ends the connection, with a sentence of its own
            ends_at = validity.of_certificate(Path(configuration.cert_file).read_text("utf-8"))
    renews = "exec" in user or "tokenFile" in user or "auth-provider" in user
    return Login(kind(user), ends_at, renews)


def kind(user: Mapping[str, Any]) -> str:
    """In words; of several, the one that counts."""
    if "auth-provider" in user:
        return f"the log-in service {(user['auth-provider'] or {}).get('name')}"
    if "exec" in user:
        return f"the log-in program {Path((user['exec'] or {}).get('command') or '?').name}"
    named = (
        ("tokenFile", "a token in a file"),
        ("token", "a token"),
        ("client-certificate-data", "a client certificate"),
        ("client-certificate", "a client certificate"),
        ("username", "a password"),
    )
    return next((words for key, words in named if user.get(key)), "")
