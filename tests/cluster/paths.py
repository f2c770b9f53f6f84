"""Where the cluster keeps things: one state folder that dies with it, one cache folder that outlives it.

The state folder has a fixed place because there can be only one such cluster on a machine: the kubelet's device-plugin
folder is fixed, and so are the names of kube-proxy's nftables tables. A fixed place is also what lets ``down`` find
what a killed run left behind.
"""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

# Short on purpose: socket paths below it must stay under 108 bytes.
STATE = Path("/var/lib/kube-magics-test")
# Stays when the state folder goes; the next boot clears it away.
LOCK = Path("/run/kube-magics-test.lock")
LOGS = STATE / "logs"
PIDS = STATE / "pids"
PKI = STATE / "pki"
ETC = STATE / "etc"
RUN = STATE / "run"
KUBECONFIGS = STATE / "kubeconfigs"
SETTINGS = STATE / "settings.json"
BEFORE = STATE / "before.json"
RUNC = RUN / "runc"
CONTAINERD_SOCKET = RUN / "containerd.sock"
# Tests change the file inside it while pods read it: pods mount the folder, so that a replaced file is seen.
NVML = STATE / "nvml"
NVML_NUMBERS = NVML / "numbers"

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kube_magics" / "cluster"
BINARIES = CACHE / "bin"
LAYERS = CACHE / "layers"
# Kept between clusters: images are unpacked once, not once a run.
CONTAINERD_ROOT = CACHE / "containerd"

# The kubelet looks here whatever its --root-dir says.
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")

NODE = "node-0"
CONTEXT = "kube-magics-test"
NETWORK = "kube-magics-test"
# Not the usual cni0, which another CNI user of this machine may have.
BRIDGE = "kube-magics0"
POD_CIDR = "10.244.0.0/16"
NODE_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_IP = "10.96.0.10"
