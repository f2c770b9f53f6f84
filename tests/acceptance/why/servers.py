"""Servers that a cluster asks, and that say no: a registry of images, a webhook for new pods.

Both are real ones on this machine, so they serve a cluster whose node it is.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.api import certificates

DENIED = "team-a may not run pods on Fridays"
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class _Registry(BaseHTTPRequestHandler):
    """Has `team/arm:1`, for arm64 alone; wants a login for `team/private`; has nothing else."""

    protocol_version = default_request_version = "HTTP/1.1"
    """Who speaks TLS to it first is told in HTTP, and tries that."""

    def do_GET(self) -> None:
        if "/private/" in self.path:
            self._answer(
                401, _error("UNAUTHORIZED", "authentication required"), ("WWW-Authenticate", 'Basic realm="r"')
            )
        elif "/arm/manifests/" in self.path:
            of_arm = {"mediaType": _MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 2}
            index = [of_arm | {"platform": {"os": "linux", "architecture": "arm64"}}]
            self._answer(200, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": index})
        elif self.path == "/v2/":
            self._answer(200, {})
        else:
            self._answer(404, _error("MANIFEST_UNKNOWN", "manifest unknown"))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, content: dict[str, Any], *headers: tuple[str, str]) -> None:
        data = json.dumps(content).encode()
        kind = content.get("mediaType", "application/json")
        digest = ("Docker-Content-Digest", f"sha256:{sha256(data).hexdigest()}")
        _send(self, status, data, ("Content-Type", kind), digest, *headers)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class _Webhook(BaseHTTPRequestHandler):
    """Refuses every object."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        verdict = {"uid": asked["request"]["uid"], "allowed": False, "status": {"message": DENIED}}
        answer = {"apiVersion": asked["apiVersion"], "kind": asked["kind"], "response": verdict}
        _send(self, 200, json.dumps(answer).encode(), ("Content-Type", "application/json"))

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def _error(code: str, message: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message}]}


def _send(handler: BaseHTTPRequestHandler, status: int, data: bytes, *headers: tuple[str, str]) -> None:
    handler.send_response(status)
    for name, value in (*headers, ("Content-Length", str(len(data)))):
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(data)


@dataclass(frozen=True)
class Webhook:
    url: str
    bundle: str
    """Its certificate, as `caBundle` takes it."""


@contextmanager
def registry() -> Iterator[str]:
    """Its address, as an image's name begins; containerd speaks plain HTTP with one of its own machine."""
    with _served(ThreadingHTTPServer(("127.0.0.1", 0), _Registry)) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def webhook(folder: Path) -> Iterator[Webhook]:
    certificate, key = certificates.make(folder, "webhook", host="127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Webhook)
    server.socket = certificates.server_side(certificate, key).wrap_socket(server.socket, server_side=True)
    with _served(server) as port:
        yield Webhook(f"https://127.0.0.1:{port}/pods", base64.b64encode(certificate.read_bytes()).decode())


@contextmanager
def _served(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
