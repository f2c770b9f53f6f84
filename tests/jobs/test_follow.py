"""From a backend's blocks to log file, screen and outcome."""

from __future__ import annotations

import asyncio
import struct
from binascii import crc32
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kube_magics import errors
from kube_magics.cluster.pieces import Attempt, Gap, Outage, Piece
from kube_magics.jobs.endings import error_of
from kube_magics.jobs.follow import Follower
from kube_magics.jobs.listing import read_log
from kube_magics.jobs.logfile import LogFile
from kube_magics.jobs.screen import Screen
from kube_magics.runner import images, protocol
from kube_magics.telemetry.snapshot import Snapshot

WHY = "the node had rotated the log"


class Recorded:
    """A backend that has one job, whose log is given."""

    def __init__(self, *pieces: Piece) -> None:
        self._pieces = pieces

    async def poll(self, name: str) -> Snapshot:
        return Snapshot(name, "here", "succeeded", ours=True)

    async def log(self, name: str) -> AsyncIterator[Piece]:
        for piece in self._pieces:
            yield piece

    async def follow(self, name: str) -> AsyncIterator[Piece]:
        for piece in self._pieces:
            yield piece


def followed(folder: Path, *pieces: Piece) -> tuple[Follower, str, str]:
    """The follower, the log file's text, and what the notebook was shown."""
    backend: Any = Recorded(*pieces)
    screen = Screen("log")
    follower = Follower(backend, "job", LogFile(folder / "log"), screen)
    asyncio.run(follower.run())
    return (
        follower,
        (folder / "log").read_bytes().decode(),
        "".join(piece[1] for piece in screen.take(last=True) if isinstance(piece, tuple)),
    )


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


def test_a_line_without_its_head_is_said_to_the_byte(tmp_path: Path) -> None:
    _, log, _ = followed(tmp_path, b"one\n", Gap(WHY), b"lf\n" + mark(2, 7))
    assert log == f"one\nlf\n[kube_magics: part of a line (2 bytes) was lost between the pod and here ({WHY})]\n"


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


def test_a_picture_is_a_line_of_the_log_file(tmp_path: Path) -> None:
    png = struct.pack(">8sI4sII", images.SIGNATURE, 13, b"IHDR", 2, 1) + bytes(20)
    sent = [images.events(1, images.Picture(png, "a dot")), images.events(2, images.Picture(b"", "none", "why not"))]
    events = b"".join(protocol.encode_event(event) for one in sent for event in one)
    backend: Any = Recorded(b"one\n" + events + b"two\n")
    screen = Screen("log")
    asyncio.run(Follower(backend, "job", LogFile(tmp_path / "log"), screen).run())
    log = (tmp_path / "log").read_text()
    assert log == "one\n[kube_magics: a dot, 44 bytes]\n[kube_magics: why not]\ntwo\n"
    first, picture, *rest = screen.take(last=True)
    assert (first, rest) == ((1, "one\n"), [(2, "[kube_magics: why not]\n"), (1, "two\n")])
    assert isinstance(picture, images.Picture)
    assert picture.data == png
    assert asyncio.run(read_log(backend, "job")).text == log


def test_an_outage_is_shown_and_is_no_line_of_the_log(tmp_path: Path) -> None:
    follower, log, shown = followed(tmp_path, b"one\n", Outage(8.2), Outage(61.4, over=True), b"two\n")
    assert log == "one\ntwo\n"
    assert shown == (
        "one\n"
        "[kube_magics: no word from the cluster for 8 s; the job goes on there, and its output comes later]\n"
        "[kube_magics: the cluster answers again after 61 s: the output goes on where it stopped]\n"
        "two\n"
    )
    assert follower.outcome.lost_lines == 0


def told(screen: Screen) -> list[Any]:
    """What a notebook is shown: pieces of text joined, pictures by their data."""
    return [piece if isinstance(piece, tuple) else piece.data for piece in screen.take(last=True)]


def test_who_looks_later_is_shown_the_same(tmp_path: Path) -> None:
    """Streams, pictures, a line that has not ended, no traceback of what is raised; in the middle and after the end."""
    png = struct.pack(">8sI4sII", images.SIGNATURE, 13, b"IHDR", 2, 1) + bytes(20)
    dots = [protocol.encode_event(event) for event in images.events(1, images.Picture(png, "a dot"))]
    traceback = [b"Traceback (most recent call last):", b"KeyError: 1"]
    early = [b"one\n", protocol.encode_line(protocol.STDERR, b"err"), b"two\n", *dots, *dots, b"three\n"]
    late = [b"rest\n", *(protocol.encode_line(protocol.STDERR, line) for line in (b"warned", *traceback))]
    ends = [{"e": "error", "crc": crc32(b"\n".join([*traceback, b""])), "type": "KeyError"}, {"e": "end", "code": 1}]
    first, second, third, tail = Screen("log"), Screen("log"), Screen("log"), Screen("log", tail=1)

    async def play() -> None:
        reached, go_on = asyncio.Event(), asyncio.Event()

        class Halting(Recorded):
            async def follow(self, name: str) -> AsyncIterator[Piece]:
                for piece in (*early, *protocol.partial_events(protocol.STDOUT, b"half ")):
                    yield piece
                reached.set()
                await go_on.wait()
                for piece in (*late, *map(protocol.encode_event, ends)):
                    yield piece

        backend: Any = Halting()
        follower = Follower(backend, "job", LogFile(tmp_path / "log"), first)
        following = asyncio.ensure_future(follower.run())
        await reached.wait()
        await follower.show_on(second)
        go_on.set()
        await following
        for screen in (third, tail):
            await follower.show_on(screen)

    asyncio.run(play())
    expected = [(1, "one\n"), (2, "err\n"), (1, "two\n"), png, png, (1, "three\nhalf rest\n"), (2, "warned\n")]
    assert told(first) == told(second) == told(third) == expected
    assert "three" not in str(told(tail))


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no disk that is always full")
def test_a_full_disk_ends_the_log_file_and_nothing_else() -> None:
    """Said once, where the output is; the results and the end come all the same."""
    sent = [b"one\n", b"x" * 100_000 + b"\n", *map(protocol.encode_event, protocol.result_chunks("n", bytes(9)))]
    sent += [protocol.encode_line(protocol.STDERR, b"err"), *protocol.partial_events(protocol.STDOUT, b"half")]
    sent += [protocol.encode_event({"e": "end", "code": 0, "reason": "completed"})]
    backend: Any = Recorded(*sent)
    screen, log = Screen("log"), LogFile(FULL)
    follower = Follower(backend, "job", log, screen)
    asyncio.run(follower.run())
    assert follower.done.is_set()
    assert follower.outcome.failure is None
    assert follower.outcome.end is not None
    assert follower.outcome.results == {"n": bytes(9)}
    shown = "".join(piece[1] for piece in screen.take(last=True) if isinstance(piece, tuple))
    assert (
        shown.count("[kube_magics: /dev/full is not whole: No space left on device; %kube logs job shows the rest]")
        == 1
    )
    assert "err\n" in shown
    with pytest.raises(OSError, match="No space left"):
        list(log.replay())


def test_a_log_of_attempts_as_text() -> None:
    backend: Any = Recorded(Attempt(1, 2), b"first\n", end(1, "failed"), Attempt(2, 2), b"other\n")
    text = asyncio.run(read_log(backend, "job")).text
    assert text == "[kube_magics: attempt 1 of 2]\nfirst\n[kube_magics: attempt 2 of 2]\nother\n"


def test_a_log_file_that_cannot_be_made_keeps_nobody_from_following(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(OSError, match="File exists"):
        LogFile(tmp_path / "logs" / "log")
    backend: Any = Recorded(b"one\n")
    screen = Screen("log")
    follower = Follower(backend, "job", LogFile(tmp_path / "logs" / "log", needed=False), screen)
    asyncio.run(follower.run())
    shown = "".join(piece[1] for piece in screen.take(last=True) if isinstance(piece, tuple))
    assert shown.startswith("one\n[kube_magics: ")
    assert "log is not whole: File exists" in shown
    assert follower.outcome.failure is None


def end(code: int, reason: str) -> bytes:
    return protocol.encode_event({"e": "end", "code": code, "reason": reason, "lines": 1, "bytes": 5})


def error_event(**more: Any) -> bytes:
    return protocol.encode_event(
        {"e": "error", "type": "KeyError", "message": "x\ny", "exit": None, "text": "", **more}
    )


def test_of_attempts_each_is_told_and_the_last_one_counts(tmp_path: Path) -> None:
    error = error_event(frames=[])
    result = b"".join(protocol.encode_event(each) for each in protocol.result_chunks("early", b"1"))
    follower, log, _ = followed(
        tmp_path,
        Attempt(1, 3),
        b"first\n",
        error,
        result,
        end(1, "failed"),
        Attempt(2, 3),
        b"other\n",
        end(0, "completed"),
    )
    assert log == (
        "first\n[kube_magics: attempt 1 of 3 failed (KeyError: x): the cluster tries again after a pause]\n"
        "[kube_magics: attempt 2 of 3]\nother\n"
    )
    assert (follower.outcome.error, follower.outcome.results) == (None, {})
    assert follower.outcome.end is not None
    assert follower.outcome.end["code"] == 0


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ((b"1\n", end(137, "oom")), "attempt 1 of 3 failed (killed at its memory limit): the cluster tries again"),
        ((b"1\n", end(3, "failed")), "attempt 1 of 3 failed (exit code 3): the cluster tries again"),
        ((error_event(exit=3), end(3, "failed")), "attempt 1 of 3 failed (exit code 3): the cluster tries again"),
        ((b"1\n", end(143, "stopped")), "attempt 1 of 3 ended: Its node was drained."),
        ((b"1\n",), "attempt 1 of 3 ended: Its node was drained."),
    ],
)
def test_how_an_attempt_ended_is_told_once(tmp_path: Path, pieces: tuple[Piece, ...], said: str) -> None:
    """A runner that was told to stop does not know whether another attempt follows; one that was killed says nothing."""
    _, log, _ = followed(tmp_path, Attempt(1, 3), *pieces, Attempt(2, 3, "Its node was drained."), b"2\n")
    told = [line for line in log.splitlines() if line.startswith("[kube_magics: attempt 1")]
    assert [line.startswith(f"[kube_magics: {said}") for line in told] == [True], log
    assert log.endswith("[kube_magics: attempt 2 of 3]\n2\n")


@pytest.mark.parametrize(
    "pieces",
    [
        (Attempt(2, 2), end(1, "failed")),
        (Attempt(1, 3), end(143, "stopped")),
        (Attempt(1, 3), end(124, "timeout")),
        (Attempt(1, 3), end(70, "import")),
    ],
)
def test_what_no_attempt_follows_is_the_end(tmp_path: Path, pieces: tuple[Piece, ...]) -> None:
    follower, log, _ = followed(tmp_path, *pieces)
    assert "tries again" not in log
    assert follower.outcome.end is not None


@pytest.mark.parametrize("state", [Snapshot("job", "here", "suspended", started=True, pod="one")])
def test_a_job_that_is_suspended_between_two_attempts_is_not_waited_for(tmp_path: Path, state: Snapshot) -> None:
    pieces: tuple[Any, ...] = (Attempt(1, 3), b"first\n", end(1, "failed"), state, Attempt(2, 3), b"never\n")
    follower, log, _ = followed(tmp_path, *pieces)
    assert "never" not in log
    assert isinstance(error_of("job", follower.outcome, None), errors.JobStopped)


def test_where_the_attempt_that_should_follow_never_comes_the_last_word_counts(tmp_path: Path) -> None:
    follower, _, _ = followed(tmp_path, Attempt(1, 3), b"first\n", end(1, "failed"))
    assert follower.outcome.end is not None
    assert follower.outcome.end["code"] == 1
