"""The test images: what is in each, and how it gets into containerd.

An image's tag is a hash of all that goes into it, so a tag that is there is the right one, and nothing is ever pulled.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import components, layers, oci
from .paths import CACHE, CHECKOUT

_REPOSITORY = "localhost/kube-magics-test"
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
_SERVER_SETTINGS = CHECKOUT / "hub-config" / "images" / "server" / "ipython_config.py"
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
        return f"{_REPOSITORY}/{self.name}:{self.key}"


class Images:
    """Image names, each made and imported on first use."""

    def __init__(self, binaries: components.Binaries) -> None:
        self._binaries = binaries
        self._ready: dict[str, str] = {}

    @property
    def quickstart(self) -> str:
        """Debian 12, Python 3.11, scikit-learn, numpy and matplotlib as locked."""
        return self.ensure("quickstart")

    @property
    def store(self) -> str:
        """The quickstart image with s3fs."""
        return self.ensure("store")

    @property
    def torch(self) -> str:
        """Debian 13, Python 3.13, CPU torch, scikit-learn, mpi4py, OpenMPI, numpy, tqdm."""
        return self.ensure("torch")

    @property
    def notebook(self) -> str:
        """The torch image with ipykernel, nbclient, nbval, pytest, and this checkout's ``kube_magics`` as it is now."""
        return self.ensure("notebook")

    @property
    def server(self) -> str:
        """What hub-config/images/server/Containerfile has, above the quickstart image: JupyterLab, JupyterHub's
        single-user server, and this checkout's ``kube_magics`` as it is now."""
        return self.ensure("server")

    @property
    def pause(self) -> str:
        return self.ensure("pause")

    @property
    def coredns(self) -> str:
        return self.ensure("coredns")

    def ensure(self, name: str) -> str:
        recipe = self._recipe(name)
        if self._ready.get(name) != recipe.image:
            with _only_one():
                self._import(recipe)
            self._ready[name] = recipe.image
        return recipe.image

    def name(self, name: str) -> str:
        """The image's name, whether it is there or not."""
        return self._recipe(name).image

    def names(self) -> list[str]:
        """What containerd has of ours."""
        done = subprocess.run(
            components.ctr(self._binaries, "images", "ls", "-q"), capture_output=True, text=True, check=True
        )
        return [line for line in done.stdout.split() if line.startswith(f"{_REPOSITORY}/")]

    def _blobs(self) -> set[str]:
        """The digests of what containerd has."""
        command = components.ctr(self._binaries, "content", "ls", "-q")
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return {line.removeprefix("sha256:") for line in done.stdout.split()}

    def _import(self, recipe: Recipe) -> None:
        there = self.names()
        if recipe.image in there:
            return
        if recipe.base:
            self._import(self._recipe(recipe.base))
        built = recipe.layers()
        # The base's layers may have been made anew since it was imported.
        skip = {item.digest for item in self._recipe(recipe.base).layers()} & self._blobs() if recipe.base else set()
        # --local: the client itself reads the stream; the transfer service wants every blob in the archive.
        command = components.ctr(self._binaries, "images", "import", "--local", "-")
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdin
            assert process.stdout
            with contextlib.suppress(BrokenPipeError):
                oci.write_archive(process.stdin, recipe.image, built, recipe.config, skip)
                process.stdin.close()
            said = process.stdout.read().decode(errors="replace")
        if process.returncode:
            self._remove([recipe.image])  # named before it is unpacked: the next run would take it for a whole one
            raise RuntimeError(f"importing {recipe.image} failed:\n{said}")
        self._prune(recipe, there)

    def _prune(self, recipe: Recipe, there: Sequence[str]) -> None:
        old = [image for image in there if image.startswith(f"{_REPOSITORY}/{recipe.name}:") and image != recipe.image]
        if old:
            self._remove(old)

    def _remove(self, images: Sequence[str]) -> None:
        subprocess.run(components.ctr(self._binaries, "images", "rm", *images), capture_output=True, check=False)

    def _recipe(self, name: str) -> Recipe:
        return _RECIPES[name](self._binaries)


@dataclass(frozen=True)
class GivenImages:
    """Images of an existing cluster, by name; None: it has none."""

    names: Mapping[str, str | None]

    @property
    def quickstart(self) -> str:
        return self.ensure("quickstart")

    @property
    def store(self) -> str:
        return self.ensure("store")

    @property
    def torch(self) -> str:
        return self.ensure("torch")

    @property
    def notebook(self) -> str:
        return self.ensure("notebook")

    @property
    def server(self) -> str:
        return self.ensure("server")

    def ensure(self, name: str) -> str:
        image = self.names.get(name)
        if image is None:
            # Here, not at the top: pytest is not needed to start a cluster for a person.
            import pytest

            pytest.skip(f"no {name} image is given for the given cluster")
        return image


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


def _store(_: components.Binaries) -> Recipe:
    constraints = _constraints()

    def build() -> list[oci.Layer]:
        base = layers.debian("bookworm", _QUICKSTART)
        stack = layers.python_packages(base, "3.11", _QUICKSTART_PACKAGES, constraints)
        return [base, stack, layers.python_packages(base, "3.11", _STORE_PACKAGES, constraints, "store")]

    key = layers.digest(_QUICKSTART, _QUICKSTART_PACKAGES, _STORE_PACKAGES, constraints.read_bytes())
    return Recipe("store", key, build, base="quickstart")


def _pip(_: components.Binaries) -> Recipe:
    """The quickstart image with pip."""
    constraints = _constraints()

    def build() -> list[oci.Layer]:
        base = layers.debian("bookworm", _QUICKSTART)
        stack = layers.python_packages(base, "3.11", _QUICKSTART_PACKAGES, constraints)
        return [base, stack, layers.python_packages(base, "3.11", _PIP_PACKAGES, constraints, "pip")]

    key = layers.digest(_QUICKSTART, _QUICKSTART_PACKAGES, _PIP_PACKAGES, constraints.read_bytes())
    return Recipe("pip", key, build, base="quickstart")


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
        settings = layers.programs("settings", {"etc/ipython/ipython_config.py": _SERVER_SETTINGS})
        return [base, stack, server, settings, layers.checkout("3.11")]

    settings, ours = _SERVER_SETTINGS.read_bytes(), layers.checkout_digest("3.11")
    key = layers.digest(_QUICKSTART, _QUICKSTART_PACKAGES, packages, constraints.read_bytes(), settings, ours)
    return Recipe("server", key, build, base="quickstart")


_RECIPES: dict[str, Callable[[components.Binaries], Recipe]] = {
    "pause": _pause,
    "coredns": _coredns,
    "quickstart": _quickstart,
    "store": _store,
    "pip": _pip,
    "uv": _uv,
    "torch": _torch,
    "notebook": _notebook,
    "server": _server,
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


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Two test runs that want the same image: the second waits and then finds it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
