"""load: how much longer a notebook takes to start with kube_magics in it.

ours    in a fresh interpreter, IPython's shell standing: from before to after the cell `%load_ext kube_magics`
peer    in another fresh interpreter of the same kind: the official client from its import to its first answer (a
        list of pods, typed, from an HTTP server of this process, so that no cluster's speed is in it)

Bytecode is there for both, as after any installation.
"""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measure import Goal, Sample, interleaved

GOAL = Goal("ours", "<=", 60)

_OURS = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.perf_counter()
done = shell.run_cell("%load_ext kube_magics")
took = time.perf_counter() - began
done.raise_error()
print("took", 1000 * took)
"""

_PEER = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
cell = '''
from kubernetes import client
configuration = client.Configuration()
configuration.host = HOST
pods = client.CoreV1Api(client.ApiClient(configuration)).list_namespaced_pod("default")
'''
shell.user_ns["HOST"] = sys.argv[1]
began = time.perf_counter()
done = shell.run_cell(cell)
took = time.perf_counter() - began
done.raise_error()
print("took", 1000 * took)
"""

_POD = {
    "metadata": {"name": "pod", "namespace": "default"},
    "spec": {"containers": [{"name": "main", "image": "python:3.11-slim"}]},
    "status": {"phase": "Running", "containerStatuses": []},
}


def measure(rounds: int) -> list[Sample]:
    with _server() as address:
        ours, peer = interleaved(rounds, lambda: _fresh(_OURS), lambda: _fresh(_PEER, address))
    return [Sample("load", "kubernetes client, first list of pods", "ms", GOAL, ours, peer)]


def _fresh(program: str, *arguments: str) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return next(float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("took "))


class _Pods(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [_POD]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the base class's name for it
        return


@contextmanager
def _server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pods) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
