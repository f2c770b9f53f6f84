"""From a backend's blocks to log file, screen and outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from kube_magics.cluster.logs import Gap
from kube_magics.jobs.follow import Follower
from kube_magics.jobs.logfile import LogFile
from kube_magics.jobs.screen import Screen
from kube_magics.runner import protocol

WHY = "the node had rotated the log"


class Recorded:
    """A backend that has one job, whose log is given."""

    def __init__(self, *pieces: bytes | Gap) -> None:
        self._pieces = pieces

    async def follow(self, name: str) -> AsyncIterator[bytes | Gap]:
        for piece in self._pieces:
            yield piece


def followed(folder: Path, *pieces: bytes | Gap) -> tuple[Follower, str, str]:
    """The follower, the log file's text, and what the notebook was shown."""
    backend: Any = Recorded(*pieces)
    screen = Screen("log")
    follower = Follower(backend, "job", LogFile(folder / "log"), screen)
    asyncio.run(follower.run())
    return follower, (folder / "log").read_bytes().decode(), "".join(text for _, text in screen.take(last=True))


def mark(lines: int, size: int) -> bytes:
    return protocol.encode_event({"e": "mark", "l": lines, "b": size})


def test_both_streams_in_their_order_and_no_events(tmp_path: Path) -> None:
    err = protocol.encode_line(protocol.STDERR, b"err")
    follower, log, shown = followed(tmp_path, b"one\n" + err + b"two\n" + mark(3, 9), b"three\n")
    assert log == shown == "one\nerr\ntwo\nthree\n"
    assert follower.outcome.lost_lines == 0


def test_a_line_in_pieces_is_one_line_of_the_file(tmp_path: Path) -> None:
    pieces = b"".join(protocol.partial_events(protocol.STDOUT, b"\r1/2"))
    _, log, shown = followed(tmp_path, pieces, protocol.encode_line(protocol.STDERR, b"warn"), b"\r2/2\n")
    assert log == "warn\n\r1/2\r2/2\n"
    assert shown == "\r1/2warn\n\r2/2\n"


def test_a_gap_that_cost_nothing_is_not_worth_a_word(tmp_path: Path) -> None:
    follower, log, shown = followed(tmp_path, b"one\n", Gap(WHY), b"two\n" + mark(2, 6))
    assert log == shown == "one\ntwo\n"
    assert follower.outcome.lost_lines == 0


def test_lost_lines_are_counted_to_the_line_with_the_reason(tmp_path: Path) -> None:
    follower, log, shown = followed(tmp_path, b"one\n", Gap(WHY), b"four\n" + mark(4, 15), b"five\n" + mark(5, 19))
    assert follower.outcome.lost_lines == 2
    assert (
        log
        == shown
        == f"one\nfour\n[kube_magics: 2 lines (8 bytes) were lost between the pod and here ({WHY})]\nfive\n"
    )


def test_what_was_not_read_at_all_is_said_at_once(tmp_path: Path) -> None:
    _, log, shown = followed(tmp_path, Gap("you may not read logs here", sure=True))
    assert log == shown == "[kube_magics: you may not read logs here]\n"


def test_a_result_whose_chunk_is_missing_is_corrupt(tmp_path: Path) -> None:
    chunks = [protocol.encode_event(event) for event in protocol.result_chunks("model", bytes(40_000))]
    follower, _, _ = followed(tmp_path, b"".join(chunks[:1] + chunks[2:]))
    assert follower.outcome.results == {}
    assert "model" in follower.outcome.corrupt
    whole, _, _ = followed(tmp_path, b"".join(chunks))
    assert whole.outcome.results == {"model": bytes(40_000)}
