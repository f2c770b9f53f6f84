"""The test images, each made and put into containerd on first use.

An image's tag is a hash of all that goes into it, so a tag that is there is the right one, and nothing is ever pulled.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from . import components, oci
from .paths import CACHE
from .recipes import RECIPES, REPOSITORY, Recipe


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
        return [line for line in done.stdout.split() if line.startswith(f"{REPOSITORY}/")]

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
        old = [image for image in there if image.startswith(f"{REPOSITORY}/{recipe.name}:") and image != recipe.image]
        if old:
            self._remove(old)

    def _remove(self, images: Sequence[str]) -> None:
        subprocess.run(components.ctr(self._binaries, "images", "rm", *images), capture_output=True, check=False)

    def _recipe(self, name: str) -> Recipe:
        return RECIPES[name](self._binaries)


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


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Two test runs that want the same image: the second waits and then finds it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
