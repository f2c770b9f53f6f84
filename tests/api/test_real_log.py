"""A real job's log, read through a proxy that breaks connections: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kube_magics import errors
from kube_magics.cluster.client import Client
from kube_magics.cluster.logs import PodLog
from kube_magics.cluster.pieces import Gap, Piece
from tests.api.servers import load
from tests.cluster import Cluster, Namespace
from tests.faults.proxy import proxy

pytestmark = pytest.mark.cluster
LINES = 30_000
MOST_BYTES = 1_500_000
"""Of one connection; on average more than the lines of one second, which every new one has to pass again."""
PROGRAM = f"""
import sys, time
for number in range({LINES}):
    (sys.stderr if number % 7 == 3 else sys.stdout).write("%06d %s\\n" % (number, "." * (number % 90)))
    if number % 100 == 0:
        sys.stdout.flush(); time.sleep(0.02)
sys.stdout.write("the end, without a newline")
"""


def job(image: str) -> dict[str, Any]:
    container = {
        "name": "counter",
        "image": image,
        "command": ["python3", "-c", PROGRAM],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"restartPolicy": "Never", "securityContext": security, "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "counter"},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


def test_every_line_once_through_broken_connections(cluster: Cluster, namespace: Namespace, tmp_path: Path) -> None:
    image = cluster.ensure_image("quickstart")

    async def follow() -> tuple[list[Piece], int, int]:
        with proxy(namespace.kubeconfig, seed=3, most_bytes=MOST_BYTES) as between:
            client = Client(load(between.kubeconfig(namespace.kubeconfig, tmp_path / "config")))
            straight = Client(load(namespace.kubeconfig))
            pods = f"/api/v1/namespaces/{namespace.name}/pods"

            async def newest() -> Any:
                found = (await straight.get(pods, {"labelSelector": "job-name=counter"}))["items"]
                return found[0] if found else None

            async def over() -> bool:
                return (await newest())["status"]["phase"] in ("Succeeded", "Failed")

            async def read() -> list[Piece]:
                while not (pod := await newest()) or "nodeName" not in pod["spec"]:
                    await asyncio.sleep(0.05)
                while True:
                    log = PodLog(client, namespace.name, pod["metadata"]["name"], "counter")
                    try:
                        pieces = [piece async for piece in log.lines(over)]
                    except errors.Rejected:
                        await asyncio.sleep(0.05)
                    else:
                        return pieces

            try:
                await straight.post(f"/apis/batch/v1/namespaces/{namespace.name}/jobs", job(image))
                async with asyncio.timeout(100):
                    pieces = await read()
                return pieces, between.cuts, int((await newest())["status"]["phase"] == "Succeeded")
            finally:
                await client.close()
                await straight.close()

    pieces, cuts, succeeded = asyncio.run(follow())
    assert succeeded
    assert not [piece for piece in pieces if isinstance(piece, Gap)]
    got = b"".join(piece for piece in pieces if isinstance(piece, bytes)).split(b"\n")
    assert cuts > 3
    assert got[-1] == b""
    assert got[-2] == b"the end, without a newline"
    # stdout and stderr are two pipes: only within each is there an order.
    numbers = [int(line[:6]) for line in got[:-2]]
    assert sorted(numbers) == list(range(LINES))
    for errors_only in (True, False):
        own = [number for number in numbers if (number % 7 == 3) is errors_only]
        assert own == sorted(own)
