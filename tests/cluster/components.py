"""The command lines of the cluster's processes. Pure: settings in, argument lists out.

Each flag that is not obvious says what breaks without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from . import pki
from .paths import (
    CONTAINERD_SOCKET,
    ETC,
    KUBECONFIGS,
    NODE,
    PKI,
    POD_CIDR,
    SERVICE_CIDR,
    STATE,
)
from .settings import Settings

Binaries = Mapping[str, Path]


def etcd(binaries: Binaries, settings: Settings) -> list[str]:
    client = f"http://127.0.0.1:{settings.etcd}"
    peer = f"http://127.0.0.1:{settings.etcd_peer}"
    return [
        str(binaries["etcd"]),
        "--name=node-0",
        f"--data-dir={STATE / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=node-0={peer}",
        # Nothing here survives a crash anyway, and fsync is most of an API write's time.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def containerd(binaries: Binaries) -> list[str]:
    return [str(binaries["containerd"]), "--config", str(ETC / "containerd.toml")]


def apiserver(binaries: Binaries, settings: Settings) -> list[str]:
    return [
        str(binaries["kube-apiserver"]),
        f"--etcd-servers=http://127.0.0.1:{settings.etcd}",
        f"--secure-port={settings.api}",
        f"--advertise-address={settings.address}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,ResourceQuota,LimitRanger,PodSecurity",
        "--allow-privileged=true",
        f"--client-ca-file={pki.certificate_path('ca')}",
        *_pair("--tls-cert-file", "--tls-private-key-file", "apiserver"),
        *_pair("--kubelet-client-certificate", "--kubelet-client-key", "apiserver-kubelet-client"),
        f"--kubelet-certificate-authority={pki.certificate_path('ca')}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={PKI / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki.key_path('service-accounts')}",
        # The aggregation layer: without these an extension API stays unavailable and every namespace deletion hangs.
        f"--requestheader-client-ca-file={pki.certificate_path('front-proxy-ca')}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        *_pair("--proxy-client-cert-file", "--proxy-client-key-file", "front-proxy-client"),
        "--enable-aggregator-routing=true",
    ]


def controller_manager(binaries: Binaries, settings: Settings) -> list[str]:
    return [
        str(binaries["kube-controller-manager"]),
        f"--kubeconfig={KUBECONFIGS / 'controller-manager.yaml'}",
        f"--authentication-kubeconfig={KUBECONFIGS / 'controller-manager.yaml'}",
        f"--authorization-kubeconfig={KUBECONFIGS / 'controller-manager.yaml'}",
        "--bind-address=127.0.0.1",
        f"--secure-port={settings.controller_manager}",
        *_pair("--tls-cert-file", "--tls-private-key-file", "controller-manager"),
        "--use-service-account-credentials=true",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={POD_CIDR}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--leader-elect=false",
        f"--root-ca-file={pki.certificate_path('ca')}",
        *_pair("--cluster-signing-cert-file", "--cluster-signing-key-file", "ca"),
        f"--service-account-private-key-file={pki.key_path('service-accounts')}",
    ]


def scheduler(binaries: Binaries, settings: Settings) -> list[str]:
    return [
        str(binaries["kube-scheduler"]),
        f"--kubeconfig={KUBECONFIGS / 'scheduler.yaml'}",
        f"--authentication-kubeconfig={KUBECONFIGS / 'scheduler.yaml'}",
        f"--authorization-kubeconfig={KUBECONFIGS / 'scheduler.yaml'}",
        "--bind-address=127.0.0.1",
        f"--secure-port={settings.scheduler}",
        *_pair("--tls-cert-file", "--tls-private-key-file", "scheduler"),
        "--leader-elect=false",
    ]


def kubelet(binaries: Binaries, settings: Settings) -> list[str]:
    return [
        str(binaries["kubelet"]),
        f"--config={ETC / 'kubelet.yaml'}",
        f"--kubeconfig={KUBECONFIGS / 'kubelet.yaml'}",
        f"--root-dir={STATE / 'kubelet'}",
        f"--cert-dir={STATE / 'kubelet-pki'}",
        f"--hostname-override={NODE}",
        f"--node-ip={settings.address}",
    ]


def kube_proxy(binaries: Binaries, settings: Settings) -> list[str]:
    return [
        str(binaries["kube-proxy"]),
        f"--kubeconfig={KUBECONFIGS / 'kube-proxy.yaml'}",
        "--proxy-mode=nftables",
        f"--hostname-override={NODE}",
        f"--cluster-cidr={POD_CIDR}",
        f"--healthz-bind-address=127.0.0.1:{settings.proxy_health}",
        f"--metrics-bind-address=127.0.0.1:{settings.proxy_metrics}",
        # 0 leaves the machine's own limits alone: one thing less to undo.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
    ]


def ctr(binaries: Binaries, *arguments: str) -> list[str]:
    """A call of containerd's own client in the kubelet's namespace."""
    return [str(binaries["ctr"]), "--address", str(CONTAINERD_SOCKET), "--namespace", "k8s.io", *arguments]


def _pair(certificate_flag: str, key_flag: str, name: str) -> list[str]:
    return [f"{certificate_flag}={pki.certificate_path(name)}", f"{key_flag}={pki.key_path(name)}"]
