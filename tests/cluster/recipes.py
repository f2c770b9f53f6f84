"""What is in each test image, by its name."""

from __future__ import annotations

import configparser
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import components, layers, oci
from .paths import CHECKOUT

REPOSITORY = "localhost/kube-magics-test"
_PATH = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
_CONSTRAINTS = CHECKOUT / "constraints.txt"

_QUICKSTART = ("python3", "ca-certificates")
_QUICKSTART_PACKAGES = ("scikit-learn", "numpy", "matplotlib")
_STORE_PACKAGES = ("s3fs",)
_PIP_PACKAGES = ("pip",)
_TORCH = (
    "python3", "ca-certificates", "python3-torch", "python3-mpi4py", "openmpi-bin", "python3-numpy", "python3-sklearn",
    "python3-tqdm",
)  # fmt: skip
_SERVER_PACKAGES = ("jupyterhub", "jupyterlab")
_SERVER_SETTINGS = {
    "etc/ipython/ipython_config.py": CHECKOUT / "hub-config" / "images" / "server" / "ipython_config.py",
    "etc/jupyter/labconfig/page_config.json": (
        CHECKOUT / "hub-config" / "local" / "jupyter" / "labconfig" / "page_config.json"
    ),
}
_HUB_PACKAGES = ("jupyterhub", "jupyterhub-idle-culler", "jupyterhub-kubespawner", "oauthenticator", "pycurl")
_HUB_SCRIPTS = {"jupyterhub": "#!/usr/bin/python3\nfrom jupyterhub.app import main\n\nmain()\n"}
_HUB_CONFIG = {
    # Who asks what its user is called finds no passwd that says it.
    "Env": [*_PATH["Env"], "USER=jovyan", "HOME=/home/jovyan"],
    "WorkingDir": "/srv/jupyterhub",
}
_PROXY = ("ca-certificates", "nodejs")
_PROXY_LOCKED = CHECKOUT / "hub-config" / "local" / "proxy"
_PROXY_SCRIPTS = {
    "configurable-http-proxy": (
        "#!/bin/sh\n"
        'exec node /srv/proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy "$@"\n'
    )
}  # fmt: skip
_NOTEBOOK_PACKAGES = ("ipykernel", "ipywidgets", "nbclient", "nbval", "pytest")

_PAUSE = """
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void leave(int number) { _exit(0); }
static void reap(int number) { while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) {
    signal(SIGINT, leave);
    signal(SIGTERM, leave);
    signal(SIGCHLD, reap);
    for (;;) pause();
}
"""


@dataclass(frozen=True)
class Recipe:
    name: str
    """For example ``quickstart``."""
    key: str
    """Hash of all that goes into it."""
    layers: Callable[[], Sequence[oci.Layer]]
    """Builds them, the lowest first; called only when the image is not there."""
    config: Mapping[str, Any] = field(default_factory=lambda: _PATH)
    base: str | None = None
    """An image whose layers this one begins with: those that are in containerd then are not sent again."""

    @property
    def image(self) -> str:
        return f"{REPOSITORY}/{self.name}:{self.key}"


def _pause(_: components.Binaries) -> Recipe:
    def build() -> list[oci.Layer]:
        return [layers.programs("pause", {"pause": layers.static_program("pause", _PAUSE)})]

    return Recipe("pause", layers.digest(_PAUSE), build, {"Entrypoint": ["/pause"], "User": "65535:65535"})


def _coredns(binaries: components.Binaries) -> Recipe:
    program = Path(binaries["coredns"])

    def build() -> list[oci.Layer]:
        return [layers.programs("coredns", {"coredns": program})]

    config = {"Entrypoint": ["/coredns"], "User": "65532:65532"}
    return Recipe("coredns", layers.digest(program.parent.name), build, config)


def _quickstart(_: components.Binaries) -> Recipe:
    constraints = _constraints()

    def build() -> list[oci.Layer]:
        base = layers.debian("bookworm", _QUICKSTART)
        return [base, layers.python_packages(base, "3.11", _QUICKSTART_PACKAGES, constraints)]

    key = layers.digest(_QUICKSTART, _QUICKSTART_PACKAGES, constraints.read_bytes())
    return Recipe("quickstart", key, build)


def python() -> tuple[list[oci.Layer], Mapping[str, Any]]:
    """The lowest layer of it alone, Debian 12 with Python 3.11, and a configuration: an image to be pushed."""
    return [layers.debian("bookworm", _QUICKSTART)], _PATH


def _quickstart_with(name: str, packages: Sequence[str]) -> Recipe:
    """The quickstart image and some packages above it."""
    constraints = _constraints()

    def build() -> list[oci.Layer]:
        base = layers.debian("bookworm", _QUICKSTART)
        stack = layers.python_packages(base, "3.11", _QUICKSTART_PACKAGES, constraints)
        return [base, stack, layers.python_packages(base, "3.11", packages, constraints, name)]

    key = layers.digest(_QUICKSTART, _QUICKSTART_PACKAGES, packages, constraints.read_bytes())
    return Recipe(name, key, build, base="quickstart")


def _uv(_: components.Binaries) -> Recipe:
    """The quickstart image with uv, which is one program."""
    constraints = _constraints()
    program = Path(sysconfig.get_path("scripts")) / "uv"

    def build() -> list[oci.Layer]:
        base = layers.debian("bookworm", _QUICKSTART)
        stack = layers.python_packages(base, "3.11", _QUICKSTART_PACKAGES, constraints)
        return [base, stack, layers.programs("uv", {"usr/local/bin/uv": program})]

    key = layers.digest(_QUICKSTART, _QUICKSTART_PACKAGES, constraints.read_bytes())  # it names uv's version
    return Recipe("uv", key, build, base="quickstart")


def _torch(_: components.Binaries) -> Recipe:
    return Recipe("torch", layers.digest(_TORCH), lambda: [layers.debian("trixie", _TORCH)])


def _notebook(_: components.Binaries) -> Recipe:
    constraints = _constraints()
    packages = (*_NOTEBOOK_PACKAGES, *_own_requirements())

    def build() -> list[oci.Layer]:
        base = layers.debian("trixie", _TORCH)
        stack = layers.python_packages(base, "3.13", packages, constraints)
        return [base, stack, layers.checkout("3.13")]

    key = layers.digest(_TORCH, packages, constraints.read_bytes(), layers.checkout_digest("3.13"))
    return Recipe("notebook", key, build, base="torch")


def _kubectl(binaries: components.Binaries) -> Recipe:
    """In the place of registry.k8s.io/kubectl: the program, and nothing else."""
    program = Path(binaries["kubectl"])

    def build() -> list[oci.Layer]:
        return [layers.programs("kubectl", {"usr/local/bin/kubectl": program})]

    return Recipe("kubectl", layers.digest(program.parent.name), build)


def _server(_: components.Binaries) -> Recipe:
    constraints = _constraints()
    packages = (*_SERVER_PACKAGES, *_own_requirements())

    def build() -> list[oci.Layer]:
        base = layers.debian("bookworm", _QUICKSTART)
        stack = layers.python_packages(base, "3.11", _QUICKSTART_PACKAGES, constraints)
        server = layers.python_packages(base, "3.11", packages, constraints, "server")
        settings = layers.programs("settings", _SERVER_SETTINGS)
        return [base, stack, server, settings, layers.checkout("3.11")]

    settings, ours = (
        {name: path.read_bytes() for name, path in _SERVER_SETTINGS.items()},
        layers.checkout_digest("3.11"),
    )
    key = layers.digest(_QUICKSTART, _QUICKSTART_PACKAGES, packages, constraints.read_bytes(), settings, ours)
    return Recipe("server", key, build, base="quickstart")


def _hub(_: components.Binaries) -> Recipe:
    """In the place of the chart's own: what of it hub-config needs."""
    constraints = _constraints()

    def build() -> list[oci.Layer]:
        base = layers.debian("bookworm", _QUICKSTART)
        hub = layers.python_packages(base, "3.11", _HUB_PACKAGES, constraints, "hub")
        return [base, hub, layers.scripts("hub", _HUB_SCRIPTS)]

    key = layers.digest(_QUICKSTART, _HUB_PACKAGES, _HUB_SCRIPTS, _HUB_CONFIG, constraints.read_bytes())
    # Of the quickstart image it has the first layer alone.
    return Recipe("hub", key, build, _HUB_CONFIG, base="quickstart")


def _proxy(_: components.Binaries) -> Recipe:
    """In the place of quay.io/jupyterhub/configurable-http-proxy."""

    def build() -> list[oci.Layer]:
        base = layers.debian("trixie", _PROXY, "node")
        return [base, layers.node_packages("proxy", _PROXY_LOCKED), layers.scripts("proxy", _PROXY_SCRIPTS)]

    key = layers.digest(_PROXY, layers.files_digest(_PROXY_LOCKED, "*.json"), _PROXY_SCRIPTS)
    return Recipe("proxy", key, build)


RECIPES: dict[str, Callable[[components.Binaries], Recipe]] = {
    "pause": _pause,
    "coredns": _coredns,
    "quickstart": _quickstart,
    "store": lambda _: _quickstart_with("store", _STORE_PACKAGES),
    "pip": lambda _: _quickstart_with("pip", _PIP_PACKAGES),
    "uv": _uv,
    "torch": _torch,
    "notebook": _notebook,
    "server": _server,
    "hub": _hub,
    "proxy": _proxy,
    "kubectl": _kubectl,
}


def _own_requirements() -> list[str]:
    """What an installation of this checkout would bring along."""
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    return setup["options"]["install_requires"].split()


def _constraints() -> Path:
    if not _CONSTRAINTS.exists():
        raise FileNotFoundError(f"{_CONSTRAINTS} is missing: it says which versions the images get")
    return _CONSTRAINTS
