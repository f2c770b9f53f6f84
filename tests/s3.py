"""An S3-compatible server as a process of its own, which this machine and pods reach under the same address."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.cluster.settings import own_address
from tests.ports import free_port

BUCKET = "artifacts"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Server:
    """One that has a bucket."""

    endpoint: str

    @property
    def url(self) -> str:
        return f"s3://{BUCKET}/jobs"

    @property
    def credentials(self) -> dict[str, str]:
        """It takes any."""
        return {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "anything"}

    @property
    def environment(self) -> dict[str, str]:
        """Of whoever uses it."""
        return {**self.credentials, "AWS_ENDPOINT_URL": self.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def server() -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "--host=0.0.0.0", f"--port={port}"]
    found = Server(f"http://{own_address()}:{port}")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ) as process:
        try:
            _make_bucket(f"http://127.0.0.1:{port}/{BUCKET}")
            yield found
        finally:
            process.terminate()


def _make_bucket(url: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
