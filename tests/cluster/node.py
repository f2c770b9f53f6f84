"""Starting the cluster's processes, in the order in which they need each other.

``teardown.down`` undoes all of it.
"""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import binaries, components, configs, dns, kubeconfigs, machine, packages, pki, processes, settings
from .gpu import numbers, stub
from .gpu.labels import labels
from .images import Images
from .kubectl import Kubectl
from .paths import (
    CACHE,
    CHECKOUT,
    CONTAINERD_SOCKET,
    DEVICE_PLUGINS,
    NODE,
    NVML_NUMBERS,
    RUN,
    STATE,
)
from .settings import Settings

_TIMEOUT_S = 60


def up() -> None:
    """Install, build and start what it takes; returns when the node is ready, with its GPUs and its DNS."""
    packages.ensure()
    programs = binaries.ensure()
    cni_folder = packages.cni_folder()
    assert cni_folder
    STATE.mkdir(parents=True, mode=0o755)
    machine.remember()
    chosen = settings.choose(cni_folder)
    settings.write(chosen)
    pki.make(chosen.address)
    kubeconfigs.write_all(chosen)
    images = Images(programs)
    configs.write(chosen, images.name("pause"))
    numbers.write(NVML_NUMBERS, numbers.idle())

    processes.start("etcd", components.etcd(programs, chosen))
    _start_containerd(programs)
    _wait("etcd", lambda: settings.answers(chosen.etcd))
    processes.start("kube-apiserver", components.apiserver(programs, chosen))
    _wait("containerd", CONTAINERD_SOCKET.is_socket)
    _remove_old_containers(programs)
    images.ensure("pause")
    images.ensure("coredns")
    _wait("kube-apiserver", lambda: _api_is_ready(chosen))
    processes.start("kube-controller-manager", components.controller_manager(programs, chosen))
    processes.start("kube-scheduler", components.scheduler(programs, chosen))
    start_kubelet(programs, chosen)
    processes.start("kube-proxy", components.kube_proxy(programs, chosen), _path())
    processes.start("gpu-plugin", _gpu_plugin(), {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"})
    _furnish(Kubectl(programs["kubectl"], kubeconfigs.path("admin")), images)


def start_apiserver(programs: components.Binaries, chosen: Settings) -> None:
    processes.start("kube-apiserver", components.apiserver(programs, chosen))
    _wait("kube-apiserver", lambda: _api_is_ready(chosen))


def start_kubelet(programs: components.Binaries, chosen: Settings) -> None:
    processes.start("kubelet", components.kubelet(programs, chosen), _path())


def _furnish(kubectl: Kubectl, images: Images) -> None:
    """What a cluster's administrators would add: labels and DNS. Returns when all is ready."""
    kubectl.apply(*dns.manifests(images.name("coredns")))
    kubectl("wait", "--for=create", f"node/{NODE}", f"--timeout={_TIMEOUT_S}s")
    kubectl("label", "node", NODE, "--overwrite", *(f"{key}={value}" for key, value in labels().items()))
    wait_for_node(kubectl)
    kubectl("rollout", "status", "deployment/coredns", "--namespace=kube-system", f"--timeout={_TIMEOUT_S}s")


def wait_for_kubelet(chosen: Settings) -> None:
    """Its own word: the API server goes on calling a dead kubelet's node ready for 40 s."""
    _wait("kubelet", lambda: settings.answers(chosen.kubelet_health))


def wait_for_node(kubectl: Kubectl, timeout_s: int = _TIMEOUT_S) -> None:
    """Ready, with all GPUs allocatable."""
    gpus = rf"--for=jsonpath={{.status.allocatable.nvidia\.com/gpu}}={numbers.COUNT}"
    for condition in ("--for=condition=Ready", gpus):
        kubectl("wait", condition, f"node/{NODE}", f"--timeout={timeout_s}s")


def _start_containerd(programs: components.Binaries) -> None:
    RUN.mkdir(parents=True, exist_ok=True)
    # containerd starts its shim by name.
    processes.start("containerd", components.containerd(programs), _path(programs["containerd"].parent))


def _remove_old_containers(programs: components.Binaries) -> None:
    """Containers of a cluster that was killed together with its containerd: known to nobody else any more."""
    old = subprocess.run(
        components.ctr(programs, "containers", "ls", "-q"), capture_output=True, text=True, check=True
    ).stdout.split()
    if not old:
        return
    subprocess.run(components.ctr(programs, "containers", "rm", *old), capture_output=True, check=False)
    # containerd has read them already.
    processes.stop(processes.recorded()["containerd"], grace_s=5)
    _start_containerd(programs)
    hello = components.ctr(programs, "version")
    _wait("containerd", lambda: subprocess.run(hello, capture_output=True, check=False).returncode == 0)


def _gpu_plugin() -> list[str]:
    DEVICE_PLUGINS.mkdir(parents=True, exist_ok=True)
    return [
        sys.executable,
        "-m",
        "tests.cluster.gpu.plugin",
        f"--library={stub.build(CACHE)}",
        f"--numbers={NVML_NUMBERS}",
        f"--folder={DEVICE_PLUGINS}",
    ]


def _path(*first: Path) -> dict[str, str]:
    return {"PATH": ":".join([*map(str, first), packages.search_path()])}


def _api_is_ready(chosen: Settings) -> bool:
    context = ssl.create_default_context(cafile=str(pki.certificate_path("ca")))
    context.load_cert_chain(pki.certificate_path("admin"), pki.key_path("admin"))
    connection = http.client.HTTPSConnection("127.0.0.1", chosen.api, timeout=5, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _wait(name: str, is_there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_there():
        if not processes.is_alive(processes.recorded()[name]) or time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not start:\n{tail(name)}")
        time.sleep(0.05)


def tail(name: str) -> str:
    path = processes.log_path(name)
    return path.read_text(errors="replace")[-3000:] if path.exists() else f"(no {path})"
