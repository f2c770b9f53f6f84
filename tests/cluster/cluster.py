"""The cluster as tests and people hold it: what it offers, whichever cluster it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from . import binaries, configs, kubeconfigs, namespaces, node, processes, settings
from .images import GivenImages, Images
from .kubectl import Kubectl
from .namespaces import Namespace
from .paths import CONTEXT, KUBECONFIGS, NVML_NUMBERS, STATE

_USER_NAMESPACE = "scientist"


@dataclass(frozen=True)
class Cluster:
    admin_kubeconfig: Path
    """May everything."""
    context: str
    """The one context of each kubeconfig here."""
    images: Images | GivenImages
    """``images.quickstart``, ``images.torch``, ``images.notebook``: names, made and imported on first use."""
    kubectl: Kubectl
    """``cluster.kubectl("get", "pods", input=None, check=True)``, as administrator."""
    is_given: bool = False
    """It is somebody's existing cluster: what only ours has is refused."""
    _kubeconfigs: Path = field(default=KUBECONFIGS, repr=False)

    @property
    def user_kubeconfig(self) -> Path:
        """May in namespace ``scientist`` what ``hub-config/rbac/user-role.yaml`` says, and nothing anywhere else."""
        path = self._kubeconfigs / f"{_USER_NAMESPACE}.yaml"
        if not path.exists():
            self.namespace(_USER_NAMESPACE)
        return path

    @property
    def state(self) -> Path:
        self._must_be_ours("a state folder")
        return STATE

    @property
    def nvml_numbers(self) -> Path:
        """What the GPUs show; write it with ``tests.cluster.gpu.numbers.write``."""
        self._must_be_ours("GPUs whose numbers can be set")
        return NVML_NUMBERS

    def ensure_image(self, name: str) -> str:
        """The name of the image ``quickstart``, ``torch`` or ``notebook``, made and imported if need be."""
        return self.images.ensure(name)

    def namespace(self, name: str | None = None, pod_security: str = "restricted") -> Namespace:
        """A fresh namespace with a restricted user of its own; ``namespaces.delete`` undoes it."""
        return namespaces.create(self.kubectl, self._kubeconfigs, name, pod_security)

    def logs(self, component: str) -> str:
        """What ``kubelet``, ``kube-apiserver``, ``containerd``, ... have written until now."""
        self._must_be_ours("its components' logs")
        return processes.log_path(component).read_text(errors="replace")

    def stop_kubelet(self) -> None:
        """As if the node hung. ``start_kubelet`` undoes it."""
        self._must_be_ours("a kubelet to stop")
        processes.stop(processes.recorded()["kubelet"], grace_s=5)

    def start_kubelet(self, **changes: Any) -> None:
        """Returns when the node is ready with all its GPUs. `changes`: of its configuration, until it starts again."""
        self._must_be_ours("a kubelet to start")
        configs.write_kubelet(settings.read(), changes)
        node.start_kubelet(binaries.ensure(), settings.read())
        node.wait_for_kubelet(settings.read())
        node.wait_for_node(self.kubectl)

    def restart_kubelet(self, **changes: Any) -> None:
        """Pods go on; every open log stream ends. `changes` as for `start_kubelet`."""
        self.stop_kubelet()
        self.start_kubelet(**changes)

    @contextlib.contextmanager
    def hung_kubelet(self) -> Iterator[None]:
        """Its process is stopped (SIGSTOP), as if the leg between API server and node were cut: connections stay, and
        nothing is said on them. Pods go on."""
        self._must_be_ours("a kubelet to stop")
        with processes.hung(processes.recorded()["kubelet"]):
            yield

    @contextlib.contextmanager
    def no_kubelet(self) -> Iterator[None]:
        """Killed, as if it had crashed: the API server answers for its logs with an error. Pods go on."""
        self.stop_kubelet()
        try:
            yield
        finally:
            self.start_kubelet()

    @contextlib.contextmanager
    def no_apiserver(self) -> Iterator[None]:
        """Killed, as if it had crashed, and started again: returns when it is ready. Pods go on, and nothing changes."""
        self._must_be_ours("an API server to stop")
        processes.stop(processes.recorded()["kube-apiserver"], grace_s=0)
        try:
            yield
        finally:
            node.start_apiserver(binaries.ensure(), settings.read())

    def environment(self) -> dict[str, str]:
        """What a shell needs to work on it."""
        return {
            "KUBECONFIG": str(self.admin_kubeconfig),
            "KUBE_MAGICS_CONTEXT": self.context,
            "KUBE_MAGICS_IMAGE": self.images.quickstart,
        }

    def _must_be_ours(self, what: str) -> None:
        if self.is_given:
            # Here, not at the top: pytest is not needed to start a cluster for a person.
            import pytest

            pytest.skip(f"a given cluster does not offer {what}")


def ours() -> Cluster:
    """The one that runs on this machine."""
    programs = binaries.ensure()
    admin = kubeconfigs.path("admin")
    return Cluster(admin, CONTEXT, Images(programs), Kubectl(programs["kubectl"], admin))


def given(kubeconfig: Path, folder: Path) -> Cluster:
    """Somebody's existing cluster, by its administrator's kubeconfig; namespaces' kubeconfigs go to ``folder``.

    Ours may be given too, to a second checkout: then it offers all that it has.
    """
    content = yaml.safe_load(kubeconfig.read_text())
    images = GivenImages(
        {name: os.environ.get(f"KUBE_MAGICS_TEST_{tail}") for name, tail in _GIVEN_IMAGES.items()},
    )
    kubectl = Kubectl(binaries.kubectl(), kubeconfig)
    is_ours = kubeconfig == kubeconfigs.path("admin")
    return Cluster(kubeconfig, content["current-context"], images, kubectl, not is_ours, _kubeconfigs=folder)


_GIVEN_IMAGES = {
    "quickstart": "IMAGE",
    "store": "IMAGE_STORE",
    "pip": "IMAGE_PIP",
    "uv": "IMAGE_UV",
    "torch": "IMAGE_TORCH",
    "notebook": "IMAGE_NOTEBOOK",
    "server": "IMAGE_SERVER",
    "hub": "IMAGE_HUB",
    "proxy": "IMAGE_PROXY",
    "kubectl": "IMAGE_KUBECTL",
}
