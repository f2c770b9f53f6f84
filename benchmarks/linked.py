"""A notebook and a kubectl whose link to the cluster goes through a proxy that can break it."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.place import Place, plain_job
from tests.faults.proxy import Proxy, proxy
from tests.kernel import Kernel, Ran

POLL_S = 0.005
TIMEOUT_S = 120.0
TAIL_BYTES = 4096


@dataclass(frozen=True)
class Link:
    """One proxy, and who goes through it."""

    place: Place
    proxy: Proxy
    kernel: Kernel
    environment: dict[str, str]

    @contextlib.contextmanager
    def cell(self, name: str, source: str, timeout_s: float = TIMEOUT_S) -> Iterator[tuple[Path, Future[Ran]]]:
        """The cell runs meanwhile: its log file, once it has a line, and what it will have been."""
        path = self.place.folder / ".kube_magics" / "logs" / f"{name}.log"
        with ThreadPoolExecutor(1) as pool:
            ran = pool.submit(self.kernel.run, source, timeout_s)
            wait_for(path)
            yield path, ran
            ran.result()
        self.place.quiet()

    @contextlib.contextmanager
    def job(self, program: str) -> Iterator[str]:
        """A plain Job that runs `program`, once its container does: its name."""
        name = f"peer-{secrets.token_hex(3)}"
        self.place.check("create", f"--filename={self.place.write(plain_job(name, self.place.image, program))}")
        self.place.wait("--for=condition=Ready", "pod", f"--selector=job-name={name}")
        yield name
        self.place.quiet()

    def logs(self, name: str, path: Path, *more: str) -> subprocess.Popen[bytes]:
        """`kubectl logs --follow` of it, appended to `path`."""
        command = [str(self.place.namespace.kubectl.program), "logs", "--follow", *more, f"job/{name}"]
        with path.open("ab") as file:
            environment = {**os.environ, **self.environment}
            return subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def linked(place: Place) -> Iterator[Link]:
    with proxy(place.namespace.kubeconfig, seed=1) as between:
        config = between.kubeconfig(place.namespace.kubeconfig, place.folder / "linked.yaml")
        environment = {**place.environment, "KUBECONFIG": str(config)}
        with Kernel(place.folder, environment) as kernel:
            ran = kernel.run("%load_ext kube_magics")
            if ran.error:
                raise RuntimeError(f"%load_ext kube_magics failed: {ran}")
            yield Link(place, between, kernel, environment)


def wait_for(path: Path, timeout_s: float = TIMEOUT_S) -> None:
    """Until the file has something in it."""
    deadline = time.monotonic() + timeout_s
    while not (path.exists() and path.stat().st_size):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing in {path.name} after {timeout_s:g} s")
        time.sleep(POLL_S)


def wait_until(path: Path, number: int) -> None:
    """Until a line of the file is a larger number than that."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().split(b"\n")[1:-1]
        if any(int(line) > number for line in lines if line.isdigit()):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"no new line in {path.name} after {TIMEOUT_S:g} s")
        time.sleep(POLL_S)
