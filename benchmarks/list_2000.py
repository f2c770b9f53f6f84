"""list-2000, list-2000-memory: what it takes to know 2,000 Jobs and their pods, each with a bundle of 34 kB in it.

ours    from opening the dashboard's watch to the snapshots of all Jobs
peer    the official typed client's list of the Jobs and of the pods

Each in a fresh interpreter, after a first small list, for which modules are loaded, the kubeconfig is read and a connection
is made; from an HTTP server of this process that has the answers ready, so that no cluster's speed is in it. Memory is by how
much the most that the process ever took has grown meanwhile.
"""

from __future__ import annotations

import http.server
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from benchmarks.measure import Goal, Sample, interleaved
from kube_magics.cluster.watch import PAGE
from kube_magics.manifests.job import job
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.spec.parse import parse
from tests.api.servers import kubeconfig

GOAL = Goal("ratio", "<=", 0.3)
COUNT = 2000
BUNDLE_BYTES = 25_500
"""Of an empty cell; a third more as base64."""
MAXIMUM_ROUNDS = 5
AT = "2026-11-26T10:00:00Z"

_MEASURED = """
import sys, time
def most():  # getrusage would count what the parent took before the fork
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
def measured(work, count):
    before, began = most(), time.perf_counter()
    assert work() == count
    print("took", 1000 * (time.perf_counter() - began), max(most() - before, 0.1))
"""
_OURS = """
import asyncio
from contextlib import aclosing
from kube_magics.backends.watching import Watching
from kube_magics.cluster.client import Client
from kube_magics.jobs import overview
from tests.api.servers import load
from pathlib import Path
async def few():
    client = Client(load(Path(sys.argv[1])))
    await client.get("/apis/batch/v1/namespaces/few/jobs")
    return client
async def first():
    async with aclosing(Watching(client, "team").changes()) as changes:
        async for change in changes:
            return len(change)
with asyncio.Runner() as runner:
    client = runner.run(few())
    measured(lambda: runner.run(first()), int(sys.argv[2]))
    runner.run(client.close())
"""
_PEER = """
from kubernetes import client, config
config.load_kube_config(sys.argv[1])
jobs, pods = client.BatchV1Api(), client.CoreV1Api()
for api in (jobs.list_namespaced_job, pods.list_namespaced_pod):
    api("few")
def work():
    found = jobs.list_namespaced_job("team").items
    return len(found) if len(pods.list_namespaced_pod("team", label_selector="job-name").items) == len(found) else 0
measured(work, int(sys.argv[2]))
"""


def measure(rounds: int) -> list[Sample]:
    with _server() as path:
        ours, peer = interleaved(min(rounds, MAXIMUM_ROUNDS), lambda: _fresh(_OURS, path), lambda: _fresh(_PEER, path))
    sides = [[each[at] for each in side] for at in (0, 1) for side in (ours, peer)]
    of = "the typed client's two lists"
    return [
        Sample("list-2000", of, "ms", GOAL, sides[0], sides[1]),
        Sample("list-2000-memory", of, "MB", GOAL, sides[2], sides[3]),
    ]


def _fresh(program: str, path: Path) -> tuple[float, float]:
    command = [sys.executable, "-c", _MEASURED + program, str(path), str(COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    _, took_ms, grown_mb = done.stdout.split()
    return float(took_ms), float(grown_mb)


def made(kind: str, number: int) -> dict[str, Any]:
    """One of the `jobs` or `pods`, as a cluster has it: every other one is over."""
    return _job(number) if kind == "jobs" else _pod(number)


def _job(number: int) -> dict[str, Any]:
    name, chance = f"digits-{number:04d}", random.Random(number)
    spec = JobSpec.of(parse(["--gpus", "1"]))
    submission = Submission(spec, name, name, chance.randbytes(BUNDLE_BYTES), "0" * 64, cell_digest="0" * 64)
    found = job(submission, image="python:3.11-slim", boot="boot", fixed_user=True)
    found["metadata"] |= {"uid": f"job-{number}", "creationTimestamp": AT, "namespace": "team", "resourceVersion": "1"}
    conditions = [{"type": "Complete", "status": "True", "lastTransitionTime": AT}]
    over = number % 2 == 0
    state = {"succeeded": 1, "conditions": conditions, "completionTime": AT} if over else {"active": 1, "ready": 1}
    return {**found, "status": {"startTime": AT, **state}}


def _pod(number: int) -> dict[str, Any]:
    made = _job(number)
    meta, template = made["metadata"], made["spec"]["template"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
    ran = {"startedAt": AT, "finishedAt": AT, "exitCode": 0, "reason": "Completed"}
    over = "completionTime" in made["status"]
    state = {"terminated": ran} if over else {"running": {"startedAt": AT}}
    main = {"name": "main", "image": "i", "imageID": "i", "ready": not over, "restartCount": 0, "state": state}
    return {
        "metadata": {
            **meta,
            "name": f"{meta['name']}-x7k2p",
            "uid": f"pod-{number}",
            "labels": {**template["metadata"]["labels"], "job-name": meta["name"]},
            "ownerReferences": [owner],
        },
        "spec": {**template["spec"], "nodeName": "node-0"},
        "status": {"phase": "Succeeded" if over else "Running", "startTime": AT, "containerStatuses": [main]},
    }


@contextmanager
def _server() -> Iterator[Path]:
    """A kubeconfig of it."""
    answers: dict[tuple[str, str], bytes] = {}
    for kind, api, title in (("jobs", "batch/v1", "JobList"), ("pods", "v1", "PodList")):
        found = [made(kind, number) for number in range(COUNT)]

        def body(items: list[dict[str, Any]], api: str = api, title: str = title, **more: str) -> bytes:
            meta = {"resourceVersion": "1", **more}
            found = {"apiVersion": api, "kind": title, "metadata": meta, "items": items}
            return json.dumps(found, separators=(",", ":")).encode()  # as Go writes it

        answers[kind, "all"] = body(found)
        answers[kind, "few"] = body(found[:2])
        for at in range(0, COUNT, PAGE):
            more = {"continue": str(at + PAGE)} if at + PAGE < COUNT else {}
            answers[kind, str(at)] = body(found[at : at + PAGE], **more)

    class Answering(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            kind = asked.path.rpartition("/")[2]
            if "watch" in query:
                gone.wait()
                return
            part = query.get("continue", "0") if "limit" in query else "few" if "/few/" in asked.path else "all"
            content = answers.get((kind, part), b"{}")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    gone = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kubeconfig")
        path.write_text(yaml.safe_dump(kubeconfig(f"http://127.0.0.1:{server.server_port}")))
        try:
            yield path
        finally:
            gone.set()
            server.shutdown()
            server.server_close()
