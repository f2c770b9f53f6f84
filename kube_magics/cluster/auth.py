"""Which cluster, and as whom: the only user of the `kubernetes` package, and of it only `config`.

`kubernetes.config` knows exec plugins, OIDC refresh, client certificates, proxy-url, tls-server-name and the in-cluster
account; its typed models are used nowhere (0.5 s at first use).
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kube_magics.errors import ConfigError

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Source:
    """A place that says how to reach a cluster."""

    kind: str
    """`kubeconfig` or `in-cluster`."""
    where: str
    """For people: `~/.kube/config`, `KUBECONFIG=lab.yaml`, `the pod's account`."""
    path: str = ""
    """Of the kubeconfig; several are joined as in KUBECONFIG."""


@dataclass(frozen=True)
class Access:
    """How to reach one cluster as one user."""

    source: Source
    context: str
    """The kubeconfig's context; `in-cluster` for a pod's account."""
    namespace: str
    server: str
    """Base URL without a trailing slash."""
    configuration: Any = field(repr=False)
    """`kubernetes.client.Configuration`: certificates, proxy, and the hook that refreshes its token."""

    def headers(self) -> dict[str, str]:
        """The authorization of one request; refreshes the credentials when they say that they are about to expire."""
        # `BearerToken` is the client's key since version 36, `authorization` before.
        token = self.configuration.get_api_key_with_prefix("BearerToken", "authorization")
        return {"Authorization": token} if token else {}

    def tls(self) -> ssl.SSLContext | bool:
        """The TLS side of the connection; True for plain http, where none is made."""
        conf = self.configuration
        if not self.server.startswith("https:"):
            return True
        context = ssl.create_default_context(cafile=conf.ssl_ca_cert)
        # Private CAs of clusters seldom carry the extensions that Python 3.13 began to insist on.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        if not conf.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if conf.cert_file:
            context.load_cert_chain(conf.cert_file, conf.key_file)
        return context


def find() -> Source | None:
    """What this machine knows of clusters, without reading more than it must; None: nothing.

    Raises ConfigError for a KUBECONFIG that names no file: who set it wants a cluster, not a silent local run.
    """
    named = os.environ.get("KUBECONFIG")
    if named:
        paths = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
        if not any(path.is_file() for path in paths):
            raise ConfigError(
                f"KUBECONFIG={named} names no file that exists.",
                hint="unset KUBECONFIG, or --backend local to run on this machine",
            )
        return Source("kubeconfig", f"KUBECONFIG={named}", named)
    if Path("~/.kube/config").expanduser().is_file():
        return Source("kubeconfig", "~/.kube/config", "~/.kube/config")
    if os.environ.get("KUBERNETES_SERVICE_HOST") and (_SERVICE_ACCOUNT / "token").is_file():
        return Source("in-cluster", "the pod's account")
    return None


def warm() -> None:
    """Import now what the first job would otherwise wait for; touches no network."""
    import kubernetes.client
    import kubernetes.config

    kubernetes.client.Configuration()
    assert kubernetes.config


def load(source: Source, context: str | None, namespace: str | None) -> Access:
    """The access that `source` gives; `context` and `namespace` as the user asked, None for the defaults.

    Blocks: reads files and may start an exec plugin. Raises ConfigError.
    """
    if source.kind == "in-cluster":
        return _in_cluster(source, context, namespace)
    import kubernetes.client
    import kubernetes.config

    with _explained(source):
        # The path is given each time: the package reads KUBECONFIG once, when it is imported.
        known, current = kubernetes.config.list_kube_config_contexts(config_file=source.path)  # type: ignore[no-untyped-call]
    chosen = _context(source, known, current, context)
    configuration = kubernetes.client.Configuration()
    with _explained(source):
        kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=source.path, context=chosen["name"], client_configuration=configuration
        )
    return Access(
        source=source,
        context=chosen["name"],
        namespace=namespace or chosen["context"].get("namespace") or "default",
        server=configuration.host.rstrip("/"),
        configuration=configuration,
    )


def _in_cluster(source: Source, context: str | None, namespace: str | None) -> Access:
    import kubernetes.client
    import kubernetes.config

    if context not in (None, "in-cluster"):
        raise ConfigError(
            f"There is no context {context}: this pod has no kubeconfig, only its own account.",
            hint="leave --context out",
        )
    configuration = kubernetes.client.Configuration()
    with _explained(source):
        kubernetes.config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    own = _SERVICE_ACCOUNT / "namespace"
    return Access(
        source=source,
        context="in-cluster",
        namespace=namespace or (own.read_text().strip() if own.is_file() else "default"),
        server=configuration.host.rstrip("/"),
        configuration=configuration,
    )


def _context(source: Source, known: list[Any], current: Any, wanted: str | None) -> Any:
    if wanted is None:
        return current
    for entry in known:
        if entry["name"] == wanted:
            return entry
    names = ", ".join(entry["name"] for entry in known[:8])
    raise ConfigError(
        f"There is no context {wanted} in {source.where}; it has {names}.", hint=f"--context {current['name']}"
    )


@contextmanager
def _explained(source: Source) -> Iterator[None]:
    import kubernetes.config
    import yaml

    try:
        yield
    except kubernetes.config.ConfigException as error:
        raise ConfigError(
            f"{source.where} cannot be used.",
            said=str(error),
            hint="--backend local runs on this machine; %kube config shows what is set",
        ) from error
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{source.where} cannot be read.", said=str(error), hint="--backend local runs on this machine"
        ) from error
