"""Which cluster, as whom, and whether it answers: kubeconfig, credentials, proxy, connection, clock."""

from __future__ import annotations

from collections.abc import Sequence

from kube_magics.cluster.login import Login
from kube_magics.doctor.line import Line, broken, degraded, ok
from kube_magics.spec.quantities import human_seconds

SOON_S = 24 * 3600.0
SKEW_S = 5.0
"""A Date has whole seconds, and its answer takes its time."""
FAR_OFF_S = 300.0
"""From here on log-in services, and object stores soon after, refuse what this machine signs."""
SLOW_S = 1.0
LOG_IN = "log in again as your cluster asks for it (the same that makes kubectl work)"


def kubeconfig(where: str, context: str, namespace: str, server: str) -> Line:
    return ok("kubeconfig", f"{where}: context {context}, namespace {namespace}, at {server}")


def credentials(login: Login, now: float) -> Line:
    """Of the log-in as it describes itself; whether it is accepted only the cluster knows."""
    if not login.kind:
        # A proxy on this machine (kubectl proxy) may add them.
        return ok("credentials", "none of the kubeconfig's")
    if login.ends_at is None:
        return ok("credentials", login.kind)
    left_s = login.ends_at - now
    if left_s < 0:
        return broken("credentials", f"{login.kind}: it ended {human_seconds(-left_s)} ago", LOG_IN)
    text = f"{login.kind}, good for another {human_seconds(left_s)}"
    if left_s < SOON_S and not login.renews:
        return degraded("credentials", f"{text}: jobs that take longer cannot be followed to their end", LOG_IN)
    return ok("credentials", text + (", then renewed by itself" if login.renews else ""))


def accepted(status: int, user: str | None) -> Line | None:
    """What the server says of them; None: nothing that is worth a line."""
    if status == 401:
        return broken("credentials", "The cluster does not accept your credentials.", LOG_IN)
    if user == "system:anonymous":
        return broken("credentials", "For the cluster you are nobody (system:anonymous).", LOG_IN)
    return ok("user", user) if user else None


def proxy(url: str | None, variables: Sequence[str], *, from_kubeconfig: bool) -> Line:
    """`variables`: those of the environment that name a proxy."""
    if url is not None:
        return ok("proxy", f"{url}, of {'the kubeconfig' if from_kubeconfig else ' and '.join(variables)}")
    if variables:
        return ok("proxy", f"none for this address (NO_PROXY), beside {' and '.join(variables)}")
    return ok("proxy", "none")


def unknown_host(host: str, said: str, *, is_proxy: bool) -> Line:
    what = f"The name {host}{' of the proxy' if is_proxy else ''} is not known here."
    where = "proxy-url in the kubeconfig, or HTTPS_PROXY" if is_proxy else "`server` in the kubeconfig"
    return broken("address", what, f"check the network or the VPN, then {where}", said)


def connection(took_s: float, *, encrypted: bool, checked: bool, local: bool) -> Line:
    """Of a server that answered; `local`: it is on this machine."""
    took = f"{took_s * 1000:.0f} ms an answer"
    if not encrypted and not local:
        return degraded(
            "connection",
            f"{took}, and nothing is encrypted: your credentials can be read on the way",
            "`server: https://…` in the kubeconfig",
        )
    if encrypted and not checked:
        fix = "certificate-authority in the kubeconfig instead of insecure-skip-tls-verify"
        return degraded("connection", f"{took}, and whoever answers is taken for the cluster (no certificate)", fix)
    if took_s > SLOW_S:
        return degraded("connection", f"{took}: each job starts late", "check the network or the VPN")
    return ok("connection", f"{took}{', its certificate is trusted' if encrypted else ''}")


def no_api(server: str, said: str) -> Line:
    fix = "a proxy or log-in page may stand in between; correct `server` or proxy-url in the kubeconfig"
    return broken("connection", f"What answers at {server} is not an API server.", fix, said)


def clock(ahead_s: float | None) -> Line:
    """`ahead_s`: the server's clock before this machine's."""
    if ahead_s is None:
        return degraded("clock", "The server does not say what time it is.", None)
    off_s = abs(ahead_s)
    if off_s <= SKEW_S:
        return ok("clock", "as the cluster's")
    what = f"This machine's clock is {human_seconds(off_s)} {'behind' if ahead_s > 0 else 'ahead of'} the cluster's"
    fix = "sudo timedatectl set-ntp true   (in a terminal of this machine, or whoever runs it)"
    if off_s < FAR_OFF_S:
        return degraded("clock", f"{what}: the ages of jobs are wrong by that.", fix)
    return broken("clock", f"{what}: log-ins, certificates and stores are refused for that.", fix)


def warnings(said: Sequence[str]) -> list[Line]:
    """What the API server warned of, but for Pod Security."""
    return [
        degraded("API warning", text, "%pip install -U kube-magics, or ask your administrator")
        for text in dict.fromkeys(said)
    ]
