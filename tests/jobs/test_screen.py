"""What of a job's output a notebook gets."""

from __future__ import annotations

import re
from binascii import crc32

import pytest

from kube_magics.jobs.screen import RATE_BYTES_S, STDERR, STDOUT, TAIL_BYTES, TOTAL_BYTES, Screen
from kube_magics.runner.images import Picture

TRACE = ["Traceback (most recent call last):\n", '  File "<In [3]>", line 2, in <module>\n', "ValueError: no\n"]


def text_of(taken: list[tuple[int, str] | Picture]) -> list[str]:
    return [piece[1] for piece in taken if isinstance(piece, tuple)]


def everything(screen: Screen) -> str:
    return "".join(text_of(screen.take(last=True)))


def skipped(text: str) -> int:
    return sum(int(number.replace(",", "")) for number in re.findall(r"\[([\d,]+) lines are not shown here", text))


def test_pieces_of_one_stream_are_joined_in_their_order() -> None:
    screen = Screen("log")
    for stream, text in ((STDOUT, "a\n"), (STDOUT, "b\n"), (STDERR, "c\n"), (STDOUT, "d\n")):
        screen.add(stream, text.encode())
    assert screen.take() == [(STDOUT, "a\nb\n"), (STDERR, "c\n"), (STDOUT, "d\n")]
    assert screen.take() == []


def test_a_character_cut_between_two_pieces_is_whole() -> None:
    screen = Screen("log")
    screen.add(STDOUT, "ü".encode()[:1])
    first = screen.take()
    screen.add(STDOUT, "ü".encode()[1:])
    assert "".join(text_of([*first, *screen.take()])) == "ü"


def test_a_flood_is_cut_to_its_newest_lines_and_every_skipped_line_is_counted() -> None:
    screen = Screen("log")
    lines = [f"line {i:07d}\n" for i in range(200_000)]
    for at in range(0, len(lines), 1000):
        screen.add(STDOUT, "".join(lines[at : at + 1000]).encode())
    text = everything(screen)
    shown = re.findall(r"line \d+\n", text)
    assert shown == lines[-len(shown) :]
    assert skipped(text) + len(shown) == len(lines)
    assert len(text) < RATE_BYTES_S + 200


def test_one_line_larger_than_the_limit_is_counted_too() -> None:
    screen = Screen("log")
    screen.add(STDOUT, b"x" * (2 * RATE_BYTES_S) + b"\n")
    screen.add(STDOUT, b"after\n")
    text = everything(screen)
    assert skipped(text) == 1
    assert text.endswith("after\n")


def test_past_the_total_only_the_tail_comes() -> None:
    screen = Screen("log")
    sent = shown = 0
    while shown < TOTAL_BYTES:
        screen.add(STDOUT, b"x" * 99_999 + b"\n")
        sent += 1
        screen._credit_bytes = RATE_BYTES_S  # as if the time had passed
        shown += sum(map(len, text_of(screen.take())))
    numbered = "".join(f"{i:09d}\n" for i in range(50_000))
    screen.add(STDOUT, numbered.encode())
    assert screen.take() == []
    tail = everything(screen)
    assert tail.endswith("000049999\n")
    assert len(tail) < TAIL_BYTES + 200
    assert skipped(tail) == 50_000 - len(re.findall(r"^\d{9}$", tail, re.MULTILINE))


def test_what_waits_when_the_job_ends_does_not_exceed_the_total() -> None:
    screen = Screen("log")
    shown = 0
    while shown < TOTAL_BYTES - RATE_BYTES_S // 4:
        screen.add(STDOUT, b"x" * 9_999 + b"\n")
        screen._credit_bytes = RATE_BYTES_S  # as if the time had passed
        shown += sum(map(len, text_of(screen.take())))
    for _ in range(30):
        screen.add(STDOUT, b"x" * 9_999 + b"\n")
    text = everything(screen)
    assert skipped(text) == 30 - (TOTAL_BYTES - shown) // 10_000
    assert shown + len(text) < TOTAL_BYTES + 200


def test_the_traceback_that_is_raised_is_not_shown_twice() -> None:
    screen = Screen("log")
    screen.add(STDOUT, b"before\n")
    for line in TRACE:
        screen.add(STDERR, line.encode())
    assert screen.take() == [(STDOUT, "before\n")]
    screen.drop_traceback(crc32("".join(TRACE).encode()))
    assert screen.take(last=True) == []


def test_a_traceback_that_the_program_survives_is_shown() -> None:
    screen = Screen("log")
    for line in TRACE:
        screen.add(STDERR, line.encode())
    screen.add(STDOUT, b"going on\n")
    assert screen.take() == [(STDERR, "".join(TRACE)), (STDOUT, "going on\n")]


def test_another_traceback_than_the_one_raised_is_shown() -> None:
    screen = Screen("log")
    for line in TRACE:
        screen.add(STDERR, line.encode())
    screen.drop_traceback(crc32(b"RuntimeError: something else\n"))
    assert screen.take(last=True) == [(STDERR, "".join(TRACE))]


def test_a_picture_keeps_its_place_and_is_never_skipped() -> None:
    screen = Screen("log")
    picture = Picture(b"png", "a figure")
    screen.add(STDOUT, b"before\n")
    screen.picture(picture)
    screen.add(STDOUT, b"after\n")
    assert screen.take() == [(STDOUT, "before\n"), picture, (STDOUT, "after\n")]
    screen.add(STDOUT, b"lost\n")
    screen.picture(picture)
    for _ in range(10):
        screen.add(STDOUT, b"x" * (RATE_BYTES_S // 5) + b"\n")
    taken = screen.take(last=True)
    assert taken[1] is picture
    assert taken[0] == (STDERR, "[7 lines are not shown here: log]\n")


@pytest.mark.parametrize("block", [1, 7, 100])
def test_a_tail_is_the_last_lines_of_what_is_there(block: int) -> None:
    """Then what comes; the lines before it are counted."""
    lines = [b"%d\n" % number for number in range(100)]
    screen = Screen("x.log", tail=3)
    for at in range(0, len(lines), block):
        screen.add(STDOUT, b"".join(lines[at : at + block]))
    shown = screen.take(last=True)
    assert shown == [(STDERR, "[97 lines are not shown here: x.log]\n"), (STDOUT, "97\n98\n99\n")]
    screen.add(STDOUT, b"new\n" * 5)
    assert screen.take(last=True) == [(STDOUT, "new\n" * 5)]


def test_what_is_said_in_our_words_is_never_skipped() -> None:
    """As that the cluster answers again, before all that its jobs have said meanwhile."""
    screen = Screen("log")
    screen.note("away\n")
    screen.add(STDOUT, b"before\n")
    screen.note("back\n")
    for _ in range(100):
        screen.add(STDOUT, b"x" * 9_999 + b"\n")
    (skipped, *_) = taken = screen.take(last=True)
    assert skipped == (STDERR, "[81 lines are not shown here: log]\naway\nback\n")
    assert len(taken) == 2
