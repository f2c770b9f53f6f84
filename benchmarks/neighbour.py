"""neighbour: how soon a service answers whose node a job keeps busy.

ours    while a job with as many busy processes as the node has cores computes: the time within which 95 of 100 answers
        came. The job asks for 100m of a core and the service for 500m, as a batch job and a service beside it do: what
        they ask for is how the node's cores are divided where all of them are wanted
peer    the same of the same service, with no job

The node is this machine: its pods can be reached from here, and both clocks are one.
"""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import Place, plain_job

GOAL = Goal("ratio", "<=", 3)
BUSY_S = 3.0
PAUSE_S = 0.005
SERVICE = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("", 8080), Answer).serve_forever()
"""
CELL = f"""%%kubetrain --cpus 100m
import multiprocessing, os, time
def compute(until):
    while time.time() < until:
        pass
until = time.time() + {BUSY_S:g}
busy = [multiprocessing.Process(target=compute, args=(until,)) for _ in range(os.cpu_count())]
for each in busy:
    each.start()
print("from:", time.time_ns(), flush=True)
for each in busy:
    each.join()
print("to:", time.time_ns())"""


def measure(place: Place, rounds: int) -> list[Sample]:
    with _service(place) as address:
        ours, peer = interleaved(rounds, lambda: _beside_a_job(place, address), lambda: _alone(address))
    return [Sample("neighbour", "the service alone", "ms", GOAL, ours, peer)]


def _beside_a_job(place: Place, address: str) -> float:
    over, answers = threading.Event(), list[tuple[int, float]]()
    asking = threading.Thread(target=_ask, args=(address, over, answers))
    asking.start()
    try:
        ran = place.kernel.run(CELL)
    finally:
        over.set()
        asking.join()
    if ran.error:
        raise RuntimeError(f"{ran.message}\n{ran.traceback}")
    begin, end = (int(line.split()[1]) for line in ran.stdout.splitlines() if line.startswith(("from:", "to:")))
    return _most([took for at, took in answers if begin <= at <= end])


def _alone(address: str) -> float:
    over, answers = threading.Event(), list[tuple[int, float]]()
    threading.Timer(BUSY_S, over.set).start()
    _ask(address, over, answers)
    return _most([took for _, took in answers])


def _ask(address: str, over: threading.Event, answers: list[tuple[int, float]]) -> None:
    """Again and again over one connection: when each was asked, and the milliseconds until its answer was here."""
    link = http.client.HTTPConnection(address, 8080, timeout=30)
    while not over.wait(PAUSE_S):
        at, began = time.time_ns(), time.perf_counter()
        link.request("GET", "/")
        link.getresponse().read()
        answers.append((at, 1000 * (time.perf_counter() - began)))
    link.close()


def _most(took: list[float]) -> float:
    """What 95 of 100 stayed below."""
    return statistics.quantiles(took, n=20)[-1]


@contextmanager
def _service(place: Place) -> Iterator[str]:
    """The address of its pod."""
    spec: dict[str, Any] = plain_job("service", place.image, SERVICE)["spec"]["template"]["spec"]
    spec["containers"][0]["resources"] = {"requests": {"cpu": "500m", "memory": "64Mi"}}
    spec["automountServiceAccountToken"] = False
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "service"}, "spec": spec}
    admin, here = place.namespace.admin, f"--namespace={place.namespace.name}"
    admin("create", here, "--filename=-", input=json.dumps(pod))
    try:
        admin("wait", "pod/service", here, "--for=condition=Ready", "--timeout=60s")
        address: str = admin.get("pod", "service", here)["status"]["podIP"]
        until = time.monotonic() + 30
        while not _answers(address):
            if time.monotonic() > until:
                raise RuntimeError("the service does not answer")
            time.sleep(0.1)
        yield address
    finally:
        admin("delete", "pod", "service", here, "--wait=false", "--ignore-not-found")


def _answers(address: str) -> bool:
    link = http.client.HTTPConnection(address, 8080, timeout=5)
    try:
        link.request("GET", "/")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()
