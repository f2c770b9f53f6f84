"""Binary output through everything that a cluster has between a job and its notebook."""

from __future__ import annotations

import random

import pytest

from tests.acceptance.desk import LOGS, Desk

pytestmark = pytest.mark.cluster

WRITE = """
import kube_magics
def write(stream):
    import os, random
    chance = random.Random(stream)
    data = chance.randbytes(300_000) + b"x" * 10_000_000 + b"\\n" + b"\\x1e{}\\n\\x1f2\\n\\r\\n" + bytes(range(256)) * 40
    data += b"y" * 900_000 + b"\\nno newline"
    at = 0
    while at < len(data):
        at += os.write(stream, data[at:at + 77_777])
jobs = [kube_magics.train(write, args=(n,), cpus="300m", name=f"stream{n}", detach=True) for n in (1, 2)]
kube_magics.wait_all(jobs)
"""


def sent(stream: int) -> bytes:
    data = random.Random(stream).randbytes(300_000) + b"x" * 10_000_000 + b"\n"
    return data + b"\x1e{}\n\x1f2\n\r\n" + bytes(range(256)) * 40 + b"y" * 900_000 + b"\nno newline"


def test_what_one_stream_brings_is_saved_byte_by_byte(there: Desk) -> None:
    """Lines of 10 MB, which the container runtime splits, the log rotates under and the link carries in pieces."""
    there.right(WRITE)
    for stream in (1, 2):
        saved, wanted = (there.folder / LOGS / f"stream{stream}.log").read_bytes(), sent(stream)
        at = next((n for n in range(0, len(wanted), 1000) if saved[n : n + 1000] != wanted[n : n + 1000]), None)
        assert at is None, (
            stream,
            at,
            len(saved),
            len(wanted),
            saved[at - 20 : at + 1500],
            wanted[at - 20 : at + 1500],
        )
        assert len(saved) == len(wanted)
