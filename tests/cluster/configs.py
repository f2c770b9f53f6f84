"""The configuration files of containerd, CNI and the kubelet. Pure builders, and one function that writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from . import pki
from .paths import BRIDGE, CONTAINERD_ROOT, CONTAINERD_SOCKET, DNS_IP, ETC, NETWORK, NODE_CIDR, RUN, RUNC, STATE
from .settings import Settings

CNI_CONFIGS = ETC / "cni"
RESOLV_CONF = ETC / "resolv.conf"

_CRI_IMAGES = 'plugins."io.containerd.cri.v1.images"'
_CRI_RUNTIME = 'plugins."io.containerd.cri.v1.runtime"'


def write(settings: Settings, pause_image: str) -> None:
    CNI_CONFIGS.mkdir(parents=True, exist_ok=True)
    (ETC / "containerd.toml").write_text(containerd(settings, pause_image))
    (CNI_CONFIGS / "10-bridge.conflist").write_text(json.dumps(cni(), indent=2))
    write_kubelet(settings, {})
    # The node's own resolver is no pod's business: names that the cluster's DNS does not know must not leave.
    RESOLV_CONF.write_text("")


def write_kubelet(settings: Settings, changes: Mapping[str, Any]) -> None:
    (ETC / "kubelet.yaml").write_text(yaml.safe_dump({**kubelet(settings), **changes}, sort_keys=False))


def containerd(settings: Settings, pause_image: str) -> str:
    return f"""\
version = 3
root = "{CONTAINERD_ROOT}"
state = "{RUN / "containerd"}"
# NRI and the opt plugin would make folders outside our own.
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt"]

[grpc]
address = "{CONTAINERD_SOCKET}"

[{_CRI_IMAGES}.pinned_images]
sandbox = "{pause_image}"

[{_CRI_RUNTIME}]
# A nested machine may not lower an OOM score below its own.
restrict_oom_score_adj = true
# Elsewhere than /run/netns: by their place tear-down knows which network namespaces are ours.
netns_mounts_under_state_dir = true

[{_CRI_RUNTIME}.cni]
bin_dirs = ["{settings.cni_folder}"]
conf_dir = "{CNI_CONFIGS}"

[{_CRI_RUNTIME}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{_CRI_RUNTIME}.containerd.runtimes.runc.options]
SystemdCgroup = false
Root = "{RUNC}"
"""


def cni() -> dict[str, Any]:
    # No portmap plugin: nothing here uses host ports, and its iptables chains carry no owner's name to undo them by.
    return {
        "cniVersion": "1.0.0",
        "name": NETWORK,
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": NODE_CIDR}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": str(STATE / "cni-leases"),
                },
            }
        ],
    }


def kubelet(settings: Settings) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",
        "port": settings.kubelet,
        "healthzPort": settings.kubelet_health,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "podLogsDir": str(STATE / "pod-logs"),
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.certificate_path("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.certificate_path("kubelet")),
        "tlsPrivateKeyFile": str(pki.key_path("kubelet")),
        "clusterDomain": "cluster.local",
        "clusterDNS": [DNS_IP],
        "resolvConf": str(RESOLV_CONF),
        # A developer's disk is often fuller than a node's; images collected or pods evicted would be our own.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "serializeImagePulls": False,
        # How soon new devices are seen as allocatable; the default is 10 s.
        "nodeStatusUpdateFrequency": "1s",
        "nodeStatusReportFrequency": "5m",
    }
