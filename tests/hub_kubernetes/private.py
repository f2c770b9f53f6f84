"""A private registry of images: the real one (distribution), on this machine, for a cluster whose node it is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests
import yaml

from tests.cluster import binaries, oci
from tests.ports import free_port

_PATIENCE_S = 30.0
_CONFIG = {
    "version": "0.1",
    "log": {"formatter": "json"},
    "auth": {"htpasswd": {"realm": "lab", "path": "htpasswd"}},
    "storage": {"filesystem": {"rootdirectory": "images"}},
}


@dataclass(frozen=True)
class Registry:
    address: str
    """`127.0.0.1:20123`."""
    user: str
    password: str

    def push(self, name: str, layers: Sequence[oci.Layer], config: Mapping[str, Any]) -> str:
        """The image's name for pods, with a tag."""
        made = oci.manifest(layers, config)
        with requests.Session() as web:
            web.trust_env, web.auth = False, (self.user, self.password)
            for layer in layers:
                with layer.path.open("rb") as data:
                    self._blob(web, name, layer.digest, data)
            self._blob(web, name, hashlib.sha256(made.config).hexdigest(), made.config)
            kind = {"Content-Type": oci.MANIFEST}
            url = f"http://{self.address}/v2/{name}/manifests/1"
            web.put(url, data=made.data, headers=kind, timeout=60).raise_for_status()
        return f"{self.address}/{name}:1"

    def _blob(self, web: requests.Session, name: str, digest: str, data: bytes | IO[bytes]) -> None:
        place = web.post(f"http://{self.address}/v2/{name}/blobs/uploads/", timeout=60)
        place.raise_for_status()
        url = f"{place.headers['Location']}&digest=sha256:{digest}"
        kind = {"Content-Type": "application/octet-stream"}
        web.put(url, data=data, headers=kind, timeout=600).raise_for_status()


@contextmanager
def private_registry(folder: Path) -> Iterator[Registry]:
    """Who asks it must log in."""
    port = free_port()
    (folder / "config.yaml").write_text(yaml.safe_dump(_CONFIG | {"http": {"addr": f"127.0.0.1:{port}"}}))
    log = folder / "registry.log"
    with log.open("wb") as out:
        command = [str(binaries.registry()), "serve", "config.yaml"]
        # No tracing: it would look for somebody to send it to.
        ours = os.environ | {"OTEL_TRACES_EXPORTER": "none"}
        process = subprocess.Popen(command, cwd=folder, env=ours, stdout=out, stderr=subprocess.STDOUT)
    try:
        user, password = _credentials(log)
        yield Registry(f"127.0.0.1:{port}", user, password)
    finally:
        process.terminate()
        process.wait(30)


def _credentials(log: Path) -> tuple[str, str]:
    """It makes them at its first start, and tells them once."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("{") and "password" in (said := json.loads(line)):
                return said["user"], said["password"]
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))
