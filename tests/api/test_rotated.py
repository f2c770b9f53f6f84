"""Files that a node's rotation has put aside, as the kubelet serves them."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import Mapping

import pytest
from aiohttp import web

from kube_magics.cluster.rotated import PIECE_BYTES, Rotated
from tests.api.servers import api

ENTRIES = [
    b"2026-11-25T23:00:01.5Z stdout F one\n2026-11-25T23:00:02.123456789Z stderr F two\n",
    b"2026-11-25T23:00:03Z stdout P a long \n2026-11-25T23:00:03.1Z stdout F line\n2026-11-25T23:00:04.2Z stdout F \n",
    b"2026-11-25T23:00:05.1Z stdout F five\n2026-11-25T23:00:06.1Z stdout P si",
]
ONE = b"2026-11-25T23:00:01.500000000Z one\n"
TWO = b"2026-11-25T23:00:02.123456789Z two\n"
THREE = b"2026-11-25T23:00:03.000000000Z a long line\n"
FOUR = b"2026-11-25T23:00:04.200000000Z \n"
FIVE = b"2026-11-25T23:00:05.100000000Z five\n"
SIX = b"2026-11-25T23:00:06.100000000Z si"


def served(files: Mapping[str, bytes] | int, last: bytes = b"", before: bytes = b"") -> tuple[bytes, bytes, bool, int]:
    """(what came, the tail, whether it began where it should, how many files were read); a number: refused so."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        name = request.path.rpartition("/")[2]
        if isinstance(files, int):
            return web.json_response({"kind": "Status", "code": files}, status=files)
        if name:
            return web.Response(body=files[name], content_type="application/octet-stream")
        links = "".join(f'<a href="{each}">{each}</a>\n' for each in (*files, "0.log"))
        return web.Response(text=f"<pre>\n{links}</pre>", content_type="text/html")

    async def read() -> tuple[bytes, bytes, bool, int]:
        async with api(answer) as client:
            rotated = Rotated(client, "node-0", "team_pod_uid/main")
            blocks = [block async for block in rotated.since(last.removesuffix(b"\n"), before.removesuffix(b"\n"))]
            return b"".join(blocks), rotated.tail, rotated.reached, len(asked) - 1

    return asyncio.run(read())


FILES = {
    "0.log.20261125-230002.gz": gzip.compress(ENTRIES[0]),
    "0.log.20261125-230004.gz": gzip.compress(ENTRIES[1]),
    "0.log.20261125-230006": ENTRIES[2],
}


def test_from_the_first_line_on() -> None:
    assert served(FILES) == (ONE + TWO + THREE + FOUR + FIVE, SIX, True, 3)


def test_from_behind_a_line_on_without_the_older_files() -> None:
    assert served(FILES, last=FOUR) == (FIVE, SIX, True, 2)
    assert served(FILES, last=THREE) == (FOUR + FIVE, SIX, True, 2)


def test_up_to_a_line_that_the_current_file_has_too() -> None:
    assert served(FILES, last=ONE, before=FOUR) == (TWO + THREE, b"", True, 3)


def test_a_line_that_even_the_oldest_file_has_no_more() -> None:
    found, _, reached, _ = served({"0.log.20261125-230006": ENTRIES[2]}, last=ONE)
    assert (found, reached) == (FIVE, False)


def test_a_packed_file_is_never_unpacked_as_a_whole() -> None:
    """What a thread was given in one piece, glibc keeps twice over when it is given back."""
    lines = b"".join(b"2026-11-25T23:00:01.%09dZ stdout F " % at + b"x" * 60 + b"\n" for at in range(60_000))
    file = gzip.compress(lines)

    async def answer(request: web.Request) -> web.Response:
        name = request.path.rpartition("/")[2]
        return web.Response(body=file if name else b'<a href="0.log.20261125-230004.gz">')

    async def read() -> tuple[int, int, int]:
        async with api(answer) as client:
            rotated = Rotated(client, "node-0", "team_pod_uid/main")
            tracemalloc.start()
            try:
                sizes = [(len(block), block.count(b"\n")) async for block in rotated.since(b"", b"")]
                return (
                    max(size for size, _ in sizes),
                    sum(count for _, count in sizes),
                    tracemalloc.get_traced_memory()[1],
                )
            finally:
                tracemalloc.stop()

    largest, found, peak = asyncio.run(read())
    assert found == 60_000
    assert largest < PIECE_BYTES + 200
    assert peak < len(lines) / 3


def test_files_of_an_earlier_start_are_not_of_this_log() -> None:
    assert served({"0.log.20261125-230001": ENTRIES[0], "1.log.20261125-230006": ENTRIES[2]}) == (FIVE, SIX, True, 1)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_without_the_right_there_is_nothing(status: int) -> None:
    assert served(status, last=ONE) == (b"", b"", False, 0)


@pytest.mark.parametrize(("status", "found"), [(503, THREE), (403, b"")])
def test_a_node_that_could_not_answer_is_asked_at_the_next_gap(status: int, found: bytes) -> None:
    """Whoever has no right is not asked again."""
    refusals = [status]

    async def answer(request: web.Request) -> web.Response:
        if refusals:
            return web.json_response({"kind": "Status"}, status=refusals.pop())
        name = request.path.rpartition("/")[2]
        return web.Response(body=ENTRIES[1] if name else b'<a href="0.log.20261125-230004">')

    async def read() -> list[bytes]:
        async with api(answer) as client:
            rotated = Rotated(client, "node-0", "team_pod_uid/main")
            return [b"".join([block async for block in rotated.since(b"", FOUR.removesuffix(b"\n"))]) for _ in range(2)]

    assert asyncio.run(read()) == [b"", found]
