"""Which cluster, and as whom: the only user of the `kubernetes` package, and of it only `config`.

`kubernetes.config` knows exec plugins, OIDC refresh, client certificates, proxy-url, tls-server-name and the in-cluster
account; its typed models are used nowhere (0.5 s at first use).
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kube_magics.cluster.kubeconfig import Kubeconfig
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
        with _explained(self.source):
            token = self.configuration.get_api_key_with_prefix("BearerToken", "authorization")
        # A token file may end with a newline, which no header may.
        return {"Authorization": token.strip()} if token else {}

    @property
    def proxy(self) -> str | None:
        """The kubeconfig's proxy-url, else the environment's proxy where it is meant for this server."""
        conf = self.configuration
        target = urlsplit(self.server)
        from_environment = conf.proxy in urllib.request.getproxies().values()
        if from_environment and (
            target.hostname in ("localhost", "127.0.0.1", "::1")
            or urllib.request.proxy_bypass_environment(target.netloc)  # type: ignore[attr-defined]
        ):
            return None
        return str(conf.proxy) if conf.proxy else None

    @property
    def refreshes(self) -> bool:
        """`headers` may block: it may read a file or start a program."""
        return self.configuration.refresh_api_key_hook is not None

    def tls(self) -> ssl.SSLContext | bool:
        """The TLS side of the connection; True for plain http, where none is made."""
        conf = self.configuration
        if not self.server.startswith("https:"):
            return True
        with _explained(self.source):
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


def contexts() -> list[str]:
    """The contexts that one may name, the current one first; empty where there is no kubeconfig."""
    source = find()
    if source is None or source.kind != "kubeconfig":
        return []
    with _explained(source):
        found = Kubeconfig.read(source.path, source.where)
    return sorted(found.contexts, key=lambda name: (name != found.current, name))


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
        kubeconfig = Kubeconfig.read(source.path, source.where)
    chosen = kubeconfig.context(context)
    configuration = kubernetes.client.Configuration()
    with _explained(source), _complaints() as complaints:
        # The path is given each time: the package reads KUBECONFIG once, when it is imported.
        kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=source.path, context=chosen, client_configuration=configuration
        )
    _check_credentials(source, kubeconfig, chosen, configuration, complaints)
    return Access(
        source=source,
        context=chosen,
        namespace=namespace or kubeconfig.contexts[chosen].get("namespace") or "default",
        server=configuration.host.rstrip("/"),
        configuration=configuration,
    )


def _check_credentials(
    source: Source, kubeconfig: Kubeconfig, context: str, configuration: Any, complaints: list[str]
) -> None:
    """What the package passes over in silence, and would then send as a stranger without credentials."""
    name = kubeconfig.contexts[context].get("user")
    if name and name not in kubeconfig.users:
        raise ConfigError(
            f"Context {context} of {source.where} names the user {name}, who is not in it.",
            hint=f"kubectl config set-context {context} --user=NAME, or another --context",
        )
    user = kubeconfig.user(context)
    token = next(iter(configuration.api_key.values()), "").removeprefix("Bearer").strip()
    given = token or configuration.cert_file
    if "exec" in user and not given:
        command = (user["exec"] or {}).get("command")
        raise ConfigError(
            f"The log-in program {command} of context {context} gave no credentials.",
            said="\n".join(complaints) or None,
            hint="log in as your cluster asks for it (the same that makes kubectl work), or another --context",
        )
    if user.get("tokenFile") and not given:
        raise ConfigError(
            f"The token file {user['tokenFile']} of context {context} is empty.",
            hint="log in as your cluster asks for it (the same that makes kubectl work), or another --context",
        )
    if configuration.proxy and not configuration.proxy.startswith(("http://", "https://")):
        raise ConfigError(
            f"The proxy {bare(configuration.proxy)} of context {context} cannot be used: only http and https ones can.",
            hint="a proxy-url that begins with http://, or another --context",
        )


def bare(url: str) -> str:
    """A URL as it may be shown: without a name and a password."""
    # Up to the last @: a password may have one that is not written as %40.
    return re.sub(r"//[^/\s]*@", "//", url)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the package logs of a failed exec plugin, instead of raising it."""
    found: list[str] = []
    here = threading.get_ident()

    class _Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here:
                found.append(record.getMessage())

    ear = _Ear(logging.ERROR)
    logging.getLogger().addHandler(ear)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(ear)


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


@contextmanager
def _explained(source: Source) -> Iterator[None]:
    import kubernetes.config
    import yaml

    try:
        yield
    except yaml.MarkedYAMLError as error:
        for mark in filter(None, (error.context_mark, error.problem_mark)):
            mark.buffer = None  # the lines around it, which may hold a token
        raise ConfigError(
            f"{source.where} cannot be read.", said=str(error), hint="--backend local runs on this machine"
        ) from error
    except kubernetes.config.ConfigException as error:
        raise ConfigError(
            f"{source.where} cannot be used.",
            said=str(error),
            hint="--backend local runs on this machine; %kube config shows what is set",
        ) from error
    except (yaml.YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # The package looks into the file as if it were well-formed.
        raise ConfigError(
            f"{source.where} cannot be read.", said=str(error), hint="--backend local runs on this machine"
        ) from error
