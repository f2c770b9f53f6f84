"""Where the benchmarks run: the test cluster, a namespace with a restricted user of its own, a real notebook kernel."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import IO, Any

from tests.cluster import Cluster, Namespace, running, why_not
from tests.cluster.namespaces import delete
from tests.kernel import Kernel

QUIET_TIMEOUT_S = 60.0


class CannotRun(Exception):
    """This machine has not got what a benchmark needs; the text says what."""


@dataclass(frozen=True)
class Place:
    """A cluster and a folder; the kernel is started at its first use. Everything as one restricted user."""

    cluster: Cluster
    namespace: Namespace
    folder: Path
    _exits: contextlib.ExitStack

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process use the cluster as that user, with nothing of this person's own home."""
        return {
            "KUBECONFIG": str(self.namespace.kubeconfig),
            "KUBE_MAGICS_CONTEXT": self.cluster.context,
            "KUBE_MAGICS_IMAGE": self.image,
            "XDG_STATE_HOME": str(self.folder / "state"),
            "HOME": str(self.folder),
        }

    @functools.cached_property
    def image(self) -> str:
        return str(self.cluster.images.quickstart)

    @functools.cached_property
    def kernel(self) -> Kernel:
        """A notebook whose first cell was `%load_ext kube_magics`, as anybody's is."""
        kernel = self._exits.enter_context(Kernel(self.folder, self.environment))
        ran = kernel.run("%load_ext kube_magics")
        if ran.error:
            raise RuntimeError(f"%load_ext kube_magics failed: {ran}")
        return kernel

    def start_kubectl(self, *args: str, stdout: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """kubectl as that user, its stdout to be read by the caller."""
        command = [str(self.namespace.kubectl.program), *args]
        return subprocess.Popen(command, env={**os.environ, **self.environment}, stdout=stdout, stderr=subprocess.PIPE)

    def write(self, manifest: dict[str, Any]) -> Path:
        """The file that a person would hand to `kubectl create --filename`."""
        path = self.folder / "job.json"
        path.write_text(json.dumps(manifest), "utf-8")
        return path

    def check(self, *args: str) -> bytes:
        """kubectl to its end; what it printed. Raises if it fails."""
        process = self.start_kubectl(*args)
        out, said = process.communicate()
        if process.returncode:
            raise RuntimeError(f"kubectl {' '.join(args)} failed: {said.decode()}")
        return out

    def wait(self, *args: str) -> None:
        """`kubectl wait`, repeated while there is nothing to wait for yet: it gives up at once then."""
        while True:
            process = self.start_kubectl("wait", f"--timeout={QUIET_TIMEOUT_S:g}s", *args)
            _, said = process.communicate()
            if process.returncode == 0:
                return
            if b"no matching resources found" not in said:
                raise RuntimeError(f"kubectl wait {' '.join(args)} failed: {said.decode()}")

    def quiet(self) -> None:
        """Delete what a round has made and wait until its pods are gone: the next one finds an idle node."""
        here = f"--namespace={self.namespace.name}"
        self.namespace.admin("delete", "jobs", "--all", here)
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        while self.namespace.admin("get", "pods", "--output=name", here).stdout:
            if time.monotonic() > deadline:
                raise RuntimeError(f"pods of the last round are still there after {QUIET_TIMEOUT_S:g} s")
            time.sleep(0.2)


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """Raises CannotRun on a machine that cannot run the cluster."""
    if reason := why_not():
        raise CannotRun(reason)
    with contextlib.ExitStack() as exits:
        cluster = exits.enter_context(running())
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="kube-magics-bench-")))
        namespace = cluster.namespace()
        exits.callback(delete, namespace)
        yield Place(cluster, namespace, folder, exits)


def messages(client: Any, cell: str, timeout_s: float) -> Iterator[dict[str, Any]]:
    """Send `cell` to the kernel of `client`; each message about it as it comes, until it has ended.

    Raises TimeoutError where none comes for so long.
    """
    request, message = client.execute(cell, store_history=True), {}
    while True:
        try:
            message = client.get_iopub_msg(timeout=timeout_s)
        except Empty:
            raise TimeoutError(
                f"the cell still runs after {timeout_s:g} s; at last: {message.get('content')}"
            ) from None
        if message["parent_header"].get("msg_id") != request:
            continue
        yield message
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return


def plain_job(name: str, image: str, program: str) -> dict[str, Any]:
    """The Job that a person writes to run `program` with kubectl: no runner, what `restricted` asks for, else defaults.

    The default that costs is the service account's token, a volume (300 ms), which people leave as it is.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    # Python as a container's first process ignores TERM: rounds need not wait 30 s for its end.
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
                            "command": ["python3", "-c", program],
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                            },
                        }
                    ],
                }
            },
        },
    }
