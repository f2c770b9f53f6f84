"""The cluster is what the other tests take it for."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import Cluster, Namespace
from .gpu import numbers
from .gpu.labels import labels
from .kubectl import Kubectl
from .paths import CHECKOUT, CONTAINERD_SOCKET, NODE

pytestmark = pytest.mark.cluster


def pod(name: str, image: str, script: str, gpus: int = 0) -> dict[str, Any]:
    """A pod that runs Python and that Pod Security ``restricted`` accepts."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "command": ["python3", "-u", "-c", script],
                    "resources": {"limits": {"nvidia.com/gpu": str(gpus)}} if gpus else {},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def start(namespace: Namespace, manifest: dict[str, Any]) -> None:
    # As administrator: a kube_magics user makes jobs, not pods.
    namespace.admin("create", f"--namespace={namespace.name}", "--filename=-", input=json.dumps(manifest))


def lines(namespace: Namespace, name: str, count: int, timeout_s: float = 60) -> list[str]:
    """The pod's first ``count`` lines."""
    deadline = time.monotonic() + timeout_s
    while True:
        said = namespace.admin("logs", name, f"--namespace={namespace.name}", check=False).stdout.splitlines()
        if len(said) >= count:
            return said
        assert time.monotonic() < deadline, namespace.admin("describe", "pod", name, f"-n{namespace.name}").stdout
        time.sleep(0.1)


@pytest.fixture
def gpu_numbers(cluster: Cluster) -> Iterator[Path]:
    """The file; afterwards the GPUs are idle again."""
    yield cluster.nvml_numbers
    numbers.write(cluster.nvml_numbers, numbers.idle())


def allocatable(cluster: Cluster) -> int:
    node = cluster.kubectl.get("node", NODE)
    return int(node["status"]["allocatable"]["nvidia.com/gpu"])


def test_the_node_is_ready_and_labelled(cluster: Cluster) -> None:
    node = cluster.kubectl.get("node", NODE)
    conditions = {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert allocatable(cluster) == numbers.COUNT
    assert labels().items() <= node["metadata"]["labels"].items()
    # Clients mistrust a server that does not know its version.
    version = json.loads(cluster.kubectl("version", "--output=json").stdout)
    assert not version["serverVersion"]["gitVersion"].startswith("v0")


SEE_GPUS = """
import ctypes, os, time
nvml = ctypes.CDLL("libnvidia-ml.so.1")
def read(function, *arguments, kind=ctypes.c_uint):
    value = kind()
    error = nvml[function](*arguments, ctypes.byref(value))
    return f"error {error}" if error else value
assert nvml.nvmlInit_v2() == 0
count = read("nvmlDeviceGetCount_v2").value
print(count, len(os.environ["NVIDIA_VISIBLE_DEVICES"].split(",")), os.getuid())
device = read("nvmlDeviceGetHandleByIndex_v2", 0, kind=ctypes.c_void_p)
before = None
while True:
    power = read("nvmlDeviceGetPowerUsage", device)
    power = power if isinstance(power, str) else power.value
    if power != before:
        print(power)
    before = power
    time.sleep(0.05)
"""


@pytest.mark.alone
def test_a_pod_sees_its_gpus_as_they_are_now(cluster: Cluster, namespace: Namespace, gpu_numbers: Path) -> None:
    start(namespace, pod("sees", cluster.images.quickstart, SEE_GPUS, gpus=2))
    assert lines(namespace, "sees", 2)[:2] == ["2 2 1000", "71000"]
    idle = numbers.idle().devices
    numbers.write(gpu_numbers, numbers.Numbers([dataclasses.replace(device, power_mw=655_000) for device in idle]))
    assert lines(namespace, "sees", 3)[2] == "655000"
    lost = [dataclasses.replace(device, error=numbers.GPU_IS_LOST) for device in idle]
    numbers.write(gpu_numbers, numbers.Numbers(lost))
    assert lines(namespace, "sees", 4)[3] == f"error {numbers.GPU_IS_LOST}"


@pytest.mark.alone
def test_a_dying_gpu_is_not_given_out(cluster: Cluster, gpu_numbers: Path) -> None:
    first, *others = numbers.idle().devices
    numbers.write(gpu_numbers, numbers.Numbers([dataclasses.replace(first, healthy=0), *others]))
    deadline = time.monotonic() + 60
    while allocatable(cluster) != numbers.COUNT - 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.alone
def test_gpus_are_back_after_a_kubelet_restart_and_pods_go_on(cluster: Cluster, namespace: Namespace) -> None:
    count = "import itertools, time\nfor number in itertools.count():\n    print(number)\n    time.sleep(0.1)"
    start(namespace, pod("counts", cluster.images.quickstart, count))
    lines(namespace, "counts", 1)
    cluster.restart_kubelet()
    assert allocatable(cluster) == numbers.COUNT
    said = len(lines(namespace, "counts", 1))
    assert lines(namespace, "counts", said + 5)[:said] == [str(number) for number in range(said)]


def permissions(kubectl: Kubectl, namespace: str, *flags: str) -> set[tuple[str, str, str]]:
    """Group, resource and verb of all that the asking user may do in ``namespace``."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    said = kubectl("create", "--validate=false", "-f-", "-ojson", *flags, input=json.dumps(review)).stdout
    return flat(json.loads(said)["status"]["resourceRules"])


def flat(rules: list[dict[str, list[str]]]) -> set[tuple[str, str, str]]:
    return {item for rule in rules for item in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])}


def test_the_user_may_do_what_the_role_says_and_no_more(cluster: Cluster, namespace: Namespace) -> None:
    # What Kubernetes grants to every account is no concern of the role.
    groups = ("--as-group=system:serviceaccounts", "--as-group=system:authenticated")
    nobody = (f"--as=system:serviceaccount:{namespace.name}:default", *groups)
    granted_to_all = permissions(cluster.kubectl, namespace.name, *nobody)
    role = yaml.safe_load((CHECKOUT / "hub-config/rbac/user-role.yaml").read_text())
    assert permissions(namespace.kubectl, namespace.name) - granted_to_all == flat(role["rules"])
    for refused in (["nodes"], ["secrets"], ["pods", "--all-namespaces"], ["jobs", "--namespace=default"]):
        assert "Forbidden" in namespace.kubectl("get", *refused, check=False).stderr


def test_pod_security_is_enforced(cluster: Cluster, namespace: Namespace) -> None:
    manifest = pod("root", cluster.images.quickstart, "pass")
    manifest["spec"]["securityContext"] = {}
    with pytest.raises(RuntimeError, match="violates PodSecurity"):
        start(namespace, manifest)


def test_names_resolve_and_foreign_names_fail_at_once(cluster: Cluster, namespace: Namespace) -> None:
    script = """
import socket
print(socket.gethostbyname("kube-dns.kube-system.svc.cluster.local"))
print(socket.gethostbyname("kubernetes.default"))
try:
    print(socket.gethostbyname("example.org"))
except OSError as error:
    print("unknown", error.errno == socket.EAI_NONAME)  # of one asked in vain: EAI_AGAIN, after five seconds
"""
    start(namespace, pod("asks", cluster.images.quickstart, script))
    assert lines(namespace, "asks", 3) == ["10.96.0.10", "10.96.0.1", "unknown True"]


def locked(name: str) -> str:
    """The version of ``name`` for Python 3.11 in the constraints file."""
    from packaging.requirements import Requirement

    environment = {"python_version": "3.11", "python_full_version": "3.11.2"}
    for line in (CHECKOUT / "constraints.txt").read_text().splitlines():
        if line.startswith(f"{name}=="):
            wanted = Requirement(line)
            if not wanted.marker or wanted.marker.evaluate(environment):
                return str(wanted.specifier).removeprefix("==")
    raise LookupError(name)


def test_the_quickstart_image_has_the_locked_packages(cluster: Cluster, namespace: Namespace) -> None:
    script = "import sys, sklearn, numpy; print(*sys.version_info[:2], sklearn.__version__, numpy.__version__)"
    start(namespace, pod("versions", cluster.images.quickstart, script))
    assert lines(namespace, "versions", 1) == [f"3 11 {locked('scikit-learn')} {locked('numpy')}"]


def test_the_notebook_image_has_torch_and_this_checkout(cluster: Cluster, namespace: Namespace) -> None:
    script = """
import sys, torch, sklearn, mpi4py, tqdm, ipykernel, nbval, pytest, aiohttp, ipywidgets, kube_magics
from kubernetes import config
print(*sys.version_info[:2], torch.arange(4).sum().item(), torch.cuda.is_available(), torch.distributed.is_available())
"""
    start(namespace, pod("imports", cluster.images.notebook, script))
    assert lines(namespace, "imports", 1) == ["3 13 6 False True"]


def what_is_left() -> list[str]:
    from . import machine, processes

    alive = [*processes.marked(), *processes.shims(str(CONTAINERD_SOCKET))]
    return [*(f"process {process.name} {process.pid}" for process in alive), *machine.leftovers()]


STARTER = """
from tests.cluster.lifecycle import up
import time
print(up(keep=False).images.quickstart, flush=True)
time.sleep(600)
"""


@pytest.mark.alone
def test_nothing_is_left_also_when_the_starter_is_killed(cluster: Cluster) -> None:
    """Takes the session's cluster down and starts it anew, so a cluster that somebody else holds is left alone."""
    from . import lifecycle, machine, processes
    from .cluster import ours

    assert cluster.state.exists()
    if lifecycle.is_held_by_others():
        pytest.skip("somebody else uses this cluster")
    lifecycle.leave()
    assert what_is_left() == []

    starter = subprocess.Popen([sys.executable, "-c", STARTER], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    with starter:
        try:
            assert starter.stdout
            image = starter.stdout.readline().strip()
            namespace = ours().namespace()
            start(namespace, pod("survivor", image, "import time; print('here'); time.sleep(600)"))
            lines(namespace, "survivor", 1)
        finally:
            os.kill(starter.pid, signal.SIGKILL)
    orphans = processes.recorded()
    assert orphans
    assert all(processes.is_alive(process) for process in orphans.values())
    assert machine.mounts()

    lifecycle.up(keep=False)
    assert not any(processes.is_alive(process) for process in orphans.values())
    assert cluster.kubectl("get", "namespace", namespace.name, check=False).returncode == 1
    namespace.kubeconfig.unlink(missing_ok=True)
