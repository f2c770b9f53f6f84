"""A log read through every kind of break, from a server that keeps the kubelet's rules: nothing lost or doubled."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable

import pytest

from kube_magics import errors
from kube_magics.cluster.logs import GIVE_UP, PodLog
from kube_magics.cluster.pieces import Gap, Outage, Piece
from tests.api.kubelet import Fault, Log, served

START_NS = 1_790_000_000 * 10**9
SECOND_NS = 10**9


def pod_log(client: object, **times: float) -> PodLog:
    quick = {"silence_s": 0.15, "answer_s": 0.5, "pause_s": 0.002, **times}
    return PodLog(client, "team", "pod", "main", **quick)  # type: ignore[arg-type]


async def collect(reader: PodLog, log: Log) -> list[Piece]:
    return [piece async for piece in reader.lines(log.over)]


def lines_of(pieces: list[Piece]) -> bytes:
    blocks = [piece for piece in pieces if isinstance(piece, bytes)]
    assert all(block.endswith(b"\n") for block in blocks)
    return b"".join(blocks)


def gaps_of(pieces: list[Piece]) -> list[Gap]:
    return [piece for piece in pieces if isinstance(piece, Gap)]


def same(got: bytes, log: Log) -> None:
    if hashlib.sha256(got).digest() != hashlib.sha256(log.text).digest():
        had, want = got.split(b"\n"), log.text.split(b"\n")
        at = next(
            (i for i, pair in enumerate(zip(had, want, strict=False)) if pair[0] != pair[1]), min(len(had), len(want))
        )
        pytest.fail(f"{len(had)} lines for {len(want)}; line {at}: {had[at : at + 2]!r}, wanted {want[at : at + 2]!r}")


def read(
    log_of: Callable[[], Log], write: Callable[[Log], Awaitable[None]], **times: float
) -> tuple[Log, list[Piece], PodLog]:
    """The log that `write` writes while it is read, and what was read."""

    async def both() -> tuple[Log, list[Piece], PodLog]:
        log = log_of()
        async with served(log) as client:
            reader = pod_log(client, **times)
            reading = asyncio.ensure_future(collect(reader, log))
            await write(log)
            log.terminate()
            return log, await asyncio.wait_for(reading, 60), reader

    return asyncio.run(both())


def odd_line(rng: random.Random, number: int) -> bytes:
    head = b"%d " % number
    return rng.choice(
        [
            head + b"x" * rng.randrange(80),
            head + rng.randbytes(rng.randrange(60)).replace(b"\n", b""),
            head + b"\x00\r\x1e\xff",
            b"",
            b"the same",
            head + b"long " * 4000 if rng.random() < 0.05 else head,
        ]
    )


def a_fault(rng: random.Random) -> Fault:
    kind = rng.choice(["cut"] * 8 + ["eof"] * 6 + ["refuse", "stall"])
    return Fault(kind, rng.choice([0, rng.randrange(20_000), rng.randrange(100_000), rng.randrange(400_000)]))


async def write_by_chance(log: Log, rng: random.Random, lines: int) -> None:
    at_ns = START_NS
    number = 0
    while number < lines:
        burst = rng.choice([1, 3, 50, 1000])
        for _ in range(min(burst, lines - number)):
            log.write(odd_line(rng, number), at_ns)
            at_ns += rng.choice([0, 0, 1, 1000, 20_000_000])
            number += 1
        at_ns += rng.choice([0, 1000, SECOND_NS // 3, 7 * SECOND_NS])
        if rng.random() < 0.7:
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_or_doubled_through_breaks_by_chance(seed: int) -> None:
    rng = random.Random(seed)

    def log_of() -> Log:
        log = Log(rng.choice([0, 0, 5.5, -8]))
        # The very first answer is let through: nothing read and refused is the caller's to repeat.
        log.faults.extend([Fault("cut", 1000), *(a_fault(rng) for _ in range(12))])
        return log

    log, pieces, reader = read(log_of, lambda log: write_by_chance(log, rng, 4000))
    same(lines_of(pieces), log)
    assert not gaps_of(pieces)
    assert reader.reconnects > 2


def test_a_burst_of_twenty_thousand_lines_in_a_second_with_breaks_all_over() -> None:
    rng = random.Random(1)

    def log_of() -> Log:
        log = Log()
        log.faults.extend(Fault("cut", rng.randrange(2_000_000)) for _ in range(13))
        return log

    async def write(log: Log) -> None:
        for number in range(20_000):
            log.write(b"%d %s" % (number, b"." * 70), START_NS + number * 45_000)
            if number % 2000 == 0:
                await asyncio.sleep(0.01)

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)
    assert not gaps_of(pieces)


def test_equal_timestamps() -> None:
    def log_of() -> Log:
        log = Log()
        log.faults.extend(Fault(kind, 700) for kind in ("cut", "eof", "cut", "cut", "eof"))
        return log

    async def write(log: Log) -> None:
        for number in range(300):
            log.write(b"same" if number % 3 else b"%d" % number, START_NS)
            if number % 20 == 0:
                await asyncio.sleep(0.005)

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)


def test_stdout_and_stderr_change_places_around_a_second() -> None:
    """Each stream is stamped before both are put in order: a line of the second before may come later."""

    def log_of() -> Log:
        log = Log()
        log.faults.extend(Fault("cut", size) for size in (150, 200, 240, 280, 330))
        return log

    async def write(log: Log) -> None:
        for second in range(1, 6):
            start = START_NS + second * SECOND_NS
            for number, at in enumerate((-500_000_000, -100, 3000, -50, 4000, 500_000_000)):
                log.write(b"%d.%d" % (second, number), start + at)
                await asyncio.sleep(0.003)

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)
    assert not gaps_of(pieces)


def test_a_clock_that_is_set_back_while_connected() -> None:
    def log_of() -> Log:
        log = Log()
        log.faults.extend(Fault("cut", 34 * size) for size in (60, 90, 20, 20, 20))
        return log

    async def write(log: Log) -> None:
        for number in range(100):
            back = 20 * SECOND_NS if number >= 50 else 0
            log.write(b"%02d" % number, START_NS + number * SECOND_NS // 2 - back)
        await asyncio.sleep(0.05)

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)
    assert not gaps_of(pieces)


def test_a_clean_end_is_not_the_end_until_the_container_has_ended() -> None:
    def log_of() -> Log:
        log = Log()
        log.faults.append(Fault("eof", 35))
        return log

    async def write(log: Log) -> None:
        for number in range(5):
            log.write(b"%d" % number, START_NS + number)
            await asyncio.sleep(0.02)

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)


def test_the_last_read_is_repeated_when_it_ends_too_early() -> None:
    async def late() -> tuple[Log, list[Piece]]:
        log = Log()
        for number in range(2000):
            log.write(b"%d" % number, START_NS + number * 1000)
        log.faults.extend([Fault("eof", 10_000), Fault("eof", 5_000), Fault("eof", 0), Fault("eof", 40_000)])
        log.terminate()
        async with served(log) as client:
            return log, await asyncio.wait_for(collect(pod_log(client), log), 60)

    log, pieces = asyncio.run(late())
    same(lines_of(pieces), log)
    assert not gaps_of(pieces)


def test_a_stalled_link_is_found_by_asking_for_the_newest_line() -> None:
    def log_of() -> Log:
        log = Log()
        log.faults.extend([Fault("stall", 100), Fault("none"), Fault("mute")])
        return log

    async def write(log: Log) -> None:
        for number in range(20):
            log.write(b"%d" % number, START_NS + number)
            await asyncio.sleep(0.01)

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)


def test_a_silent_answer_is_given_up_and_asked_again() -> None:
    def log_of() -> Log:
        log = Log()
        log.faults.extend([Fault("mute"), Fault("cut", 60), Fault("stall", 20)])
        return log

    async def write(log: Log) -> None:
        log.write(b"one", START_NS)
        log.write(b"two", START_NS + 1)

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)


def test_a_quiet_job_causes_no_reconnects() -> None:
    async def write(log: Log) -> None:
        log.write(b"only " * 10_000, START_NS)
        while sum("tailLines" in request for request in log.requests) < 3:
            await asyncio.sleep(0.01)
        assert sum("follow" in request for request in log.requests) == 1

    log, pieces, _ = read(Log, write, answer_s=30)
    same(lines_of(pieces), log)


def rotating(cut_bytes: int, lost_from: int) -> Callable[[], Log]:
    """A log of 200 lines, cut after `cut_bytes`; at that moment the node drops all before line `lost_from`."""

    def log_of() -> Log:
        log = Log()

        def rotate() -> None:
            log.first = lost_from
            for number in range(200, 250):
                log.write(b"%04d" % number, START_NS + number * 1000)

        log.faults.append(Fault("cut", cut_bytes, then=rotate))
        for number in range(200):
            log.write(b"%04d" % number, START_NS + number * 1000)
        return log

    return log_of


async def until_rotated(log: Log) -> None:
    while not log.first:
        await asyncio.sleep(0.005)


def test_after_a_rotation_the_gap_is_declared_and_nothing_doubled() -> None:
    _, pieces, _ = read(rotating(100 * 36, 150), until_rotated)
    assert lines_of(pieces).split() == [b"%04d" % number for number in (*range(100), *range(150, 250))]
    assert gaps_of(pieces) == [Gap("the node had rotated the log")]


def test_a_rotation_in_the_middle_of_the_second_loses_nothing_when_our_last_line_is_still_there() -> None:
    log, pieces, _ = read(rotating(150 * 36 + 7, 100), until_rotated)
    same(lines_of(pieces), log)
    assert not gaps_of(pieces)


def test_a_line_that_a_rotation_cuts_in_two_stays_one() -> None:
    """containerd ends the old file with the line's head, marked as a part, and begins the new one with its rest."""

    def log_of() -> Log:
        log = Log()

        def rotate() -> None:
            log.rotate()
            log.write(b"and end", START_NS + 3)
            log.write(b"after", START_NS + 4)

        log.write(b"before", START_NS + 1)
        log.write(b"begin ", START_NS + 2, end=b"")
        log.faults.append(Fault("eof", len(b"".join(log.lines)), then=rotate))
        log.faults.append(Fault("refuse"))
        return log

    _, pieces, _ = read(log_of, until_rotated)
    assert lines_of(pieces).split(b"\n") == [b"before", b"begin and end", b"after", b""]


def test_a_rotation_is_not_waited_out_for_lines_that_will_not_come() -> None:
    """The second had hundreds of lines, the new file trickles: each of its lines must come at once."""

    def log_of() -> Log:
        log = Log()
        log.faults.append(Fault("cut", 300 * 36))
        return log

    async def write(log: Log) -> None:
        for number in range(300):
            log.write(b"%04d" % number, START_NS + number)
        while len(log.requests) < 2:
            await asyncio.sleep(0.005)
        log.rotate()
        log.write(b"after", START_NS + 400)
        while not any("after" in str(piece) for piece in seen):
            await asyncio.sleep(0.005)

    seen: list[Piece] = []

    async def both() -> None:
        log = log_of()
        async with served(log) as client:

            async def reading() -> None:
                async for piece in pod_log(client).lines(log.over):
                    seen.append(piece)  # noqa: PERF401 - looked at while it grows

            task = asyncio.ensure_future(reading())
            await asyncio.wait_for(write(log), 30)
            log.terminate()
            await asyncio.wait_for(task, 30)

    asyncio.run(both())
    assert lines_of(seen).split()[-2:] == [b"0299", b"after"]


def test_a_log_that_is_rotated_away_at_its_end_comes_to_an_end() -> None:
    def log_of() -> Log:
        log = Log()
        log.faults.append(Fault("cut", 35))
        return log

    async def write(log: Log) -> None:
        log.write(b"a", START_NS)
        log.write(b"b", START_NS + 1)
        while len(log.requests) < 2:
            await asyncio.sleep(0.005)
        log.rotate()

    _, pieces, _ = read(log_of, write)
    assert lines_of(pieces).startswith(b"a\n")
    assert len(gaps_of(pieces)) <= 1


def test_a_last_line_without_newline_comes_at_the_true_end_only() -> None:
    def log_of() -> Log:
        log = Log()
        log.faults.extend([Fault("eof", 34 + 10), Fault("eof", 34 + 10)])
        return log

    async def write(log: Log) -> None:
        log.write(b"a", START_NS)
        await asyncio.sleep(0.05)
        log.write(b"no newline", START_NS + 1, end=b"")

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)


def test_what_the_node_says_in_the_logs_place_is_no_line() -> None:
    said = b"unable to retrieve container logs for containerd://4711"

    def log_of() -> Log:
        log = Log()
        log.faults.extend([Fault("eof", 35, said), Fault("eof", 0, said + b"\n"), Fault("eof", 0, said + b"\n")])
        return log

    async def write(log: Log) -> None:
        for number in range(9):
            log.write(b"%d" % number, START_NS + number)
            await asyncio.sleep(0.01)

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)
    assert [gap.why for gap in gaps_of(pieces)] in ([], [said.decode()])


def test_far_behind_it_catches_up_without_following() -> None:
    async def write(log: Log) -> None:
        # The lag grows: each line is older than the one before it was when it came.
        base = time.time_ns()
        for number in range(40):
            log.write(b"%d" % number, base + number * 1_000_000)
            await asyncio.sleep(0.01)

    log, pieces, _ = read(Log, write, behind_s=0.05)
    same(lines_of(pieces), log)
    assert any("follow" not in request and "tailLines" not in request for request in log.requests[:-1])


def test_a_container_that_has_not_started_is_refused() -> None:
    async def first() -> None:
        log = Log()
        log.faults.append(Fault("refuse"))
        async with served(log) as client:
            await collect(pod_log(client), log)

    with pytest.raises(errors.Rejected):
        asyncio.run(first())


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_when_the_log_ends_costs_no_line(status: int) -> None:
    """Longer than a log that is gone would be asked for."""

    def log_of() -> Log:
        log = Log()
        for number in range(5):
            log.write(b"line %d" % number, START_NS + number)
        log.faults.append(Fault("cut", len(b"".join(log.lines[:2])), then=log.terminate))
        log.faults.extend(Fault("refuse", status=status) for _ in range(GIVE_UP + 3))
        return log

    async def nothing(log: Log) -> None:
        while not log.terminated:
            await asyncio.sleep(0.01)

    log, pieces, _ = read(log_of, nothing, pause_s=1e-9)
    same(lines_of(pieces), log)
    assert not gaps_of(pieces)


def test_an_ended_log_that_is_refused_for_ever_is_given_up() -> None:
    async def ended() -> list[Piece]:
        log = Log()
        log.terminate()
        log.faults.extend(Fault("refuse") for _ in range(1000))
        async with served(log) as client:
            reader = pod_log(client, pause_s=1e-9)
            return await asyncio.wait_for(collect(reader, log), 60)

    # On a busy machine a thousand refusals last long enough to be worth a word before.
    assert [type(piece) for piece in asyncio.run(ended()) if not isinstance(piece, Outage)] == [Gap]


def test_the_whole_log_is_read_through_breaks() -> None:
    async def whole() -> tuple[Log, bytes]:
        log = Log()
        for number in range(5000):
            log.write(b"%d" % number, START_NS + number * 1_000_000)
        log.write(b"in progress", START_NS + 9 * SECOND_NS, end=b"")
        log.faults.extend(Fault("cut", 60_000) for _ in range(3))
        async with served(log) as client:
            return log, lines_of([piece async for piece in pod_log(client).whole()])

    log, got = asyncio.run(whole())
    same(got, log)


def test_a_stall_is_said_and_its_end_too() -> None:
    def log_of() -> Log:
        log = Log()
        log.faults.append(Fault("stall", 36 * 3))
        return log

    async def write(log: Log) -> None:
        for number in range(6):
            log.write(b"%04d" % number, START_NS + number)
        await asyncio.sleep(0.4)

    log, pieces, _ = read(log_of, write)
    same(lines_of(pieces), log)
    said = [piece.over for piece in pieces if isinstance(piece, Outage)]
    assert said
    assert said == [False, True] * (len(said) // 2), "on a busy machine there may be another one"


def test_a_cut_that_is_mended_at_once_is_not_worth_a_word() -> None:
    def log_of() -> Log:
        log = Log()
        log.faults.append(Fault("cut", 36 * 3))
        return log

    async def write(log: Log) -> None:
        for number in range(6):
            log.write(b"%04d" % number, START_NS + number)

    log, pieces, _ = read(log_of, write, silence_s=30, answer_s=30)
    same(lines_of(pieces), log)
    assert not [piece for piece in pieces if isinstance(piece, Outage)]
